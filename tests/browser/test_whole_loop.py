"""The whole loop as a person meets it: sign in, label by keyboard while a run trains, see the curve rise, export what was said."""

import csv
import gzip
import io
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from annot import formats
from annot.loop import exporting, importing, projects
from annot.loop.sample import FOLDER, ensure_sample
from annot.records import Estimate, JobState, Kind, Label, Project, RunState, Split
from annot.store import Store

from .conftest import ROOT, App, OpenPage

AG_NEWS = ROOT.parent / "shared" / "datasets" / "ag_news"


# So much of ag_news: enough that a run outlasts the labels given beside it. `bench loop` takes all 13,638 and 7,600.
POOL, TEST = 1_500, 500


def first_rows(name: str, count: int, folder: Path) -> Path:
    """Write the header and the first rows of a file of ag_news."""
    with gzip.open(AG_NEWS / name, "rt", encoding="utf-8", newline="") as file, (folder / name.removesuffix(".gz")).open("w") as out:
        writer = csv.writer(out)
        for _, row in zip(range(count + 1), csv.reader(file), strict=False):
            writer.writerow(row)
    return folder / name.removesuffix(".gz")


def wait_for(what: str, ready: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.1)


def label_by_keyboard(page: Page, key_of: Callable[[str], str], n: int, pause: float = 0.0) -> list[tuple[int, str]]:
    """Press the right key for n texts, each once it is on screen; return (item on screen, key pressed)."""
    pressed: list[tuple[int, str]] = []
    for _ in range(n):
        last = str(pressed[-1][0]) if pressed else ""
        page.wait_for_selector(f"[data-item]:not([data-item='{last}']):not([data-item=''])", timeout=20_000)
        # The panel takes no press for a text that was inserted but not painted yet; a person cannot press that early.
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))")
        reading = page.locator("[data-item]")
        item, text = int(reading.get_attribute("data-item") or 0), reading.text_content() or ""
        page.keyboard.press(key_of(text))
        pressed.append((item, key_of(text)))
        time.sleep(pause)
    page.wait_for_selector("[data-state='saved']", timeout=20_000)
    assert page.locator("[data-panel]").get_attribute("data-ignored") in (None, "0")
    return pressed


def said(store: Store, project: Project) -> list[tuple[int, str]]:
    keys = {label.id: label.key for label in store.projects.labels(project.id)}
    events = [answer for answer in store.answers.current(project.id, Split.POOL) if answer.kind is Kind.LABEL]
    return [(answer.item, keys[answer.labels[0]]) for answer in events]


def measured(store: Store, project: Project) -> list[Estimate]:
    return [point for point in store.runs.estimates(project.id, "test") if point.metric == "accuracy"]


def exported(store: Store, project: Project, path: Path) -> list[tuple[str, str]]:
    formats.write("csv", path, exporting.export_rows(store, project), columns=exporting.COLUMNS)
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["labels"]) for row in csv.DictReader(file)]


def sample_keys() -> dict[str, str]:
    keys = {"delivery": "1", "returns": "2", "billing": "3", "account": "4", "product": "5", "damaged": "6", "app": "7", "cancel": "8"}
    with (FOLDER / "gold.csv").open(encoding="utf-8") as gold, (FOLDER / "messages.csv").open(encoding="utf-8") as messages:
        labels = {row["id"]: row["label"] for row in csv.DictReader(gold)}
        return {row["text"]: keys[labels[row["id"]]] for row in csv.DictReader(messages)}


def test_each_press_on_the_sample_is_one_event_on_the_text_on_screen(app: App, open_page: OpenPage, tmp_path: Path) -> None:
    with app.store() as store:
        project = ensure_sample(store, app.lead)
    app.start("web")
    page = open_page()
    keys = sample_keys()
    pressed = label_by_keyboard(page, keys.__getitem__, 25)
    with app.store() as store:
        assert said(store, project) == pressed
        assert len(exported(store, project, tmp_path / "out.csv")) == 25


@pytest.mark.slow
@pytest.mark.timeout(800)
def test_sixty_labels_on_real_news_while_a_run_trains_and_is_published(app: App, open_page: OpenPage, tmp_path: Path) -> None:
    if not AG_NEWS.is_dir():
        pytest.skip(f"the data set ag_news is not at {AG_NEWS}")
    with gzip.open(AG_NEWS / "train.csv.gz", "rt", encoding="utf-8", newline="") as file:
        gold = {row["text"]: row["label"] for row in csv.DictReader(file)}
    with app.store() as store:
        project = projects.create_project(store, "news", app.lead)
        labels = projects.set_label_set(store, project, [Label(0, name, name) for name in sorted(set(gold.values()))])
        # What is tested is that publishing happens meanwhile, not how good it gets; self-training would triple the run.
        project = projects.change_settings(store, project, {"run_steps": 40, "self_training": "none"})
        importing.import_file(store, project, first_rows("train.csv.gz", POOL, tmp_path), formats.Mapping(text="text"))
        test = first_rows("test.csv.gz", TEST, tmp_path)
        importing.import_file(store, project, test, formats.Mapping(text="text", label="label"), split=Split.TEST)
        assert (store.items.count(project.id, Split.POOL), store.items.count(project.id, Split.TEST)) == (POOL, TEST)
    keys = {label.name: label.key for label in labels}
    app.start("web")
    app.start("worker")
    store = app.store()
    wait_for("the texts to be encoded", lambda: store.queue.ranking(project.id) and not store.jobs.open(project.id), 400)
    page = open_page()
    pressed = label_by_keyboard(page, lambda text: keys[gold[text]], 22, pause=0.4)
    wait_for("the run to train", lambda: any(job.kind == "run" and job.done > 0 for job in store.jobs.running()), 60)
    first = len(page.evaluate("presses"))
    pressed += label_by_keyboard(page, lambda text: keys[gold[text]], 38, pause=0.4)
    latencies = sorted(entry["ms"] for entry in page.evaluate("presses")[first:] if "ms" in entry)
    assert len(latencies) >= 30
    assert any(job.kind == "run" for job in store.jobs.running()), "the run ended before the labels did; nothing was measured beside it"
    assert said(store, project) == pressed
    assert len({item for item, _ in pressed}) == 60
    print(f"press to next text painted while a run trains: p95 {latencies[int(len(latencies) * 0.95)]:.1f} ms of {len(latencies)}")

    wait_for("the run to be judged", lambda: (run := store.runs.newest(project.id)) and run.state is not RunState.RUNNING, 400)
    run = store.runs.newest(project.id)
    assert run is not None
    assert run.state is RunState.PUBLISHED, f"{run.state}: {run.error or run.card.get('gate')}"
    wait_for("the new model's ranking", lambda: (stamp := store.queue.ranking(project.id)) and stamp[0].model == 1, 60)
    wait_for("its estimate, which follows the ranking", lambda: measured(store, project)[-1].model == 1, 60)
    curve = measured(store, project)
    assert curve[-1].value > curve[0].value + 0.1, f"{curve[0].value:.3f} to {curve[-1].value:.3f}"
    assert [row for row in exported(store, project, tmp_path / "out.csv") if gold[row[0]] not in row[1]] == []
    assert [job for job in store.jobs.newest(project.id) if job.state is JobState.FAILED] == []
    store.close()

    page.goto(app.address + "/lead")
    page.get_by_text(f"{curve[-1].value:.1%}").first.wait_for(timeout=20_000)
    page.get_by_text("model 1").first.wait_for(timeout=20_000)
    page.wait_for_selector("canvas, svg.marks", timeout=20_000)
    assert io.BytesIO(page.screenshot()).getbuffer().nbytes > 10_000
