"""A real Chromium against the real app: `app` starts the web process (and the worker) on a workspace, `open_page` signs in."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from annot.loop import accounts
from annot.records import Role, User
from annot.settings import Workspace
from annot.store import Store

ROOT = Path(__file__).resolve().parents[2]
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
# What the page sees of each press: the item on screen, the key, when it was, how many presses the panel had ignored before it, and
# the milliseconds until the next text was painted (the first frame that shows another item, and that frame's paint).
# It must listen before the panel does, which lets no press through.
WATCH = """
window.presses = [];
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
window.addEventListener('keydown', ({ key, repeat, timeStamp }) => {
  const entry = { item: onScreen(), key, at: timeStamp, ignored: Number(panel?.dataset.ignored ?? 0) };
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
NAMES = ("chromium", "chromium-browser", "google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None and os.environ.get("CI") == "true":
        pytest.fail("no Chromium under CI=true: apt-get install chromium")
    if path is None:
        pytest.skip("no Chromium; to enable the browser tests: sudo apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


@dataclass
class App:
    """A running web process on a workspace of its own, with one lead account."""

    home: Workspace
    port: int
    lead: User
    password: str
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, name: str) -> None:
        web = ["streamlit", "run", "app.py", "--server.port", str(self.port), "--server.address", "127.0.0.1"]
        command = {"web": web, "worker": ["annot", "worker"]}[name]
        environment = {**os.environ, "ANNOT_HOME": str(self.home.home)}
        self.processes[name] = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env=environment)
        if name == "web":
            self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(OSError), urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=2):
                return
            time.sleep(0.1)
        raise AssertionError("the web process did not answer within 60 s")

    def stop(self, name: str, *, kill: bool = False) -> None:
        process = self.processes.pop(name)
        process.kill() if kill else process.terminate()
        process.wait(30)

    def store(self) -> Store:
        return Store(self.home.database)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    home = Workspace(tmp_path / "home")
    with Store(home.database) as store:
        lead, password = accounts.add_account(store, "lead", Role.LEAD)
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = App(home, port, lead, password)
    yield running
    for name in list(running.processes):
        running.stop(name, kill=True)


def sign_in(page: Page, name: str, password: str) -> None:
    page.locator("input[name=name]").fill(name)
    page.locator("input[name=password]").fill(password)
    page.keyboard.press("Enter")


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, app: App) -> Iterator[OpenPage]:
    """Return a function that opens a page of the app signed in as ``who`` (the lead); keyword arguments go to the browser context."""
    contexts = []

    def open_(path: str = "/", *, wait: str = "[data-item]", who: tuple[str, str] | None = None, **options: object) -> Page:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 860}} | options))  # type: ignore[arg-type]
        contexts.append(context)
        context.add_init_script(WATCH)
        page = context.new_page()
        page.goto(app.address + path)
        sign_in(page, *(who or (app.lead.name, app.password)))
        page.wait_for_selector(wait, timeout=30_000)
        return page

    yield open_
    for context in contexts:
        context.close()
