"""Projects made of the shared data sets, with what the data set says of each text: for tests and pictures of real label sets."""

import csv
import gzip
import json
from dataclasses import dataclass
from pathlib import Path

from annot.loop import projects
from annot.records import Label, Project, QueueRow, Ranking, Reason, Split, User
from annot.store import Store
from tests.conftest import add_items


@dataclass(frozen=True)
class Gold:
    """A project and the names of the right labels of each of its items; the queue asks for the items in order."""

    project: Project
    labels: dict[str, Label]
    of: dict[int, frozenset[str]]


def intents(store: Store, lead: User, folder: Path, texts: int) -> Gold:
    """Set up clinc150: 10 domains over 150 intents, one intent a text."""
    domains = json.loads((folder / "hierarchy.json").read_text(encoding="utf-8"))
    labels = [Label(0, name, words(name)) for name in domains]
    for place, names in enumerate(domains.values(), 1):
        labels += [Label(0, name, words(name), parent=-place) for name in names]
    return _set_up(store, projects.create_project(store, "Intents", lead), labels, _rows(folder, texts))


def emotions(store: Store, lead: User, folder: Path, texts: int) -> Gold:
    """Set up goemotions: 28 emotions, any number of them in a text; every second text has several."""
    labels = [Label(0, name, words(name)) for name in json.loads((folder / "labels.json").read_text(encoding="utf-8"))]
    rows = [(text, json.loads(label)) for text, label in _rows(folder, None)]
    several = [(text, names) for text, names in rows if len(names) > 1]
    one = [(text, names) for text, names in rows if len(names) == 1]
    mixed = [row for pair in zip(several, one, strict=False) for row in pair][:texts]
    return _set_up(store, projects.create_project(store, "Emotions", lead, exclusive=False), labels, mixed)


def words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _rows(folder: Path, texts: int | None) -> list[tuple[str, str]]:
    """Return (text, label) of the test file, or of a file sorted by label so many: pairs spread over all of it."""
    with gzip.open(folder / "test.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    return [row for at in range(0, len(rows), 2 * len(rows) // texts) for row in rows[at : at + 2]][:texts] if texts else rows


def _set_up(store: Store, project: Project, labels: list[Label], rows: list[tuple[str, str]] | list[tuple[str, list[str]]]) -> Gold:
    stored = projects.set_label_set(store, project, labels)
    add_items(store, project, [text for text, _ in rows])
    items = [item for item, _ in store.items.hashes(project.id, Split.POOL)]
    store.queue.rewrite(project.id, [QueueRow(item, Reason.RANDOM) for item in items], Ranking(0, 0, 0, "x", 0.0, 0.0), 0)
    said = [frozenset([label] if isinstance(label, str) else label) for _, label in rows]
    return Gold(project, {label.name: label for label in stored}, dict(zip(items, said, strict=True)))
