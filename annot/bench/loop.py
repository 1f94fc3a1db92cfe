"""The whole loop without a browser: the real store, worker and ranker, with a data set's gold labels as the annotator.

Labels go in one by one through the same use case the panel's route calls. At every multiple of ``run_every`` labels the annotator
waits for the run to be judged, so that the figures do not depend on how fast this machine trains (``--no-wait`` labels on).
"""

import argparse
import csv
import gzip
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from annot import formats
from annot.bench import _command as command
from annot.bench._browser import running_worker
from annot.errors import AnnotError, BadInput
from annot.loop import accounts, importing, labelling, projects, training
from annot.records import Event, JobState, Kind, Label, Project, Role, Split, User
from annot.settings import ProjectSettings, Workspace
from annot.store import Store

TIMEOUT_S = 3600.0
POLL_S = 0.005


def main(arguments: list[str]) -> int:
    parser = command.parser("loop", __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train.csv.gz and test.csv.gz (text,label)")
    parser.add_argument("--labels", type=int, default=130)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=JSON", help="a project setting, e.g. run_every=0")
    parser.add_argument("--no-wait", action="store_true", help="do not wait for runs while labelling")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="annot-bench-") as folder:
        result = Loop(Workspace(Path(folder)), options).run()
    return command.report(result, options)


@dataclass
class Loop:
    """One project driven from import to the last published run."""

    home: Workspace
    options: argparse.Namespace

    def run(self) -> dict[str, object]:
        started = time.perf_counter()
        with Store(self.home.database) as store:
            user, project, gold = self._set_up(store)
            with running_worker(self.home):
                self._wait(
                    store, project, "the texts to be encoded", lambda: self._idle(store, project) and store.queue.ranking(project.id)
                )
                encoded_s = time.perf_counter() - started
                rerank = self._label(store, project, user, gold)
                self._wait(store, project, "the last run", lambda: self._idle(store, project))
                self._settle(store, project)
            return self._report(store, project, rerank, encoded_s)

    def _set_up(self, store: Store) -> tuple[User, Project, dict[str, int]]:
        train, test = (self.options.data / f"{part}.csv.gz" for part in ("train", "test"))
        if not train.is_file() or not test.is_file():
            raise BadInput(f"{self.options.data} must hold train.csv.gz and test.csv.gz (see ../shared/datasets/README.md).")
        with gzip.open(train, "rt", encoding="utf-8", newline="") as rows:
            gold_by_text = {row["text"]: row["label"] for row in csv.DictReader(rows)}
        user, _ = accounts.add_account(store, "bench", Role.LEAD)
        project = projects.create_project(store, self.options.data.name, user)
        labels = projects.set_label_set(store, project, [Label(0, name, name) for name in sorted(set(gold_by_text.values()))])
        chosen = {"seed": self.options.seed} | {key: json.loads(value) for key, value in (one.split("=", 1) for one in self.options.set)}
        project = projects.change_settings(store, project, chosen)
        importing.import_file(store, project, train, formats.Mapping(text="text"))
        importing.import_file(store, project, test, formats.Mapping(text="text", label="label"), split=Split.TEST)
        ids = {label.name: label.id for label in labels}
        return user, project, {text: ids[name] for text, name in gold_by_text.items()}

    def _label(self, store: Store, project: Project, user: User, gold: dict[str, int]) -> list[float]:
        """Label one by one, each time waiting for the queue that knows of it; return the seconds from durable label to queue."""
        every = ProjectSettings.parse(project.settings).run_every
        seconds = []
        for n in range(1, self.options.labels + 1):
            (lease,) = labelling.sync(store, project, user, "bench", events=[], hold=[], want=1).leases
            event = Event(f"bench-{n:08d}", Kind.LABEL, lease.item, (gold[lease.text],), lease=lease.id, seconds=0.0)
            labelling.sync(store, project, user, "bench", events=[event], hold=[], want=0)
            durable = time.perf_counter()
            self._wait(store, project, "the queue", lambda: self._known(store, project))
            seconds.append(time.perf_counter() - durable)
            if every and n % every == 0 and not self.options.no_wait:
                self._run(store, project, n)
        return seconds

    def _run(self, store: Store, project: Project, labels: int) -> None:
        """Wait until the run that is due has been judged and, if published, has ranked the queue."""
        self._wait(store, project, "the run to start", lambda: not training.run_is_due(store, project, labels))
        self._wait(store, project, "the run", lambda: self._idle(store, project))
        self._settle(store, project)

    def _known(self, store: Store, project: Project) -> bool:
        """Tell whether the queue knows of every event."""
        stamp = store.queue.ranking(project.id)
        return stamp is not None and stamp[1] >= store.answers.newest_event(project.id)

    def _idle(self, store: Store, project: Project) -> bool:
        return not store.jobs.open(project.id)

    def _settle(self, store: Store, project: Project) -> None:
        """Wait until the ranker has taken up a newly published encoder."""
        run = store.projects.get(project.id).published_run
        number = store.runs.get(run).number if run else 0

        def ranked_by_it() -> bool:
            stamp = store.queue.ranking(project.id)
            return stamp is not None and stamp[0].model == number

        self._wait(store, project, "the new model's ranking", ranked_by_it)

    def _wait(self, store: Store, project: Project, what: str, ready: Callable[[], object]) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not ready():
            if failed := [job for job in store.jobs.newest(project.id) if job.state is JobState.FAILED]:
                raise AnnotError(f"A {failed[0].kind} job failed: {failed[0].error}")
            if time.monotonic() > deadline:
                raise AnnotError(f"Waited {TIMEOUT_S:.0f} s for {what}.")
            time.sleep(POLL_S)

    def _report(self, store: Store, project: Project, rerank: list[float], encoded_s: float) -> dict[str, object]:
        points = [point for point in store.runs.estimates(project.id, "test") if point.metric == "accuracy"]
        by_labels = {point.labels: point.value for point in points}
        first, last = min(by_labels, default=0), max(by_labels, default=0)
        shown = sorted({labels for labels in by_labels if labels % 10 == 0} | {first, last})
        ordered = sorted(rerank)
        runs = [
            {"labels": run.labels, "state": run.state, "seconds": run.card.get("seconds"), "gate": run.card.get("gate")}
            for run in store.runs.of_project(project.id)
        ]
        return {
            "data": self.options.data.name,
            "labels": self.options.labels,
            "seed": self.options.seed,
            "settings": ProjectSettings.parse(store.projects.get(project.id).settings).as_dict(),
            "accuracy": [[labels, round(by_labels[labels], 4)] for labels in shown],
            "rerank_s": {"p50": round(ordered[len(ordered) // 2], 4), "p95": round(ordered[int(len(ordered) * 0.95)], 4)},
            "encode_s": round(encoded_s, 1),
            "runs": runs,
        }
