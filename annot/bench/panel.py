"""The labelling panel against native Streamlit buttons on the same items: key press to next text painted, CPU a label, exactness.

One headless Chromium, two web processes, rounds in turn. Must not be quicker than a person could read the figure: presses that are
timed have the pause both pages need; a burst at 60 ms is counted apart.
"""

import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from annot.bench import _command as command
from annot.bench._browser import WATCH_PRESSES, Press, Tally, Web, launched, open_label_page, percentiles, serving, tally
from annot.loop import accounts
from annot.loop.sample import ensure_sample
from annot.records import Kind, Project, Role, Split
from annot.settings import Workspace
from annot.store import Store

KEYS = "12345678"
ROUND = 20
PAUSE_S = 0.35
BURST = 60
BURST_S = 0.06
PASSWORD = "only for this benchmark"
NATIVE_ITEM = """
const panel = null;
const onScreen = () => Number(document.querySelector('.st-key-native-item')?.textContent ?? 0);
"""


def main(arguments: list[str]) -> int:
    parser = command.parser("panel", __doc__)
    parser.add_argument("--presses", type=int, default=200, help="timed presses on each of the two pages")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="annot-bench-") as folder:
        result = measure(Path(folder), options.presses)
    return command.report(result, options)


@dataclass
class Side:
    """One of the two pages, and what was measured on it."""

    web: Web
    project: Project
    page: Any
    cpu: float = 0.0
    pressed: int = 0
    latencies: list[float] = field(default_factory=list)

    def presses(self, n: int, pause: float) -> None:
        """Press keys in turn, each at its own time; the CPU the server uses for them is added up."""
        before, start = self.web.cpu_seconds(), time.monotonic()
        for place in range(n):
            time.sleep(max(0.0, start + place * pause - time.monotonic()))
            self.page.keyboard.press(KEYS[place % len(KEYS)])
        time.sleep(pause)
        self.cpu += self.web.cpu_seconds() - before
        self.pressed += n

    def timed_round(self, n: int) -> None:
        self.page.bring_to_front()
        first = self.page.evaluate("presses.length")
        self.presses(n, PAUSE_S)
        self.latencies += [entry["ms"] for entry in self.page.evaluate("presses")[first:] if "ms" in entry]

    def exactness(self) -> Tally:
        ignored = int(self.page.evaluate("ignoredPresses()"))
        seen = [(entry["item"], entry["key"]) for entry in self.page.evaluate("presses")]
        return tally(seen, ignored, stored(self.web.home, self.project))


def measure(folder: Path, presses: int) -> dict[str, object]:
    homes = {name: Workspace(folder / name) for name in ("ours", "native")}
    made = {name: set_up(home) for name, home in homes.items()}
    native_page = str(Path(__file__).with_name("_native_page.py"))
    with launched() as browser, serving(homes["ours"]) as ours_web, serving(homes["native"], native_page) as native_web:
        ours = Side(ours_web, made["ours"][0], open_label_page(browser, ours_web, made["ours"][1]))
        native = Side(native_web, made["native"][0], open_native(browser, native_web))
        for side in (ours, native):  # the first presses compile and cache
            side.presses(5, PAUSE_S)
            side.cpu, side.pressed = 0.0, 0
        for _ in range(max(1, presses // ROUND)):
            ours.timed_round(ROUND)
            native.timed_round(ROUND)
        per_label = {name: 1000 * side.cpu / side.pressed for name, side in (("ours", ours), ("native", native))}
        for side in (ours, native):
            side.page.bring_to_front()
            side.presses(BURST, BURST_S)
        ours.page.wait_for_selector("[data-state='saved']")
        time.sleep(3)
        exact, native_exact = ours.exactness(), native.exactness()
        peak = ours_web.peak_mb()
    next_text, native_ms = percentiles(ours.latencies), percentiles(native.latencies)
    return {
        "next_text_ms": next_text,
        "native_ms": native_ms,
        "ratio_to_baseline": round(native_ms["p50"] / next_text["p50"], 1),
        "cpu_ms_per_label": round(per_label["ours"], 2),
        "native_cpu_ms_per_label": round(per_label["native"], 2),
        "lost": exact.lost,
        "doubled": exact.doubled,
        "misplaced": exact.misplaced,
        "ours": asdict(exact) | {"timed": len(ours.latencies)},
        "native": asdict(native_exact) | {"timed": len(native.latencies)},
        "web_peak_mb": round(peak),
    }


def set_up(home: Workspace) -> tuple[Project, str]:
    """Make the sample project; return it with its lead's session token."""
    with Store(home.database) as store:
        lead, _ = accounts.add_account(store, "bench", Role.LEAD, PASSWORD)
        return ensure_sample(store, lead), accounts.sign_in(store, lead.name, PASSWORD)[1]


def open_native(browser: Any, web: Web) -> Any:
    page = browser.new_context(viewport={"width": 1280, "height": 860}).new_page()
    page.add_init_script(NATIVE_ITEM + WATCH_PRESSES)
    page.goto(web.address)
    page.wait_for_selector(".st-key-native-item")
    page.wait_for_selector("button:has-text('1')", timeout=60_000)
    return page


def stored(home: Workspace, project: Project) -> list[Press]:
    """Return (item, key) of every standing label."""
    with Store(home.database) as store:
        keys = {label.id: label.key for label in store.projects.labels(project.id)}
        answers = store.answers.current(project.id, Split.POOL)
        return [(answer.item, keys[answer.labels[0]]) for answer in answers if answer.kind is Kind.LABEL]
