"""Every kind of answer and every aid of the page, by keyboard, as it is stored: relations, reasons, notes, none, inner labels, German."""

import json
import sqlite3
from contextlib import closing

from playwright.sync_api import Page

from annot.loop import projects
from annot.records import Kind, Label, Project, QueueRow, Ranking, Reason, Relation, Split
from annot.web import locales
from tests.conftest import add_items

from .conftest import App, OpenPage
from .keyboard import all_saved, on_screen

TREE = [
    Label(0, "goods", "Goods"),
    Label(0, "service", "Service"),
    Label(0, "new", "New goods", parent=-1),
    Label(0, "old", "Old goods", parent=-1),
]
FLAT = [Label(0, "ship", "Shipping", key="q"), Label(0, "pay", "Payment", key="w"), Label(0, "other", "Other")]
TEXTS = ["Where is my parcel?", "החבילה שלי לא הגיעה", *(f"Text number {n}" for n in range(10))]


def set_up(app: App, labels: list[Label], *, exclusive: bool = True, **settings: object) -> tuple[Project, dict[str, int]]:
    """Make a project that asks for its texts in order and guesses the last label; return it with its labels by name."""
    with app.store() as store:
        project = projects.create_project(store, "answers", app.lead, exclusive=exclusive)
        ids = {label.name: label.id for label in projects.set_label_set(store, project, labels)}
        projects.change_settings(store, project, settings)
        add_items(store, project, TEXTS)
        guess = ((list(ids.values())[-1], 0.75),)
        rows = [QueueRow(item, Reason.UNCERTAIN, 0.5, guesses=guess) for item, _ in store.items.hashes(project.id, Split.POOL)]
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
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog", state="detached")
    assert on_screen(page)[1] == TEXTS[0]
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
