"""Who sees little, or works by keyboard alone, can label too: axe-core finds nothing, the focus is never lost, nothing moves."""

from dataclasses import dataclass
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

from annot.loop import projects
from annot.records import Label, QueueRow, Ranking, Reason, Split
from tests.conftest import add_items

from .conftest import App, OpenPage
from .keyboard import all_saved, close_dialog, focus, on_screen, pause

PLAIN = {"color_scheme": "light", "contrast": "no-preference", "forced_colors": "none"}
LOOKS: dict[str, dict[str, Any]] = {
    "light": PLAIN,
    "dark": PLAIN | {"color_scheme": "dark"},
    "more contrast": PLAIN | {"color_scheme": "dark", "contrast": "more"},
    "forced colours": PLAIN | {"forced_colors": "active"},
    "narrow": PLAIN,
}
# Streamlit has taken the colour scheme up, and its buttons have stopped changing colour.
SETTLED = """async () => {
  const [red] = getComputedStyle(document.querySelector('.stApp')).backgroundColor.match(/\\d+/);
  if (matchMedia('(prefers-color-scheme: dark)').matches !== red < 128) return false;
  const passing = document.getAnimations().filter((one) => Number.isFinite(one.effect.getComputedTiming().endTime));
  await Promise.all(passing.map((one) => one.finished.catch(() => {})));
  return true;
}"""
# Where each button is; one of the likely and recent labels is named by its place, since the label in it changes.
BUTTONS = """panel => Object.fromEntries([...panel.querySelectorAll('button')].map((one, at) => {
  const { x, y, width, height } = one.getBoundingClientRect();
  const name = one.dataset.command ?? (one.closest('.labels') ? one.dataset.label : 'short');
  return [`${at} ${name}`, [x, y, width, height]];
}))"""
DIALOGS = {"?": "help", "g": "guidelines", "S": "skip", "f": "flag", "/": "search", "l": "mine"}
LONG_NAME = "Anything else that cannot be said in one or two words, however hard one tries to find them"
FLAT = [Label(0, "ship", "Shipping", "Parcels and when they come"), Label(0, "pay", "Payment"), Label(0, "other", LONG_NAME)]
TREE = [
    Label(0, "goods", "Goods"),
    Label(0, "service", "Service"),
    *(Label(0, f"goods-{n}", f"Kind {n} of goods", parent=-1) for n in range(9)),
    *(Label(0, f"service-{n}", LONG_NAME if n == 8 else f"Kind {n} of service", parent=-2) for n in range(9)),
]
# One word, a line, a paragraph, and more than fits the card.
TEXTS = [
    "Late.",
    "Where is my parcel? It was to come on Monday.",
    "The invoice names the wrong street. " * 8,
    "Please read all of it. " * 400,
]
OPTIONS = {"suggestions": "on", "likely_first": True, "allow_not": True, "allow_either": True, "highlights": "parcel\n/invoice/"}


@dataclass(frozen=True)
class State:
    """A kind of project and the presses that bring its page to where it is looked at."""

    labels: list[Label]
    presses: str = ""
    exclusive: bool = True
    inner: bool = False
    texts: int = 24
    offline: bool = False
    shows: str = "[data-item]"


STATES = {
    "exclusive": State(FLAT, "1"),
    "multi-label": State(FLAT, "12", exclusive=False),
    "tree": State(TREE, "1", inner=True),
    "offline": State(FLAT, "1", offline=True, shows="[data-state='offline']"),
    "empty pool": State(FLAT, "1", texts=1, shows="[data-empty]"),
}


