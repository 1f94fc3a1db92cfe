"""A labelled data set as arrays: a pool to be asked about and a test part nobody asks about. Must not encode or choose anything."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annot import formats
from annot.errors import BadInput
from annot.formats import Mapping, Problem

# Of a file without a split, so much is kept for testing.
TEST_SHARE = 0.3
FOLDER_FILES = ("train", "test")


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """``texts`` of the pool, then of the test part; ``targets`` (n, k) of 0/1 belong to ``labels``, names sorted."""

    name: str
    texts: list[str]
    targets: NDArray[np.float32]
    labels: list[str]
    exclusive: bool
    pool: int

    @property
    def test(self) -> slice:
        return slice(self.pool, len(self.texts))


@cache
def load(path: Path, pool: int, test: int, level: str = "", judge: str = "test") -> Dataset:
    """Read a folder with train.* and test.*, or one labelled file; keep a random part of at most ``pool`` and ``test`` texts.

    The part is the same at every call, so that strategies and seeds are compared on the same texts. ``level`` "parent" replaces each
    label by the one above it in the folder's hierarchy.json; ``judge`` "dev" judges on training texts left out of the pool, so that
    constants can be chosen without a look at the test part. Raises BadInput where there is nothing to learn or to judge.
    """
    parts = _parts(path)
    if not any(len(labels) > 1 for rows in parts for _, labels in rows):  # else no label is an answer too
        parts = ([row for row in parts[0] if row[1]], [row for row in parts[1] if row[1]])
    if judge == "dev":
        parts = _halves(parts[0])
    several = any(len(labels) > 1 for rows in parts for _, labels in rows)
    above = _above(path) if level == "parent" else {}
    chosen = [_part(rows, most) for rows, most in zip(parts, (pool, test), strict=True)]
    rows = [(text, {above.get(label, label) for label in labels}) for part in chosen for text, labels in part]
    names = sorted({label for _, labels in rows for label in labels})
    if len(names) < 2 or not chosen[0] or not chosen[1]:
        raise BadInput(
            f"{path} has {len(chosen[0])} texts to label, {len(chosen[1])} to test on and {len(names)} labels; all must be there."
        )
    column = {name: place for place, name in enumerate(names)}
    targets = np.zeros((len(rows), len(names)), np.float32)
    for row, (_, labels) in enumerate(rows):
        targets[row, [column[label] for label in labels]] = 1
    name = path.name.split(".")[0] + ("-parents" if level else "")
    return Dataset(name, [text for text, _ in rows], targets, names, not several, len(chosen[0]))


Labelled = list[tuple[str, tuple[str, ...]]]


def _parts(path: Path) -> tuple[Labelled, Labelled]:
    if path.is_dir():
        files = [next(iter(sorted(path.glob(f"{part}.*"))), None) for part in FOLDER_FILES]
        if None in files:
            raise BadInput(f"The folder {path} must hold a train and a test file (text, label), like ../shared/datasets/trec6.")
        train, test = (_read(file) for file in files if file)
        return [(text, labels) for text, labels, _ in train], [(text, labels) for text, labels, _ in test]
    if not path.is_file():
        raise BadInput(f"There is no file or folder {path}.")
    rows = _read(path)
    if any(split == "test" for _, _, split in rows):
        halves = [[(text, labels) for text, labels, split in rows if (split == "test") == wanted] for wanted in (False, True)]
        return halves[0], halves[1]
    return _halves([(text, labels) for text, labels, _ in rows])


def _halves(rows: Labelled) -> tuple[Labelled, Labelled]:
    """Split at random: what is labelled, and the TEST_SHARE that is judged on."""
    order = np.random.default_rng(0).permutation(len(rows))
    cut = int(len(rows) * (1 - TEST_SHARE))
    return [rows[place] for place in order[:cut]], [rows[place] for place in order[cut:]]


def _read(path: Path) -> list[tuple[str, tuple[str, ...], str]]:
    mapping = formats.guess(formats.columns(path))
    if mapping.label is None:
        raise BadInput(f"{path} has no column with labels (named label, labels, category, class or topic).")
    rows: Iterable[formats.Row | Problem] = formats.read(path, Mapping(mapping.text, label=mapping.label, split=mapping.split))
    return [(row.text, row.labels, row.split) for row in rows if not isinstance(row, Problem)]


def _part(rows: Labelled, most: int) -> Labelled:
    kept = np.sort(np.random.default_rng(1).permutation(len(rows))[:most])
    return [rows[place] for place in kept]


def _above(path: Path) -> dict[str, str]:
    file = path / "hierarchy.json"
    if not file.is_file():
        raise BadInput(f"{path} has no hierarchy.json, so its labels have no parents.")
    return {label: parent for parent, labels in json.loads(file.read_text("utf-8")).items() for label in labels}
