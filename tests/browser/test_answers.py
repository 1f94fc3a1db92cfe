"""Every kind of answer and every aid of the page, by keyboard, as it is stored: relations, reasons, notes, none, inner labels, German."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from playwright.sync_api import Page

from annot.loop import accounts, projects
from annot.loop.sample import ensure_sample
from annot.records import Kind, Label, Project, QueueRow, Ranking, Reason, Relation, Role, Split
from annot.web import locales
from tests.conftest import add_items

from .conftest import App, OpenPage
from .keyboard import all_saved, box, close_dialog, focus, on_screen, overlap, pause

TREE = [
    Label(0, "goods", "Goods"),
    Label(0, "service", "Service"),
    Label(0, "new", "New goods", parent=-1),
    Label(0, "old", "Old goods", parent=-1),
]
FLAT = [Label(0, "ship", "Shipping", key="q"), Label(0, "pay", "Payment", key="w"), Label(0, "other", "Other")]
MANY = [Label(0, f"feeling {n}", f"Feeling {n}") for n in range(28)]
SIZES = {"desk": (1280, 860), "phone": (390, 844)}
TEXTS = ["Where is my parcel?", "החבילה שלי לא הגיעה", *(f"Text number {n}" for n in range(10))]


def set_up(
    app: App,
    labels: list[Label],
    *,
    exclusive: bool = True,
    texts: list[str] = TEXTS,
    reason: Reason = Reason.UNCERTAIN,
    **settings: object,
) -> tuple[Project, dict[str, int]]:
    """Make a project that asks for its texts in order and guesses the last label; return it with its labels by name."""
    with app.store() as store:
        project = projects.create_project(store, "answers", app.lead, exclusive=exclusive)
        ids = {label.name: label.id for label in projects.set_label_set(store, project, labels)}
        projects.change_settings(store, project, settings)
        add_items(store, project, texts)
        guess = ((list(ids.values())[-1], 0.75),)
        rows = [QueueRow(item, reason, 0.5, guesses=guess) for item, _ in store.items.hashes(project.id, Split.POOL)]
        store.queue.rewrite(project.id, rows, Ranking(0, 0, 0, "x", 0.0, 0.0), 0)
    app.start("web")
    return project, ids


def give(page: Page, *keys: str) -> None:
    """Answer the text on screen with these keys; return once the next one is there."""
    item, _ = on_screen(page)
    for key in keys:
        page.keyboard.press(key)
    on_screen(page, item)


def answers(app: App, project: Project) -> list[tuple[Kind, Relation, set[int], str]]:
    with app.store() as store:
        return [(one.kind, one.relation, set(one.labels), one.note) for one in store.answers.current(project.id)]


def test_answers_that_are_not_one_label_are_stored_as_what_they_are(app: App, open_page: OpenPage) -> None:
    project, ids = set_up(app, FLAT, allow_not=True, allow_either=True, highlights="parcel\n/m[yi]/", suggestions="after")
    page = open_page()
    assert page.locator(".text mark").all_text_contents() == ["my", "parcel"]
    give(page, "x", "q")
    assert "not Shipping · the model thought Other, 75%" in (page.locator(".last").text_content() or "")
    assert page.locator(".said-text").evaluate("node => getComputedStyle(node).unicodeBidi") == "plaintext"
    give(page, "a", "q", "w", "Enter")
    give(page, "S", "2")
    pause(page)
    give(page, "s")
    item, _ = on_screen(page)
    page.keyboard.press("f")
    page.keyboard.type("12 qw?")
    page.keyboard.press("Enter")
    page.wait_for_selector(".flagged:visible")
    assert on_screen(page)[0] == item
    give(page, "w")
    assert "the model thought Other, 75%" in (page.locator(".last").text_content() or "")
    all_saved(page)
    given = [
        (Kind.LABEL, Relation.NOT, {ids["ship"]}, ""),
        (Kind.LABEL, Relation.EITHER, {ids["ship"], ids["pay"]}, ""),
        (Kind.SKIP, Relation.IS, set(), "No label fits"),
        (Kind.SKIP, Relation.IS, set(), ""),
        (Kind.LABEL, Relation.IS, {ids["pay"]}, ""),
    ]
    assert answers(app, project) == given
    with closing(sqlite3.connect(app.home.database)) as database:
        rows = database.execute("SELECT kind, note, suggestion, seconds > 0 AND seconds < 60, shown_at > 0 FROM annotations").fetchall()
    assert ("flag", "12 qw?", "after", 1, 1) in rows
    assert {row[2:] for row in rows} == {("after", 1, 1)}
    for _ in range(6):  # five answers and the flag
        page.keyboard.press("Backspace")
    all_saved(page)
    assert on_screen(page)[1] == TEXTS[0]
    assert answers(app, project) == []


def test_a_list_of_my_labels_changes_an_earlier_answer(app: App, open_page: OpenPage) -> None:
    project, ids = set_up(app, FLAT)
    page = open_page()
    give(page, "q")
    give(page, "q")
    page.keyboard.press("l")
    page.wait_for_selector("[data-mine]")
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "End"):  # to the second of two, no further, back, and there again
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog", state="detached")
    assert on_screen(page)[1] == TEXTS[0]
    for width, height in SIZES.values():
        page.set_viewport_size({"width": width, "height": height})
        assert page.locator(".notice").is_visible()
        assert not overlap(box(page, ".notice"), box(page, ".text"))
    give(page, "w")
    assert on_screen(page)[1] == TEXTS[2]
    all_saved(page)
    assert [said for _, _, said, _ in answers(app, project)] == [{ids["ship"]}, {ids["pay"]}]
    size = "node => getComputedStyle(node).fontSize"
    before = page.locator(".text").evaluate(size)
    page.keyboard.press("+")
    larger = page.locator(".text").evaluate(size)
    page.reload()
    on_screen(page)
    assert float(before[:-2]) < float(larger[:-2])
    assert page.locator(".text").evaluate(size) == larger


def test_what_is_typed_as_a_reason_reaches_no_other_text(app: App, open_page: OpenPage) -> None:
    project, _ = set_up(app, FLAT)
    page = open_page()
    open_reasons(page)
    page.keyboard.type("Not ")
    page.locator(".said-text").click(force=True)  # a look at the text: what was written stays
    page.keyboard.type("news")
    page.keyboard.press("Enter")
    assert on_screen(page)[1] == TEXTS[1]
    open_reasons(page)
    page.keyboard.press("Shift+Tab")  # to the last reason on offer: what is typed leaves it, Space too
    page.keyboard.type("a 1 s")
    page.keyboard.press("Enter")
    assert on_screen(page)[1] == TEXTS[2]
    open_reasons(page)
    page.keyboard.type("2 labels? s u", delay=60)  # the digit chooses, and what was typed on is about no text
    assert on_screen(page)[1] == TEXTS[3]
    assert page.locator("dialog").count() == 0
    pause(page)
    open_reasons(page)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")  # who went to a button can press it
    assert on_screen(page)[1] == TEXTS[4]
    give(page, "q")  # and that was no typing
    all_saved(page)
    notes = ["Not news", "a 1 s", "No label fits", "The text is broken or cut off"]
    assert [(kind, note) for kind, _, _, note in answers(app, project)] == [*((Kind.SKIP, note) for note in notes), (Kind.LABEL, "")]


def open_reasons(page: Page) -> None:
    on_screen(page)
    page.keyboard.press("S")
    page.wait_for_selector("dialog[data-dialog='skip']")


@pytest.mark.parametrize("labels", [FLAT, MANY], ids=["few labels", "many labels"])
def test_a_dialog_about_a_text_leaves_it_in_view(app: App, open_page: OpenPage, labels: list[Label]) -> None:
    set_up(app, labels, texts=["Please read all of it. " * 300])
    page = open_page(locale="de-DE")
    for name, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        on_screen(page)
        for key in ("S", "f", "f"):  # the second time there is a note to show
            page.keyboard.press(key)
            page.wait_for_selector("dialog")
            assert not overlap(box(page, "dialog"), box(page, ".text")), (name, key)
            assert box(page, "dialog")["bottom"] <= height
            before = page.locator(".text").evaluate("node => node.scrollTop")
            page.keyboard.press("ArrowDown")
            assert page.locator(".text").evaluate("node => node.scrollTop") > before
            if key == "f":
                page.keyboard.press("Enter")
                page.wait_for_selector("dialog", state="detached")
            else:
                close_dialog(page)


def test_a_flag_shows_its_note_to_be_changed_or_taken_back(app: App, open_page: OpenPage) -> None:
    project, _ = set_up(app, FLAT)

    def notes() -> list[str]:
        all_saved(page)
        with app.store() as store:
            return [note for _, _, _, note in store.answers.flags(project.id)]

    def press_f() -> None:
        on_screen(page)
        page.keyboard.press("f")
        page.wait_for_selector("dialog[data-dialog='flag']")

    def enter() -> None:
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog", state="detached")

    page = open_page()
    press_f()
    assert page.get_by_role("button", name="Take the flag back").count() == 0
    page.keyboard.type("is it <b>ours</b>?")
    enter()
    assert page.locator(".flagged").get_attribute("title") == "is it <b>ours</b>?"
    assert notes() == ["is it <b>ours</b>?"]
    page.reload()
    page.wait_for_selector(".flagged:visible")
    press_f()
    assert page.locator("dialog input").input_value() == "is it <b>ours</b>?"
    enter()  # nothing changed: nothing is sent
    press_f()
    page.keyboard.type("theirs")
    enter()
    assert notes() == ["theirs"]
    press_f()
    for _ in range(2):
        page.keyboard.press("Tab")
    enter()
    page.wait_for_selector(".flagged", state="hidden")
    assert "Undone: flag" in (page.locator(".last").text_content() or "")
    assert notes() == []
    press_f()
    page.keyboard.type("after all")
    enter()
    give(page, "q")
    page.keyboard.press("Backspace")
    page.wait_for_selector(".flagged:visible")
    page.keyboard.press("Backspace")
    page.wait_for_selector(".flagged", state="hidden")
    assert notes() == []
    with app.store() as store:
        assert store.answers.newest_event(project.id) == 8  # three flags, three taken back, an answer taken back


def test_the_page_says_what_was_done_and_how_old_the_pick_is(app: App, open_page: OpenPage) -> None:
    set_up(app, FLAT, reason=Reason.DIVERSE)
    page = open_page()
    told = page.locator(".because")
    assert told.text_content() == "One of the first: a typical text to start from"
    assert page.locator(".staleness").text_content() == "picked just now"
    give(page, "q")
    give(page, "w")
    give(page, "s")
    all_saved(page)
    page.get_by_text("2 of 12 labelled").wait_for()
    page.get_by_text("Today you labelled or skipped 3").wait_for()
    assert page.locator(".staleness").text_content() == "picked 2 labels ago"
    assert page.locator(".staleness").get_attribute("title") == (
        "This text comes from a list made with the starting model. There were 0 labels then; the list is made anew as more come."
    )


def test_a_phone_shows_all_of_the_page_and_no_keys(app: App, open_page: OpenPage) -> None:
    project, _ = set_up(app, FLAT, suggestions="on")
    with app.store() as store:
        anna, password = accounts.add_account(store, "anna", Role.ANNOTATOR)
        store.projects.set_member(project.id, anna.id, Role.ANNOTATOR)
    width, height = SIZES["phone"]
    page = open_page(who=("anna", password), viewport={"width": width, "height": height}, is_mobile=True, has_touch=True)
    on_screen(page)
    bounds = "nodes => nodes.map((node) => node.getBoundingClientRect()).map(({ top, bottom, right }) => [top, bottom, right])"
    buttons = page.locator("[data-panel] button:visible").evaluate_all(bounds)
    assert len(buttons) > 10
    assert max(bottom for _, bottom, _ in buttons) <= height
    assert max(right for _, _, right in buttons) <= width
    assert box(page, ".bar button")["top"] < 30
    page.get_by_role("button", name="Sign out").click(trial=True)  # nothing lies over it
    assert page.locator("[data-panel] button kbd:visible").count() == 0
    for cut in (".because", ".pace", ".count"):
        assert page.locator(cut).evaluate(
            "node => node.scrollWidth <= node.clientWidth || getComputedStyle(node).whiteSpace === 'normal'"
        ), cut


def test_dialogs_are_as_large_as_what_they_show_and_in_line(app: App, open_page: OpenPage) -> None:
    set_up(app, FLAT)
    page = open_page()
    on_screen(page)
    page.keyboard.press("/")
    page.wait_for_selector("[data-option]")
    before = box(page, "dialog")
    assert before["bottom"] - box(page, "[data-option]:last-child")["bottom"] < 40
    page.keyboard.type("pay")
    assert box(page, "dialog") == before
    assert focus(page) == "dialog"
    close_dialog(page)
    page.keyboard.press("?")
    page.wait_for_selector("dialog")
    edges = "nodes => [...new Set(nodes.map((node) => Math.round(node.getBoundingClientRect().left)))]"
    assert len(page.locator("dialog .keys dd").evaluate_all(edges)) == 2  # as many as there are columns


def test_none_of_these_and_an_inner_label_are_answers(app: App, open_page: OpenPage) -> None:
    project, ids = set_up(app, TREE, exclusive=False, allow_inner=True, likely_first=True, suggestions="on")
    page = open_page()
    slot = page.locator(f".short [data-label='{ids['old']}']")
    assert (slot.locator(".guess").text_content() or "").startswith("75")
    give(page, "0")
    give(page, "1", ".", "Enter")
    give(page, slot.get_attribute("aria-keyshortcuts") or "", "Enter")
    give(page, "/", *"new", "Enter", "Enter")
    all_saved(page)
    given: list[set[int]] = [set(), {ids["goods"]}, {ids["old"]}, {ids["new"]}]
    assert answers(app, project) == [(Kind.LABEL, Relation.IS, said, "") for said in given]


def test_a_german_browser_gets_german_throughout(app: App, open_page: OpenPage) -> None:
    set_up(app, TREE, exclusive=False, allow_inner=True, allow_not=True, allow_either=True)
    page = open_page(locale="de-AT")
    page.get_by_role("button", name="Abmelden").wait_for()
    page.get_by_text("Wählen Sie alle passenden").wait_for()
    found = texts(page)
    for key, dialog in {"?": "help", "g": "guidelines", "S": "skip", "f": "flag", "/": "search", "l": "mine"}.items():
        on_screen(page)
        page.keyboard.press(key)
        page.wait_for_selector(f"dialog[data-dialog='{dialog}']")
        found |= texts(page)
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog", state="detached")
    german, english = locales.catalogue("de"), locales.catalogue("en")
    told = {text for text in german.values() if "{" not in text}
    assert len(found & told) > 40
    assert found & ({text for text in english.values() if "{" not in text} - told) == set()


def texts(page: Page) -> set[str]:
    """Return every text, label and placeholder of the page, the panel's shadow root included."""
    script = """() => {
      const found = new Set();
      const look = (root) => {
        for (const node of root.querySelectorAll('*')) {
          for (const child of node.childNodes) if (child.nodeType === 3) found.add(child.data.trim());
          for (const name of ['aria-label', 'placeholder', 'title']) if (node.hasAttribute(name)) found.add(node.getAttribute(name));
          if (node.shadowRoot) look(node.shadowRoot);
        }
      };
      look(document.body);
      return JSON.stringify([...found]);
    }"""
    return set(json.loads(page.evaluate(script)))


