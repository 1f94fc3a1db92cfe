"""Many people at once on two cores: 25 browsers at one label a second, then 100 API clients beside 5 browsers.

No baseline in the run: docs/decisions.md says what native buttons did. Must not measure in the process that presses the keys: each
page times its own presses.
"""

import argparse
import csv
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from annot import formats
from annot.bench import _command as command
from annot.bench._browser import Press, launched, open_label_page, percentiles, running_worker, serving, tally
from annot.bench._client import AWAY, Client, answer
from annot.loop import accounts, importing, projects
from annot.records import Kind, Label, Project, Role, Split
from annot.settings import Workspace
from annot.store import Store

PASSWORD = "only for this benchmark"
LABELS = 8


def main(arguments: list[str]) -> int:
    parser = command.parser("sessions", __doc__)
    parser.add_argument("--seconds", type=int, default=60, help="how long each of the two parts lasts")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--worker", action="store_true", help="let the worker encode and re-rank meanwhile")
    options = parser.parse_args(arguments)
    result: dict[str, object] = {}
    for name, browsers, clients in (("browsers_25", 25, 0), ("browsers_5_clients_100", 5, 100)):
        with tempfile.TemporaryDirectory(prefix="annot-bench-") as folder:
            result[name] = Part(Workspace(Path(folder)), browsers, clients, options).measure()
    return command.report(result, options)


@dataclass
class Part:
    """So many people on one project for a while, each at one label a second."""

    home: Workspace
    browsers: int
    clients: int
    options: argparse.Namespace
    tokens: list[str] = field(default_factory=list)

    def measure(self) -> dict[str, object]:
        project = self.set_up()
        with running_worker(self.home) if self.options.worker else nullcontext(), serving(self.home) as web:
            if self.options.worker:
                self.wait_for_ranking(project)
            with launched() as browser, ProcessPoolExecutor(1, get_context("spawn")) as apart:
                pages = [open_label_page(browser, web, token) for token in self.tokens[: self.browsers]]
                before = web.cpu_seconds()
                far = apart.submit(label_by_api, web.port, project.id, self.tokens[self.browsers :], self.options.seconds)
                self.press(pages)
                answered, errors, milliseconds = far.result()
                cpu = web.cpu_seconds() - before
                for page in pages:
                    page.wait_for_selector("[data-state='saved']", timeout=30_000)
                entries = [entry for page in pages for entry in page.evaluate("presses")]
                ignored = sum(int(page.evaluate("ignoredPresses()")) for page in pages)
                peak = web.peak_mb()
        by_person = self.stored(project)
        by_browsers = [press for name, found in by_person.items() if int(name) < self.browsers for press in found]
        exact = tally([(entry["item"], entry["key"]) for entry in entries], ignored, by_browsers)
        people = Counter(item for found in by_person.values() for item, _ in found)
        labels = sum(people.values())
        return {
            "next_text_ms": percentiles([entry["ms"] for entry in entries if "ms" in entry]),
            "presses": exact.pressed,
            "ignored": exact.ignored,
            "lost": exact.lost,
            "doubled": exact.doubled,
            "misplaced": exact.misplaced,
            "api_labels": answered,
            "api_lost": answered - (labels - len(by_browsers)),
            "api_ms": percentiles(milliseconds) if milliseconds else None,
            "errors": errors,
            "shared_items": sum(n > 1 for n in people.values()),
            "cpu_ms_per_label": round(1000 * cpu / max(1, labels), 2),
            "web_peak_mb": round(peak),
        }

    def set_up(self) -> Project:
        with Store(self.home.database) as store:
            lead, _ = accounts.add_account(store, "lead", Role.LEAD, PASSWORD)
            project = projects.create_project(store, "sessions", lead)
            projects.set_label_set(store, project, [Label(0, f"label{n}", f"Label {n}", key=str(n)) for n in range(1, LABELS + 1)])
            texts = self.home.home / "texts.csv"
            with texts.open("w", encoding="utf-8", newline="") as file:
                rows = csv.writer(file)
                rows.writerow(["text"])
                rows.writerows(
                    [f"Message {n}: the parcel of order {n * 7919 % 100_003} has not come, what now?"] for n in range(self.options.items)
                )
            importing.import_file(store, project, texts, formats.Mapping(text="text"))
            for n in range(self.browsers + self.clients):
                user, _ = accounts.add_account(store, str(n), Role.ANNOTATOR, PASSWORD)
                store.projects.set_member(project.id, user.id, Role.ANNOTATOR)
                self.tokens.append(accounts.sign_in(store, str(n), PASSWORD)[1])
        return project

    def wait_for_ranking(self, project: Project) -> None:
        with Store(self.home.database) as store:
            while store.queue.ranking(project.id) is None or store.jobs.open(project.id):
                time.sleep(0.1)

    def press(self, pages: list[Any]) -> None:
        """Press one key a second on every page, the pages taking turns."""
        start = time.monotonic()
        for turn in range(self.options.seconds):
            for place, page in enumerate(pages):
                time.sleep(max(0.0, start + turn + place / len(pages) - time.monotonic()))
                page.keyboard.press(str((turn + place) % LABELS + 1))

    def stored(self, project: Project) -> dict[str, list[Press]]:
        """Return each person's standing labels as (item, key)."""
        with Store(self.home.database) as store:
            keys = {label.id: label.key for label in store.projects.labels(project.id)}
            found: dict[str, list[Press]] = {str(n): [] for n in range(self.browsers + self.clients)}
            for answer in store.answers.current(project.id, Split.POOL):
                if answer.kind is Kind.LABEL:
                    found[answer.user].append((answer.item, keys[answer.labels[0]]))
        return found


def label_by_api(port: int, project: int, tokens: list[str], seconds: int) -> tuple[int, int, list[float]]:
    """Label once a second with each token for so long; return (labels acknowledged, errors, milliseconds of each request)."""
    outcomes: list[tuple[bool, float]] = []

    def client(number: int, token: str) -> None:
        labelling = Client(port, project, token, f"client-{number}")
        start = time.monotonic() + number / len(tokens)
        event = None
        for turn in range(seconds):
            time.sleep(max(0.0, start + turn - time.monotonic()))
            began = time.perf_counter()
            try:
                reply = labelling.sync([event] if event else [])
                good = event is None or reply["saved"] == [event["uid"]]
                event = answer(reply["items"][0], number % LABELS + 1)
            except (*AWAY, ValueError, LookupError):
                good, event = False, None
            if turn:
                outcomes.append((good, 1000 * (time.perf_counter() - began)))

    threads = [threading.Thread(target=client, args=pair) for pair in enumerate(tokens)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(good for good, _ in outcomes), sum(not good for good, _ in outcomes), [ms for _, ms in outcomes]
