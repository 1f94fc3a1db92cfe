"""Fifty answers by keyboard alone, on 150 labels in a tree and on 28 of which several may hold: what is pressed is what is stored."""

import pytest
from playwright.sync_api import Page

from annot.records import Kind, Relation
from annot.store import Store
from tests.conftest import dataset

from .conftest import App, OpenPage
from .gold import Gold, emotions, intents
from .keyboard import all_saved, ignored, on_screen

ANSWERS = 50
TEXTS = 75


def key_of(page: Page, label: int) -> str:
    """Return the key the label's own button shows (not its place among the likely and recent ones)."""
    button = page.locator(f".labels [data-label='{label}']")
    key = button.get_attribute("aria-keyshortcuts", timeout=5_000)
    shown = button.locator("kbd").text_content(timeout=5_000)
    assert key
    assert shown == key.upper()
    return key


def stored(store: Store, gold: Gold) -> list[tuple[int, frozenset[str]]]:
    names = {label.id: name for name, label in gold.labels.items()}
    answers = list(store.answers.current(gold.project.id))
    assert {(answer.kind, answer.relation) for answer in answers} == {(Kind.LABEL, Relation.IS)}
    return [(answer.item, frozenset(names[label] for label in answer.labels)) for answer in answers]


def check(app: App, page: Page, gold: Gold, given: list[tuple[int, frozenset[str]]]) -> None:
    all_saved(page)
    with app.store() as store:
        assert stored(store, gold) == given
        assert store.answers.newest_event(gold.project.id) == ANSWERS  # each one event, of this project only
    assert given == [(item, gold.of[item]) for item, _ in given]
    assert len({item for item, _ in given}) == ANSWERS
    assert ignored(page) == 0
    assert page.get_by_text(f"Today you labelled or skipped {ANSWERS} ").is_visible()


@pytest.mark.slow
def test_fifty_texts_of_clinc150_by_keyboard_alone(app: App, open_page: OpenPage) -> None:
    with app.store() as store:
        gold = intents(store, app.lead, dataset("clinc150"), TEXTS)
    app.start("web")
    page = open_page()
    given: list[tuple[int, frozenset[str]]] = []
    slots = 0
    for turn in range(ANSWERS):
        item, _ = on_screen(page, given[-1][0] if given else "")
        (name,) = gold.of[item]
        label = gold.labels[name]
        slot = page.locator(f".short [data-label='{label.id}']")
        if slot.count():  # used a moment ago: its key is at the top level
            slots += 1
            page.keyboard.press(slot.get_attribute("aria-keyshortcuts") or "")
        elif turn % 5 == 4:
            page.keyboard.press("/")
            page.keyboard.type(label.title.lower())
            page.wait_for_selector(f"#annot-option-0[data-option='{label.id}'][aria-selected='true']")
            page.keyboard.press("Enter")
        else:
            page.keyboard.press(key_of(page, label.parent or 0))
            page.keyboard.press(key_of(page, label.id))
        given.append((item, frozenset([name])))
    check(app, page, gold, given)
    assert len({name for _, said in given for name in said}) >= ANSWERS / 2
    assert slots >= ANSWERS / 4


@pytest.mark.slow
def test_fifty_texts_of_goemotions_by_keyboard_alone(app: App, open_page: OpenPage) -> None:
    with app.store() as store:
        gold = emotions(store, app.lead, dataset("goemotions"), TEXTS)
    app.start("web")
    page = open_page()
    given: list[tuple[int, frozenset[str]]] = []
    for _ in range(ANSWERS):
        item, _ = on_screen(page, given[-1][0] if given else "")
        said = gold.of[item]
        for name in said:
            page.keyboard.press(key_of(page, gold.labels[name].id))
        # A key pressed twice takes the label back.
        other = next(label for name, label in gold.labels.items() if name not in said)
        page.keyboard.press(key_of(page, other.id))
        page.keyboard.press(key_of(page, other.id))
        page.keyboard.press("Enter")
        given.append((item, said))
    check(app, page, gold, given)
    assert sum(len(said) > 1 for _, said in given) >= 20
