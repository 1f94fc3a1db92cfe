"""A project as it is after months: annotations of every kind by several people, runs, estimates, jobs and a report. Made up, but written
through the store's own verbs, so that every row is there that real work would have left.

Must not know what is measured. No text is encoded and no model is fitted: the figures in estimates and report mean nothing.
"""

import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from annot import formats, frozen
from annot.bench._crowd import Crowd, gather
from annot.loop import importing
from annot.loop.report.record import Confused, Curve, Drifted, HeldBack, LabelRow, Memory, Milestone, Report
from annot.loop.report.shadow import Point, Saved, Shadow
from annot.quality import Interval
from annot.quality.calibration import Bin, Calibration
from annot.quality.diagnosis import Scarce, SkipRate, Skips
from annot.quality.effort import Effort
from annot.quality.forecast import Ahead, Forecast, Outcome, Range, Trend
from annot.quality.stopping import Kind as Says
from annot.quality.stopping import Verdict
from annot.quality.votes import Says as Vote
from annot.quality.votes import Vote as Voice
from annot.records import Check, Estimate, Event, JobState, Kind, Lease, QueueRow, Ranking, Reason, RunState, Split, User
from annot.settings import Workspace
from annot.store import Store
from annot.store.reports import Stored

PEOPLE, TEST = 5, 1_000
DAYS, DAY_S = 60, 86_400.0
QUEUE, RUN_EVERY = 1_000, 20
# Of each hundred items: why they were asked, and what people did with them.
REASONS = (*[Reason.UNCERTAIN] * 85, *[Reason.AUDIT] * 10, *[Reason.DIVERSE] * 5)
KINDS = (*["label"] * 92, *["skip"] * 3, *["flag"] * 1, *["undo"] * 2, *["change"] * 2)


@dataclass(frozen=True, slots=True)
class Aged:
    """The project and its lead's password; people gave so many ``annotations`` (events of any kind)."""

    crowd: Crowd
    annotations: int


