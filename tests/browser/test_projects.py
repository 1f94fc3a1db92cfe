"""Who works on several projects stays in the one they chose, on every page and after a reload."""

from playwright.sync_api import expect

from annot.loop import accounts, projects
from annot.loop.sample import ensure_sample
from annot.records import Kind, Label, Project, Role, Split
from annot.store import Store

from ..conftest import add_items
from .conftest import App, OpenPage


def second(store: Store, app: App) -> Project:
    other = projects.create_project(store, "Second", app.lead)
    projects.set_label_set(store, other, [Label(0, "a", "A"), Label(0, "b", "B")])
    add_items(store, other, [f"a text of the second project, {n}" for n in range(30)])
    return other


def test_the_chosen_project_is_kept_across_pages_and_a_reload(app: App, open_page: OpenPage) -> None:
    with app.store() as store:
        ensure_sample(store, app.lead)
        second(store, app)
    app.start("web")
    page = open_page()
    page.get_by_role("combobox", name="Project").click()
    page.get_by_role("option", name="Second").click()
    page.locator("[data-item]", has_text="a text of the second project").wait_for(timeout=20_000)
    for name, title in (("Data", "Data"), ("Settings", "Settings"), ("Lead", "How good are we?"), ("Data", "Data")):
        page.get_by_role("link", name=name).click()
        page.get_by_role("heading", name=title, level=1).wait_for(timeout=20_000)
        expect(page.get_by_role("combobox", name="Project")).to_have_value("Second")
    page.reload()
    page.get_by_role("heading", name="Data", level=1).wait_for(timeout=20_000)
    expect(page.get_by_role("combobox", name="Project")).to_have_value("Second")


def test_a_new_project_is_the_one_that_is_seen_next(app: App, open_page: OpenPage) -> None:
    with app.store() as store:
        ensure_sample(store, app.lead)
    app.start("web")
    page = open_page("/settings", wait="text=New project")
    page.get_by_role("tab", name="New project").click()
    page.get_by_role("tabpanel").get_by_label("Name", exact=True).fill("Mine")
    page.get_by_label("Labels, one a line").fill("praise\ncomplaint")
    page.get_by_role("button", name="Create project").click()
    expect(page.get_by_role("combobox", name="Project")).to_have_value("Mine")
    page.get_by_role("link", name="Data").click()
    page.get_by_role("heading", name="Data", level=1).wait_for(timeout=20_000)
    expect(page.get_by_role("combobox", name="Project")).to_have_value("Mine")


def test_a_project_is_renamed_and_the_last_one_put_away_comes_back(app: App, open_page: OpenPage) -> None:
    with app.store() as store:
        project = ensure_sample(store, app.lead)
    app.start("web")
    page = open_page("/settings", wait="text=New project")
    page.get_by_role("tab", name="Project", exact=True).click()
    page.get_by_label("Name of the project").fill("Support")
    page.get_by_role("button", name="Rename").click()
    page.get_by_text("The project is called Support now.").wait_for(timeout=20_000)
    page.get_by_role("tab", name="Project", exact=True).click()
    page.get_by_role("button", name="Put the project away").click()
    page.get_by_text("Tick the box first").wait_for(timeout=20_000)
    page.get_by_text("Yes, out of everybody's sight").click()
    page.get_by_role("button", name="Put the project away").click()
    page.get_by_text("Support was put away.").first.wait_for(timeout=20_000)
    with app.store() as store:
        assert store.projects.get(project.id).put_away
    page.get_by_role("button", name="Bring back").click()
    page.get_by_text("Support is back.").wait_for(timeout=20_000)
    page.get_by_role("tab", name="Labels", exact=True).wait_for(timeout=20_000)
    with app.store() as store:
        assert store.projects.find("Support") == store.projects.get(project.id)


def test_what_is_pressed_in_a_project_that_was_just_put_away_reaches_no_other(app: App, open_page: OpenPage) -> None:
    with app.store() as store:
        mine = ensure_sample(store, app.lead)
        other = second(store, app)
        accounts.add_account(store, "bob", Role.ANNOTATOR)
    app.start("web")
    page = open_page("/settings", wait="text=New project")
    expect(page.get_by_role("combobox", name="Project")).to_have_value("Larkfield support")
    page.get_by_role("tab", name="Members").click()
    page.get_by_role("combobox", name="Account").click()
    page.get_by_role("option", name="bob").click()
    with app.store() as store:
        projects.put_away(store, mine)
    page.get_by_role("button", name="Save member").click()
    page.get_by_text("What you pressed last was not done.").wait_for(timeout=20_000)
    with app.store() as store:
        assert [store.projects.members(one.id) for one in (mine, other)] == 2 * [[(app.lead.name, Role.LEAD)]]


def test_an_answer_to_a_project_that_was_put_away_waits_and_holds_up_no_other(app: App, open_page: OpenPage) -> None:
    with app.store() as store:
        mine = ensure_sample(store, app.lead)
        other = second(store, app)
    app.start("web")
    page = open_page()
    page.locator("[data-item]").first.wait_for(timeout=20_000)
    page.route(f"**/api/projects/{mine.id}/sync", lambda route: route.abort())
    page.keyboard.press("1")
    page.locator("[data-state=offline]").first.wait_for(timeout=20_000)
    with app.store() as store:
        projects.put_away(store, mine)
    page.unroute(f"**/api/projects/{mine.id}/sync")
    page.reload()
    page.locator("[data-item]", has_text="a text of the second project").wait_for(timeout=20_000)
    page.keyboard.press("1")
    page.locator("[data-state=saved]").first.wait_for(timeout=8_000)
    with app.store() as store:
        assert [len(list(store.answers.current(one.id, Split.POOL))) for one in (mine, other)] == [0, 1]
        projects.bring_back(store, mine)
    page.reload()
    page.locator("[data-item]").first.wait_for(timeout=20_000)
    page.locator("[data-state=saved]").first.wait_for(timeout=20_000)
    with app.store() as store:
        assert [one.kind for one in store.answers.current(mine.id, Split.POOL)] == [Kind.LABEL]