def open_in(state: State, app: App, open_page: OpenPage) -> Page:
    """Open a project whose queue asks its texts in order, every second one with the model's guesses, and bring it to the state."""
    with app.store() as store:
        project = projects.create_project(store, "Post", app.lead, exclusive=state.exclusive)
        leaves = [label.id for label in projects.set_label_set(store, project, state.labels)][-3:]
        projects.change_settings(store, project, OPTIONS | {"allow_inner": state.inner})
        add_items(store, project, [TEXTS[n % len(TEXTS)] for n in range(state.texts)])
        items = [item for item, _ in store.items.hashes(project.id, Split.POOL)]
        guesses = ((), tuple(zip(leaves, (1.0, 0.5, 0.05), strict=True)))
        rows = [QueueRow(item, Reason.UNCERTAIN, 0.5, guesses=guesses[place % 2]) for place, item in enumerate(items)]
        store.queue.rewrite(project.id, rows, Ranking(0, 3, 0, "x", 0.0, 0.0), 0)
    app.start("web")
    page = open_page()
    page.context.set_offline(state.offline)
    for key in state.presses:
        on_screen(page)
        page.keyboard.press(key)
    page.wait_for_selector(state.shows, timeout=20_000)
    return page


def look(page: Page, name: str) -> None:
    page.set_viewport_size({"width": 320 if name == "narrow" else 1280, "height": 844})
    page.emulate_media(**LOOKS[name])
    page.wait_for_function(SETTLED)
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), "the page scrolls sideways"


def faults(page: Page, checked: str) -> list[str]:
    """Return what axe-core finds on the whole page; make sure it looked at an element in a shadow root whose HTML has ``checked``."""
    page.evaluate("script => window.axe || eval(script)", AXE_SCRIPT)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations', 'passes'] })")
    # A node in a shadow root is named by a list: the host, then the node in it.
    shadowed = [node["html"] for rule in found["passes"] for node in rule["nodes"] if isinstance(node["target"][0], list)]
    assert any(checked in html for html in shadowed)
    return [f"{rule['id']} ({rule['impact']}): {node['html'][:200]}" for rule in found["violations"] for node in rule["nodes"]]


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_on_the_labelling_page(app: App, open_page: OpenPage, state: str) -> None:
    page = open_in(STATES[state], app, open_page)
    found = {}
    for name in LOOKS:
        look(page, name)
        found[name] = faults(page, checked="data-label=")
    assert {name: what for name, what in found.items() if what} == {}
    assert len(found) == len(LOOKS)


@pytest.mark.slow
def test_axe_finds_nothing_with_a_dialog_open(app: App, open_page: OpenPage) -> None:
    page = open_in(STATES["tree"], app, open_page)
    page.keyboard.press("1")  # an answer, so that "my labels" has one
    on_screen(page)
    found = {}
    for name in LOOKS:
        look(page, name)
        for key, dialog in DIALOGS.items():
            page.keyboard.press(key)
            page.wait_for_selector(f"dialog[data-dialog='{dialog}']{' li' if dialog == 'mine' else ''}")
            found[name, dialog] = faults(page, checked="annot-dialog-title")
            page.keyboard.press("Escape")
            page.wait_for_selector("dialog", state="detached")
    assert {where: what for where, what in found.items() if what} == {}
    assert len(found) == len(LOOKS) * len(DIALOGS)


def test_axe_finds_nothing_on_the_sign_in_page(app: App, browser: Any) -> None:
    app.start("web")
    page = browser.new_page()
    page.goto(app.address)
    page.locator("input[name=password]").fill("not the password")
    page.locator("input[name=name]").fill("nobody")
    page.keyboard.press("Enter")
    page.get_by_text("The name or the password is not right.").wait_for()
    found = {}
    for name in LOOKS:
        look(page, name)
        found[name] = faults(page, checked='name="password"')
    page.close()
    assert {name: what for name, what in found.items() if what} == {}
    assert len(found) == len(LOOKS)