def test_guidelines_are_shown_as_written_never_as_markup(app: App, open_page: OpenPage) -> None:
    with app.store() as store:
        project = ensure_sample(store, app.lead)
        store.projects.change(project.id, guidelines="# Rules\n\n- **A or B.** Then <img src=x onerror=alert(1)>\n- `code`\n\nThe end.")
    app.start("web")
    page = open_page()
    page.keyboard.press("g")
    dialog = page.locator("dialog[data-dialog='guidelines']")
    dialog.get_by_role("heading", name="Rules").wait_for()
    assert dialog.locator("li strong").all_text_contents() == ["A or B."]
    assert dialog.locator("li").first.text_content() == "A or B. Then <img src=x onerror=alert(1)>"
    assert dialog.locator("img").count() == 0


def test_an_open_page_tells_that_the_lead_has_changed_the_labels(app: App, open_page: OpenPage) -> None:
    with app.store() as store:
        project = ensure_sample(store, app.lead)
    app.start("web")
    page = open_page()
    with app.store() as store:
        labels = store.projects.labels(project.id)
        projects.set_label_set(store, project, [replace(labels[0], title="Renamed"), *labels[1:], Label(0, "praise", "Praise")])
    page.keyboard.press("1")
    page.get_by_text("have changed").wait_for()
    page.get_by_role("button", name="Reload").click()
    page.get_by_role("button", name="Praise").wait_for()
    assert page.get_by_role("button", name="Renamed").is_visible()
    assert page.get_by_text("have changed").count() == 0
