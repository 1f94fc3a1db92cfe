"""A project that three people labelled with what a shared data set says, asked in the order the ranker asked in: for tests of what the
lead sees. No browser and no worker takes part; its report is made as the worker's job would make it."""

import csv
import gzip
import random
from itertools import cycle
from pathlib import Path

from annot import encoders
from annot.loop import accounts, labelling, projects
from annot.loop.encoding import encode_project
from annot.loop.ranking import Ranker
from annot.loop.reporting import report_project
from annot.records import Event, Kind, Label, Project, Role, User
from annot.settings import ProjectSettings, Workspace
from annot.store import Store

from .conftest import add_items

PEOPLE = ("lead", "mira", "tomas")


def rows_of(folder: Path, texts: int) -> list[tuple[str, str]]:
    """Return so many different (text, label) of the data set's training part."""
    with gzip.open(folder / "train.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = list({row["text"]: row["label"] for row in csv.DictReader(file)}.items())
    return random.Random(0).sample(rows, texts)


def labelled_project(home: Workspace, store: Store, folder: Path, *, texts: int, labels: int, **settings: object) -> tuple[Project, User]:
    """Set up a project of ``texts`` of the data set, let PEOPLE give ``labels`` labels in turn, a third of them skipping now and then,
    and make its report. The ranker looks after every third label."""
    rows = rows_of(folder, texts)
    lead, _ = accounts.add_account(store, PEOPLE[0], Role.LEAD)
    project = projects.create_project(store, folder.name, lead)
    stored = projects.set_label_set(store, project, [Label(0, name, name) for name in sorted({label for _, label in rows})])
    ids, gold = {one.name: one.id for one in stored}, dict(rows)
    people = [lead, *(accounts.add_account(store, name, Role.ANNOTATOR)[0] for name in PEOPLE[1:])]
    for one in people[1:]:
        store.projects.set_member(project.id, one.id, Role.ANNOTATOR)
    project = projects.change_settings(store, project, {"queue_size": 100, **settings})
    add_items(store, project, list(gold))
    encode_project(home, store, project, encoders.identify(ProjectSettings.parse(project.settings).encoder), lambda *_: None)
    ranker, dice = Ranker(home, project.id), random.Random(1)
    given = 0
    for person in cycle(people):
        if given % 3 == 0:
            ranker.refresh(store)
        if given == labels:
            break
        (lease,) = labelling.sync(store, project, person, f"tab-{person.id}", events=[], hold=[], want=1).leases
        skip = person.name == PEOPLE[2] and dice.random() < 0.1
        said = () if skip else (ids[gold[lease.text]],)
        kind = Kind.SKIP if skip else Kind.LABEL
        event = Event(f"crowd-{lease.id:08d}", kind, lease.item, said, lease=lease.id, seconds=round(dice.uniform(2, 9), 1))
        labelling.sync(store, project, person, f"tab-{person.id}", events=[event], hold=[], want=0)
        given += not skip
        if not skip and given % 50 == 0 and given < labels:
            ranker.refresh(store)
            report_project(home, store, project, lambda *_: None)
    assert report_project(home, store, project, lambda *_: None)
    return project, lead
