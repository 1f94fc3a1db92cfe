"""A project that three people labelled with what a shared data set says, asked in the order the ranker asked in: for tests and pictures
of what the lead sees. No browser and no worker takes part; its report is made as the worker's job would make it."""

import csv
import gzip
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path

from annot import encoders
from annot.loop import accounts, labelling, projects
from annot.loop.encoding import encode_project
from annot.loop.ranking import Ranker
from annot.loop.report.making import report_project
from annot.records import Event, Kind, Label, Project, Role, User
from annot.settings import ProjectSettings, Workspace
from annot.store import Store

from .conftest import add_items

PEOPLE = ("lead", "mira", "tomas")


@dataclass(frozen=True)
class Crowd:
    """A project, its people (the lead first) and the right label of each text; ``given`` labels so far. The ranker looks after every
    ``ranked``-th label, a report is made after every ``reported``-th and after the last."""

    home: Workspace
    project: Project
    people: tuple[User, ...]
    gold: Mapping[str, int]
    ranked: int = 6
    reported: int = 100
    given: int = 0

    def label(self, store: Store, labels: int) -> "Crowd":
        """Let the people give so many labels more in turn, the last of them skipping now and then; return the crowd thereafter."""
        ranker, dice, given = Ranker(self.home, self.project.id), random.Random(self.given), self.given
        for person in cycle(self.people):
            if given == self.given + labels:
                break
            if given % self.ranked == 0:
                ranker.refresh(store)
            given += self._answer(store, person, skip=person.name == PEOPLE[-1] and dice.random() < 0.1, seconds=dice.uniform(2, 9))
            if given % self.reported == 0:
                ranker.refresh(store)
                report_project(self.home, store, self.project, lambda *_: None)
        ranker.refresh(store)
        assert report_project(self.home, store, self.project, lambda *_: None)
        return replace(self, given=given)

    def _answer(self, store: Store, person: User, *, skip: bool, seconds: float) -> bool:
        tab = f"tab-{person.id}"
        (lease,) = labelling.sync(store, self.project, person, tab, events=[], hold=[], want=1).leases
        kind, said = (Kind.SKIP, ()) if skip else (Kind.LABEL, (self.gold[lease.text],))
        event = Event(f"crowd-{lease.id:08d}", kind, lease.item, said, lease=lease.id, seconds=round(seconds, 1))
        labelling.sync(store, self.project, person, tab, events=[event], hold=[], want=0)
        return not skip


def rows_of(folder: Path, texts: int) -> list[tuple[str, str]]:
    """Return so many different (text, label) of the data set's training part."""
    with gzip.open(folder / "train.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = list({row["text"]: row["label"] for row in csv.DictReader(file)}.items())
    return random.Random(0).sample(rows, texts)


def gather(home: Workspace, store: Store, lead: User, rows: list[tuple[str, str]], **settings: object) -> Crowd:
    """Set up the lead's project of these (text, label), encoded, with two annotators more; nothing is labelled yet."""
    project = projects.create_project(store, "questions", lead)
    stored = projects.set_label_set(store, project, [Label(0, name, name) for name in sorted({label for _, label in rows})])
    ids = {one.name: one.id for one in stored}
    people = (lead, *(accounts.add_account(store, name, Role.ANNOTATOR)[0] for name in PEOPLE[1:]))
    for one in people[1:]:
        store.projects.set_member(project.id, one.id, Role.ANNOTATOR)
    project = projects.change_settings(store, project, {"queue_size": 100, **settings})
    add_items(store, project, [text for text, _ in rows])
    encode_project(home, store, project, encoders.identify(ProjectSettings.parse(project.settings).encoder), lambda *_: None)
    return Crowd(home, project, people, {text: ids[label] for text, label in rows})
