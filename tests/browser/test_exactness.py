"""Every press is one event on the text that was on screen, whatever the network, the server or the person does meanwhile."""

import time

import pytest
from playwright.sync_api import Page

from annot.loop.sample import ensure_sample
from annot.records import Kind, Project, Split
from annot.store import Store

from .conftest import App, OpenPage


@pytest.fixture
def project(app: App) -> Project:
    with app.store() as store:
        return ensure_sample(store, app.lead)


def events(store: Store, project: Project) -> list[tuple[int, str]]:
    """Return (item, key) of every standing label, in the order they were given."""
    keys = {label.id: label.key for label in store.projects.labels(project.id)}
    found = [answer for answer in store.answers.current(project.id, Split.POOL) if answer.kind is Kind.LABEL]
    return [(answer.item, keys[answer.labels[0]]) for answer in found]


def ignored(page: Page) -> int:
    return int(page.locator("[data-panel]").get_attribute("data-ignored") or 0)


def press(page: Page, n: int, every_ms: float) -> None:
    for place in range(n):
        page.keyboard.press(str(place % 8 + 1))
        page.wait_for_timeout(every_ms)


def all_saved(page: Page) -> None:
    page.wait_for_selector("[data-state='saved']", timeout=30_000)


def seen(page: Page) -> list[tuple[int, str]]:
    return [(entry["item"], entry["key"]) for entry in page.evaluate("presses")]


@pytest.mark.parametrize("every_ms", [30, 60, 100])
def test_presses_in_quick_succession(app: App, project: Project, open_page: OpenPage, every_ms: int) -> None:
    app.start("web")
    page = open_page()
    press(page, 100, every_ms)
    all_saved(page)
    with app.store() as store:
        stored = events(store, project)
    assert len(stored) + ignored(page) == 100
    assert len(stored) >= 90
    assert len({item for item, _ in stored}) == len(stored)
    assert set(stored) <= set(seen(page))


def test_a_held_key_counts_once(app: App, project: Project, open_page: OpenPage) -> None:
    app.start("web")
    page = open_page()
    for _ in range(15):
        page.keyboard.down("1")  # Playwright marks every further one as a repeat
    page.keyboard.up("1")
    all_saved(page)
    with app.store() as store:
        assert len(events(store, project)) == 1


@pytest.mark.parametrize("kill", [False, True], ids=["restart", "kill -9"])
def test_presses_while_the_server_is_away_arrive_once_it_is_back(app: App, project: Project, open_page: OpenPage, kill: bool) -> None:
    app.start("web")
    page = open_page()
    press(page, 4, 60)
    app.stop("web", kill=kill)
    press(page, 5, 60)
    page.wait_for_selector("[data-state='offline']", timeout=20_000)
    app.start("web")
    all_saved(page)
    press(page, 4, 60)
    all_saved(page)
    with app.store() as store:
        stored = events(store, project)
    assert len(stored) + ignored(page) == 13
    assert stored == [entry for entry in seen(page) if entry in stored]
    assert len({item for item, _ in stored}) == len(stored)


def test_a_cut_connection_and_a_reload_lose_nothing(app: App, project: Project, open_page: OpenPage) -> None:
    app.start("web")
    page = open_page()
    page.context.set_offline(True)
    press(page, 5, 60)
    before = seen(page)
    page.wait_for_selector("[data-state='offline']", timeout=20_000)
    page.context.set_offline(False)
    page.reload()
    page.wait_for_selector("[data-item]", timeout=30_000)
    all_saved(page)
    with app.store() as store:
        assert events(store, project) == before


def test_a_closed_tab_leaves_its_answers_to_the_next_one(app: App, project: Project, open_page: OpenPage) -> None:
    app.start("web")
    page = open_page()
    page.context.set_offline(True)
    press(page, 5, 60)
    before = seen(page)
    context = page.context
    page.close()
    context.set_offline(False)
    again = context.new_page()
    again.goto(app.address)
    again.wait_for_selector("[data-item]", timeout=30_000)
    all_saved(again)
    deadline = time.monotonic() + 60
    with app.store() as store:
        while events(store, project) != before and time.monotonic() < deadline:
            time.sleep(0.5)
        assert events(store, project) == before


def test_two_tabs_of_one_person_get_different_items(app: App, project: Project, open_page: OpenPage) -> None:
    app.start("web")
    first = open_page()
    second = first.context.new_page()
    second.goto(app.address)
    second.wait_for_selector("[data-item]", timeout=30_000)
    for _ in range(10):
        first.bring_to_front()
        press(first, 1, 60)
        second.bring_to_front()
        press(second, 1, 60)
    all_saved(first)
    all_saved(second)
    with app.store() as store:
        stored = events(store, project)
    assert len(stored) + ignored(first) + ignored(second) == 20
    assert len({item for item, _ in stored}) == len(stored)


def test_undo_goes_back_across_a_reload_and_the_new_answer_stands(app: App, project: Project, open_page: OpenPage) -> None:
    app.start("web")
    page = open_page()
    press(page, 3, 150)
    all_saved(page)
    last = seen(page)[-1][0]
    page.reload()
    page.wait_for_selector(f"[data-item]:not([data-item='{last}'])", timeout=30_000)
    page.keyboard.press("Backspace")
    page.wait_for_selector(f"[data-item='{last}']", timeout=10_000)
    page.keyboard.press("8")
    page.wait_for_selector(f"[data-item]:not([data-item='{last}'])", timeout=10_000)
    all_saved(page)
    with app.store() as store:
        stored = events(store, project)
    assert len(stored) == 3
    assert (last, "8") in stored


def test_text_from_a_file_is_shown_as_text(app: App, open_page: OpenPage) -> None:
    from annot.loop import projects
    from annot.records import Label
    from tests.conftest import add_items

    text = '<img src=x onerror="document.title=\'hacked\'"><script>document.title="hacked"</script> **bold** \u202etfel ot thgir 😀'
    with app.store() as store:
        hostile = projects.create_project(store, "hostile", app.lead)
        projects.set_label_set(store, hostile, [Label(0, "<b>a</b>", "<b>a</b>"), Label(0, "b", "b")])
        add_items(store, hostile, [text])
    app.start("web")
    page = open_page()
    assert page.locator("[data-item]").text_content() == text
    assert page.locator("[data-item] img, [data-item] script, [data-label] b").count() == 0
    assert page.title() != "hacked"