def test_the_focus_returns_to_the_text_however_a_dialog_ends(app: App, open_page: OpenPage) -> None:
    page = open_in(STATES["exclusive"], app, open_page)
    on_screen(page)
    assert focus(page) == "nothing"
    page.keyboard.press("/")
    at_once = page.locator("[data-panel]").evaluate(
        """panel => {
          const root = panel.getRootNode();
          root.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, composed: true }));
          return root.activeElement?.getAttribute('aria-label');
        }"""
    )
    assert at_once == "Text to label"  # a key pressed within this frame still counts
    page.wait_for_selector("dialog", state="detached")
    on_screen(page, 2)
    ways = {
        "Escape": lambda: page.keyboard.press("Escape"),
        "its cross": lambda: page.locator("dialog .close").press("Enter"),
        "a click beside it": lambda: page.mouse.click(5, 5),
    }
    for key, dialog in DIALOGS.items():
        for way, end in ways.items():
            page.keyboard.press(key)
            page.wait_for_selector(f"dialog[data-dialog='{dialog}']")
            assert focus(page) == "dialog", dialog
            end()
            page.wait_for_selector("dialog", state="detached")
            assert focus(page) == "Text to label", (dialog, way)
    answers = {
        "/": ("search", ["p", "a", "y", "Enter"]),
        "S": ("skip", ["2"]),
        "f": ("flag", ["o", "k", "Enter"]),
        "l": ("mine", ["Enter"]),
    }
    for key, (dialog, presses) in answers.items():
        on_screen(page)
        page.keyboard.press(key)
        page.wait_for_selector(f"dialog[data-dialog='{dialog}']{' li' if dialog == 'mine' else ''}")
        for one in presses:
            page.keyboard.press(one)
        page.wait_for_selector("dialog", state="detached")
        assert focus(page) == "Text to label", dialog
        pause(page)
    assert page.get_by_text("You are changing your earlier answer").is_visible()


def test_the_text_has_a_frame_only_for_who_moves_the_focus_there(app: App, open_page: OpenPage) -> None:
    page = open_in(STATES["exclusive"], app, open_page)
    item, _ = on_screen(page)
    frame = "node => node === node.getRootNode().activeElement && getComputedStyle(node).outlineStyle"
    page.keyboard.press("?")
    page.wait_for_selector("dialog")
    close_dialog(page)
    assert page.locator(".text").evaluate(frame) == "none"
    page.keyboard.press("2")
    on_screen(page, item)
    assert page.locator(".text").evaluate(frame) == "none"
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    assert page.locator(".text").evaluate(frame) == "solid"


def test_every_button_can_be_reached_and_pressed_by_tab_and_enter(app: App, open_page: OpenPage) -> None:
    page = open_in(STATES["multi-label"], app, open_page)
    item, _ = on_screen(page)
    panel = page.locator("[data-panel]")
    focused = "(panel, wanted) => { const it = panel.getRootNode().activeElement; return wanted ? it?.matches(wanted) : it?.textContent; }"
    reached = set()
    page.locator(".text").focus()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(panel.evaluate(focused))
        if panel.evaluate(focused, ".submit"):
            break
    assert focus(page) != "nothing"
    page.keyboard.press("Enter")
    on_screen(page, item)
    assert focus(page) == "Text to label"
    shown = {button.text_content() for button in page.locator("[data-panel] button:visible").all()}
    for _ in range(len(shown)):
        page.keyboard.press("Tab")
        reached.add(panel.evaluate(focused))
    assert shown <= reached
    all_saved(page)


@pytest.mark.parametrize("width", [1280, 320])
@pytest.mark.parametrize("kind", ["exclusive", "multi-label", "tree"])
def test_no_button_moves_from_text_to_text(app: App, open_page: OpenPage, kind: str, width: int) -> None:
    page = open_in(State(STATES[kind].labels, exclusive=STATES[kind].exclusive), app, open_page)
    page.set_viewport_size({"width": width, "height": 844})
    presses = {"exclusive": "1", "multi-label": ["1", "Enter"], "tree": "11"}[kind]
    item: int | str = ""
    places: list[dict[str, list[float]]] = []
    lengths = set()
    for _ in range(10):
        item, text = on_screen(page, item)
        lengths.add(len(text))
        places.append(page.locator("[data-panel]").evaluate(BUTTONS))
        for key in presses:
            page.keyboard.press(key)
    moved = {name: (before, place[name]) for place in places for name, before in places[0].items() if place.get(name) != before}
    assert lengths == {len(text) for text in TEXTS}
    assert len(places[0]) > 10
    assert moved == {}
