"""Make the pictures of README and the guides from the running app: ``make screenshots``. Needs Chromium; writes docs/img/.

Labels the sample with its gold topics first, so that the pages have something true to show. Two pictures show a text of a shared
data set whose licence allows that (clinc150: CC BY 3.0, goemotions: Apache-2.0); they are left as they are where it is absent.
"""

import csv
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from annot.loop import accounts, labelling, projects
from annot.loop.sample import FOLDER, ensure_sample
from annot.records import Event, Kind, Project, QueueRow, Ranking, Reason, Role, User
from annot.settings import Workspace
from annot.store import Store

from ..conftest import DATASETS
from .conftest import FLAGS, ROOT, App
from .gold import Gold, emotions, intents
from .keyboard import all_saved, on_screen

OUT = ROOT / "docs" / "img"
LABELS = 120
SETTINGS = {"target": 0.9, "hourly_rate": 25.0, "audit_share": 0.2, "run_every": 40}
PORT = 8642


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Workspace(Path(folder))
        with Store(home.database) as store:
            lead, password = accounts.add_account(store, "lead", Role.LEAD)
            others = [accounts.add_account(store, name, Role.ANNOTATOR)[0] for name in ("mira", "tomas")]
            project = projects.change_settings(store, ensure_sample(store, lead), SETTINGS)
            for one in others:
                store.projects.set_member(project.id, one.id, Role.ANNOTATOR)
            app = App(home, PORT, lead, password)
            try:
                app.start("worker")
                label(store, project, [lead, *others])
                app.start("web")
                shoot(app)
            finally:
                stop(app)
    for name, make in {"clinc150": intents, "goemotions": emotions}.items():
        if (DATASETS / name).is_dir():
            shoot_label_set(name, make)


def stop(app: App) -> None:
    for name in list(app.processes):
        app.stop(name)


def label(store: Store, project: Project, people: list[User]) -> None:
    with (FOLDER / "gold.csv").open(encoding="utf-8") as file:
        gold = {row["id"]: row["label"] for row in csv.DictReader(file)}
    ids = {one.name: one.id for one in store.projects.labels(project.id)}
    settle(store, project)
    for n in range(LABELS):
        person = people[n % len(people)]
        (lease,) = labelling.sync(store, project, person, f"shots-{person.id}", events=[], hold=[], want=1).leases
        item = store.items.get(project.id, lease.item)
        assert item is not None
        event = Event(f"shot-{n:06d}", Kind.LABEL, lease.item, (ids[gold[item.external_id]],), lease=lease.id, seconds=3.0 + n % 5)
        labelling.sync(store, project, person, f"shots-{person.id}", events=[event], hold=[], want=0)
        if n % 20 == 0 and n:
            settle(store, project)
    settle(store, project)


def settle(store: Store, project: Project) -> None:
    """Wait until the worker has caught up."""
    while True:
        stamp = store.queue.ranking(project.id)
        if stamp and stamp[1] >= store.answers.newest_event(project.id) and not store.jobs.open(project.id):
            return
        time.sleep(0.1)


def shoot(app: App) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for scheme in ("light", "dark"):
            page = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme).new_page()  # type: ignore[arg-type]
            sign_in(page, app)
            suffix = "" if scheme == "light" else "-dark"
            page.wait_for_selector("[data-item]")
            time.sleep(1.5)
            page.screenshot(path=OUT / f"label{suffix}.png")
            for path in ("data", "settings"):
                page.goto(f"{app.address}/{path}")
                page.wait_for_selector("h1")
                time.sleep(4)
                page.screenshot(path=OUT / f"{path}{suffix}.png")
            shoot_lead(page, app, suffix)
        browser.close()


def shoot_lead(page: Page, app: App, suffix: str) -> None:
    """Take the top of the Lead page, and what holds the model back with the examples of the most frequent mistake."""
    page.goto(f"{app.address}/lead")
    end = page.get_by_role("heading", name="Take it with you")
    end.wait_for(timeout=30_000)
    page.set_viewport_size({"width": 1280, "height": 3600})  # so that nothing is left to scroll, and a part can be cut out
    time.sleep(4)
    page.mouse.move(5, 5)
    places = {}
    for name in ("Label by label", "What holds us back", "Runs"):
        if name == "Runs":
            page.locator(".stColumn details > summary").first.click()
            time.sleep(1)
        places[name] = (page.get_by_role("heading", name=name, exact=True).bounding_box() or {})["y"]
    whole = {"x": 0.0, "width": 1280.0}
    page.screenshot(path=OUT / f"lead{suffix}.png", clip={**whole, "y": 0.0, "height": places["Label by label"] - 16})
    held = {"y": places["What holds us back"] - 16, "height": places["Runs"] - places["What holds us back"]}
    page.screenshot(path=OUT / f"lead-held-back{suffix}.png", clip={**whole, **held})
    page.set_viewport_size({"width": 1280, "height": 800})


def shoot_label_set(name: str, make: Callable[[Store, User, Path, int], Gold]) -> None:
    """Label a little by keyboard, and take the picture with half an answer given."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Workspace(Path(folder))
        with Store(home.database) as store:
            lead, password = accounts.add_account(store, "lead", Role.LEAD)
            gold = make(store, lead, DATASETS / name, 75)
            shown = ask_first(store, gold)
        app = App(home, PORT, lead, password)
        app.start("web")
        try:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            page = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light").new_page()
            sign_in(page, app)
            item: int | str = ""
            while (item := on_screen(page, item)[0]) != shown:
                answer(page, gold, item)
            answer(page, gold, item, whole=False)
            all_saved(page)
            time.sleep(1.5)
            page.screenshot(path=OUT / f"label-{name}.png")
            browser.close()
        finally:
            stop(app)


def ask_first(store: Store, gold: Gold) -> int:
    """Ask for four texts and then for the one that is shown, a harmless one; return its item."""
    texts = {item: one.text for item in gold.of if (one := store.items.get(gold.project.id, item))}
    shown = next((item for item, text in texts.items() if "safe travels" in text), list(texts)[12])
    order = [*[item for item in texts if item != shown][:4], shown]
    rows = [QueueRow(item, Reason.RANDOM) for item in order]
    store.queue.rewrite(gold.project.id, rows, Ranking(0, 0, 0, "x", 0.0, 0.0), 0)
    return shown


def answer(page: Page, gold: Gold, item: int, *, whole: bool = True) -> None:
    """Press what the data set says; without ``whole`` all but the key that ends the answer."""
    chosen = [gold.labels[name] for name in sorted(gold.of[item])]
    steps = [label.parent for label in chosen if label.parent] + [label.id for label in chosen]
    keys = [f".labels [data-label='{label}']" for label in steps]
    if not gold.project.exclusive:
        keys.append(".submit")
    for selector in keys if whole else keys[:-1]:
        time.sleep(0.8)  # about as fast as a person
        page.keyboard.press(page.locator(selector).get_attribute("aria-keyshortcuts") or "")


def sign_in(page: Page, app: App) -> None:
    page.goto(app.address)
    page.locator("input[name=name]").fill("lead")
    page.locator("input[name=password]").fill(app.password)
    page.keyboard.press("Enter")


if __name__ == "__main__":
    main()
