"""A real Chromium and real web processes for benchmarks and browser tests: start them, see every press, count what became of it.

Needs playwright (requirements-dev.txt) and Chromium. Must not know what is measured.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annot.errors import AnnotError, BadInput
from annot.settings import ROOT, Workspace

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Without the last ones Chromium keeps calling home, which a machine without a network answers with noise.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STARTUP_S = 60.0

# Looks through open shadow roots, where the panel lives.
FIND_ITEM = """
const find = (root) => {
  for (const host of root.querySelectorAll('*')) {
    const found = host.shadowRoot && (host.shadowRoot.querySelector('[data-panel]') || find(host.shadowRoot));
    if (found) return found;
  }
  return null;
};
let panel = null;
const onScreen = () => {
  panel = panel?.isConnected ? panel : find(document);
  return Number(panel?.querySelector('[data-item]')?.dataset.item ?? 0);
};
"""
# What the page sees of each press: the item on screen, the key, when it was, how many presses the panel had ignored before it, and
# the milliseconds until the next text was painted (the first frame that shows another item, and that frame's paint).
# It must listen before the panel does, which lets no press through. `onScreen()` is given by the script before it.
WATCH_PRESSES = """
window.presses = [];
window.ignoredPresses = () => Number(panel?.dataset.ignored ?? 0);
window.addEventListener('keydown', ({ key, repeat, timeStamp }) => {
  const entry = { item: onScreen(), key, at: timeStamp, ignored: ignoredPresses() };
  if (!repeat) presses.push(entry);
  const look = (frames) => {
    if (onScreen() === entry.item) return frames && requestAnimationFrame(() => look(frames - 1));
    const channel = new MessageChannel();
    channel.port1.onmessage = () => { entry.ms = performance.now() - timeStamp; };
    channel.port2.postMessage(0);
  };
  requestAnimationFrame(() => look(120));
}, true);
"""
WATCH = FIND_ITEM + WATCH_PRESSES

Press = tuple[int, str]


def chromium() -> str | None:
    """Return the path of the machine's Chromium."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def launched() -> Iterator[Any]:
    """Yield a running headless browser. Raises BadInput, saying what to install."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise BadInput("This benchmark drives a browser. Install what it needs: make setup-dev.") from None
    path = chromium()
    if path is None:
        raise BadInput("This benchmark needs Chromium: sudo apt-get install chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass
class Web:
    """A Streamlit process that serves ``script`` on a workspace."""

    home: Workspace
    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cpu_seconds(self) -> float:
        """Return user and system time the process has used so far."""
        import psutil

        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def peak_mb(self) -> float:
        """Return the largest resident memory it ever had (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) / 1024


def start_web(home: Workspace, port: int, script: str = "app.py") -> Web:
    """Start and wait until it answers. Raises AnnotError after STARTUP_S."""
    command = ["streamlit", "run", script, "--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true"]
    environment = {**os.environ, "ANNOT_HOME": str(home.home)}
    web = Web(home, port, subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL))
    deadline = time.monotonic() + STARTUP_S
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(f"{web.address}/_stcore/health", timeout=2):
            return web
        time.sleep(0.1)
    web.process.kill()
    raise AnnotError(f"The web process did not answer within {STARTUP_S:.0f} s.")


@contextmanager
def serving(home: Workspace, script: str = "app.py") -> Iterator[Web]:
    web = start_web(home, free_port(), script)
    try:
        yield web
    finally:
        web.process.terminate()
        web.process.wait(30)


def open_label_page(browser: Any, web: Web, token: str) -> Any:
    """Open the Label page in a context of its own, signed in by a session token, and wait for its first text."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.add_cookies([{"name": "annot_session", "value": token, "url": web.address}])
    context.add_init_script(WATCH)
    page = context.new_page()
    page.goto(web.address)
    page.wait_for_selector("[data-item]", timeout=60_000)
    return page


@contextmanager
def running_worker(home: Workspace) -> Iterator[None]:
    worker = subprocess.Popen(
        [sys.executable, "-m", "annot", "worker"], env={**os.environ, "ANNOT_HOME": str(home.home)}, stdout=sys.stderr
    )
    try:
        yield
    finally:
        worker.terminate()
        worker.wait(30)


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of presses: each one not ignored must be one stored answer, for the text that was on screen."""

    pressed: int
    ignored: int
    lost: int
    doubled: int
    misplaced: int


def tally(pressed: Sequence[Press], ignored: int, stored: Sequence[Press]) -> Tally:
    """Compare (item, key) presses with (item, key) answers."""
    meant = set(pressed)
    return Tally(
        pressed=len(pressed),
        ignored=ignored,
        lost=max(0, len(pressed) - ignored - len(stored)),
        doubled=len(stored) - len({item for item, _ in stored}),
        misplaced=sum(entry not in meant for entry in stored),
    )


def percentiles(values: Sequence[float], *, digits: int = 1) -> dict[str, float]:
    """Return p50 and p95 by nearest rank."""
    ordered = sorted(values)
    return {f"p{share}": round(ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))], digits) for share in (50, 95)}
