"""What the browser tests do with the keyboard, and what they know of it: presses at a pace, which counted, what was on screen."""

import time

from playwright.sync_api import Page

# The element that has the focus, looked up through the panel's shadow root.
FOCUS = """() => {
  let node = document.activeElement;
  while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
  return node === document.body ? "nothing" : node.closest("dialog") ? "dialog" : node.getAttribute("aria-label") ?? node.tagName;
}"""


def press(page: Page, n: int, every_ms: float, keys: str = "12345678") -> None:
    """Press n keys in turn, each due at its own time from the start, so that no delay adds up."""
    start = time.monotonic()
    for place in range(n):
        time.sleep(max(0.0, start + place * every_ms / 1000 - time.monotonic()))
        page.keyboard.press(keys[place % len(keys)])
    time.sleep(every_ms / 1000)


def answer(page: Page, n: int, keys: str = "12345678") -> None:
    """Press n keys in turn, each for a text that is painted: none is ignored, however busy the machine."""
    item: int | str = ""
    for place in range(n):
        item, _ = on_screen(page, after=item)
        page.keyboard.press(keys[place % len(keys)])


def ignored(page: Page) -> int:
    return int(page.locator("[data-panel]").get_attribute("data-ignored") or 0)


def seen(page: Page) -> list[tuple[int, str]]:
    """Return (item on screen, key) of every press since the page was loaded."""
    return [(entry["item"], entry["key"]) for entry in page.evaluate("presses")]


def counted(page: Page) -> list[tuple[int, str]]:
    """Return (item on screen, key) of the presses the panel did not ignore: what must be stored, in this order."""
    presses = page.evaluate("presses")
    ignored_after = [entry["ignored"] for entry in presses[1:]] + [ignored(page)]
    return [(entry["item"], entry["key"]) for entry, after in zip(presses, ignored_after, strict=True) if entry["ignored"] == after]


def on_screen(page: Page, after: int | str = "") -> tuple[int, str]:
    """Wait until an item other than ``after`` can be answered; return it with its text."""
    page.wait_for_selector(f"[data-item]:not([data-item='{after}']):not([data-item=''])", timeout=20_000)
    # The panel takes no press for a text that was inserted but not painted yet; a person cannot press that early.
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))")
    reading = page.locator("[data-item]")
    return int(reading.get_attribute("data-item") or 0), reading.text_content() or ""


def all_saved(page: Page) -> None:
    page.wait_for_selector("[data-state='saved']", timeout=30_000)


def pause(page: Page) -> None:
    """Wait as one who reads the next text: a press right after a reason's digit is taken for the rest of what is being typed."""
    page.wait_for_timeout(600)


def box(page: Page, selector: str) -> dict[str, float]:
    """Return where an element is: its left, top, right and bottom edge."""
    found = page.locator(selector).bounding_box()
    assert found
    return {"left": found["x"], "top": found["y"], "right": found["x"] + found["width"], "bottom": found["y"] + found["height"]}


def overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    beside = one["right"] <= other["left"] or other["right"] <= one["left"]
    return not beside and one["bottom"] > other["top"] and other["bottom"] > one["top"]


def close_dialog(page: Page) -> None:
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")


def focus(page: Page) -> str:
    """Name what has the focus: "dialog", "nothing", or the element's label."""
    return str(page.evaluate(FOCUS))