def age(home: Workspace, items: int, annotations: int) -> Aged:
    crowd = gather(home, items, PEOPLE)
    with Store(home.database) as store:
        tests = home.home / "test.csv"
        tests.write_text("text\n" + "".join(f"Test message {n}\n" for n in range(TEST)), "utf-8")
        importing.import_file(store, crowd.project, tests, formats.Mapping(text="text"), split=Split.TEST)
        work = Work(store, crowd, random.Random(1), time.time() - DAYS * DAY_S, DAYS * DAY_S / max(1, annotations))
        work.label(annotations)
        work.train(annotations)
        report = make_report(crowd, annotations)
        memory = Memory(tuple(crowd.items[:500]), tuple(crowd.labels), tuple((n, tuple(crowd.labels[:1] * 500)) for n in range(1, 9)))
        stored = Stored(report.labels, annotations // RUN_EVERY, report.at, frozen.freeze(report), frozen.freeze(memory))
        store.reports.replace(crowd.project.id, stored)
    return Aged(crowd, annotations)


@dataclass
class Work:
    """Months of work, ``step`` seconds between two annotations, begun at ``start``."""

    store: Store
    crowd: Crowd
    rng: random.Random
    start: float
    step: float
    given: int = 0

    @property
    def now(self) -> float:
        return self.start + self.step * self.given

    def label(self, annotations: int) -> None:
        """Let people take what is ranked and answer it until there are so many events."""
        free = iter(self.rng.sample(self.crowd.items, len(self.crowd.items)))
        while self.given < annotations:
            chosen = list(islice(free, QUEUE))
            with self.store.unit():
                self.rank(chosen)
                for person in self.crowd.people:
                    want = len(chosen) // PEOPLE
                    leases, _ = self.store.queue.hold(
                        self.crowd.project.id, person.id, "tab", [], want=want, seconds=1800.0, overlap=1, now=self.now
                    )
                    self.answer(person, leases, annotations)
        with self.store.unit():
            self.rank(list(islice(free, QUEUE)))

    def rank(self, items: list[int]) -> None:
        project = self.crowd.project.id
        rows = [QueueRow(item, self.rng.choice(REASONS), 0.5, None, ((self.crowd.labels[0], 0.6),)) for item in items]
        stamp = Ranking(0, self.given // RUN_EVERY, self.store.answers.labels(project), "breaking_ties", 0.4, self.now)
        self.store.queue.rewrite(project, rows, stamp, self.store.answers.newest_event(project))

    def answer(self, person: User, leases: list[Lease], most: int) -> None:
        for lease in leases:
            for event in islice(self.events(lease), most - self.given):
                (why,) = self.store.answers.record(self.crowd.project.id, person.id, [event], self.now)
                assert why is None, why
                self.given += 1

    def events(self, lease: Lease) -> Iterator[Event]:
        """Yield what a person does with one item: an answer, and now and then a flag, an undo or another answer."""
        does, uid = self.rng.choice(KINDS), f"aged-{lease.id}"
        chosen = (self.rng.choice(self.crowd.labels),)
        if does == "skip":
            yield Event(uid, Kind.SKIP, lease.item, lease=lease.id, seconds=4.0)
            return
        if does == "flag":
            yield Event(f"{uid}-flag", Kind.FLAG, lease.item, lease=lease.id, note="two topics in one text")
        yield Event(uid, Kind.LABEL, lease.item, chosen, lease=lease.id, seconds=5.0, suggestion="off")
        if does == "undo":
            yield Event(f"{uid}-undo", Kind.UNDO, lease.item, target=uid)
        if does == "change":
            yield Event(f"{uid}-change", Kind.LABEL, lease.item, (self.rng.choice(self.crowd.labels),), lease=lease.id, seconds=3.0)

    def train(self, annotations: int) -> None:
        """Leave what ranker and worker would have: an estimate of each series after each label, a run, a job and a check now and then."""
        project, model = self.crowd.project.id, 0
        with self.store.unit():
            for labels in range(1, annotations + 1):
                at = self.start + self.step * labels
                if labels % RUN_EVERY == 0:
                    model = self.run(labels, model, at)
                value = 0.9 - 0.5 * labels**-0.5
                found = [
                    Estimate(labels, source, metric, value, value - 0.03, value + 0.03, 100, model, at)
                    for source in ("test", "audit")
                    for metric in ("accuracy", "macro_f1")
                ]
                self.store.runs.note(project, found)
            self.store.runs.note_check(project, Check("ust", 400, 0.01, 0.004, 300, annotations, model, model > 0, self.now))
            self.store.jobs.hold_worker("bench", 1, time.time(), 1.0)

    def run(self, labels: int, model: int, at: float) -> int:
        """Leave a run with its job; return the number of the model that is published then. Every other run is not."""
        project, runs = self.crowd.project.id, self.store.runs
        self.store.jobs.ask(project, "run", at)
        job = self.store.jobs.take(at, ["run"])
        assert job is not None
        made = runs.start(project, labels, at)
        published = made.number % 2 == 1
        card = card_of(made.number, labels, len(self.crowd.labels))
        runs.finish(made.id, RunState.PUBLISHED if published else RunState.REJECTED, at, card)
        self.store.jobs.finish(job.id, JobState.DONE, at)
        return made.number if published else model


def card_of(number: int, labels: int, classes: int) -> dict[str, object]:
    """Return a card as long as a run writes it."""
    gate = {"value": 0.91, "low": 0.88, "high": 0.93, "n": labels}
    recipe = {"objective": "contrastive", "steps": 40, "seed": 1, "tuning": "full", "layer_decay": 1.0, "balance": "batches", "patience": 0,
              "rate": 5e-5, "batch": 32, "temperature": 0.1, "max_tokens": 128, "frozen": 0.5}  # fmt: skip
    return {
        "project": "crowd",
        "run": number,
        "folder": f"run-{number}",
        "encoder": {"base": "all-minilm-l6-v2", "base_key": "0" * 64, "key": "1" * 64, "dimensions": 384},
        "labels_spent": labels,
        "training_labels": labels,
        "labels_per_class": {f"label{n}": labels // classes for n in range(classes)},
        "recipe": recipe,
        "gate": {
            "note": "Decides publication only; rests partly on labels the model chose, so it is not an estimate of quality.",
            "present": gate, "candidate": gate, "difference": 0.002, "standard_error": 0.004, "audit_labels": labels // 10, "passed": True,
        },
        "self_training": {"method": "ust", "pseudo_labels": 400},
        "versions": {"annot": "0.1.0", "torch": "2.13.0", "transformers": "5.23.0", "numpy": "2.4.6"},
        "seconds": 40.0,
    }  # fmt: skip


def make_report(crowd: Crowd, labels: int) -> Report:
    """Return a report as large as one of so many labels is: every list in it is as long as ``loop.report`` lets it grow."""
    share = Interval(0.9, 0.87, 0.92, labels // 10)
    rows = tuple(LabelRow(one, f"Label {place}", labels // 8, 100_000, share, share, share) for place, one in enumerate(crowd.labels, 1))
    counts = [max(1, round(labels * (at + 1) / 150)) for at in range(150)]
    ahead = tuple(Ahead(labels + n * labels // 20, Range(0.89, 0.9, 0.91)) for n in range(60))
    f1 = tuple((one, 0.9, 0.87, 0.92) for one in crowd.labels)
    votes = tuple(Voice(f"{n}", Vote.GO_ON, "why") for n in range(7))
    return Report(
        labels=max(0, labels - 30),
        at=time.time(),
        model=labels // RUN_EVERY,
        source="test",
        metric="accuracy",
        target=0.95,
        released=200,
        audit=labels // 10,
        curve=tuple(Curve(n, n / 400, 0.9, 0.87, 0.92, 100, n // RUN_EVERY) for n in counts),
        per_label=rows,
        history=tuple(Milestone(n, n / 400, 1, f1) for n in counts[-40:]),
        effort=Effort(labels, labels / 400, 5.0, 400.0, labels / DAYS, PEOPLE),
        forecast=Forecast(0.95, 4 * labels, Outcome.NEVER, "not reachable", "", ahead, Range(0.9, 0.91, 0.92),
                          Range(math.inf, math.inf, math.inf), (("power law", 1.0),), Trend(100, 0.01)),
        shadow=Shadow(tuple(Point(n, 0.8, 0.78, 0.82) for n in counts[::3]), None, Saved(30_000, 25_000, 40_000), True, "20,000 did more."),
        verdict=Verdict(Says.OUT_OF_REACH, "It levels off.", ("More labels of one.",), votes),
        held_back=make_held_back(crowd, labels, share),
        seconds=7.0,
    )  # fmt: skip


def make_held_back(crowd: Crowd, labels: int, share: Interval) -> HeldBack:
    texts = tuple((one, f"The text of item {one}, which is as long as some of them are.") for one in crowd.items[:5])
    bins = tuple(Bin(n / 10, n / 10 + 0.1, n / 10 + 0.05, share) for n in range(10))
    return HeldBack(
        confusion=tuple(Confused(f"Label 1 for label {n}", texts) for n in range(2, 12)),
        judged=labels // 10,
        scarce=(("Label 8: 3 of at least 10 answers", Scarce(crowd.labels[-1], 3, 10, 7)),),
        skips=Skips(share, tuple(SkipRate(one, share, tuple(crowd.items[:75])) for one in crowd.labels)),
        skip_words=("Label 1 is passed over more often than others",),
        drift=(Drifted("The newest texts differ", True, texts),),
        calibration=Calibration(bins, share, share, share),
        calibration_words="no over- or underconfidence found",
    )
