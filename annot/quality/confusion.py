"""Which labels the model takes for which, with items to look at. Must be given audit or test labels only: those the model did not choose.

Pure functions over indicator matrices (n, k) of 0/1, for exclusive and multi-label sets alike.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annot.errors import BadInput
from annot.quality.estimates import Interval, wilson
from annot.quality.phrases import percent

EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Pair:
    """``label`` (a column) was taken for ``taken_for``; None there: it was missed and nothing put in its place; None as ``label``:
    ``taken_for`` was added where nothing was missed.

    ``count`` is a number of items, ``rate`` their share of the items that have ``label`` (of those without ``taken_for`` where it was
    added), ``items`` the ids of at most EXAMPLES of them.
    """

    label: int | None
    taken_for: int | None
    count: int
    rate: Interval
    items: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Every pair that occurs, most frequent first, found on ``n`` items."""

    n: int
    pairs: tuple[Pair, ...]

    def words(self, names: Sequence[str], most: int = 5) -> list[str]:
        """Return a line for each of the ``most`` frequent pairs; ``names`` belong to the columns."""
        return [_line(pair, names) for pair in self.pairs[:most]]


def confusion(truth: NDArray[np.floating], predicted: NDArray[np.floating], items: Sequence[int]) -> Confusion:
    """Count which label is taken for which over ``truth`` and ``predicted`` (n, k) of 0/1; ``items`` (n,) are their ids.

    Of an item with several labels, each missed one is paired with each wrongly added one; where only one side is wrong it stands alone.
    An item counts once in a pair. Raises BadInput where shapes differ or a value is neither 0 nor 1.
    """
    true, said = as_labels(truth, "true labels"), as_labels(predicted, "predicted labels")
    if true.shape != said.shape or len(items) != len(true):
        raise BadInput(f"Confusion needs one prediction and one id an item, got {true.shape}, {said.shape} and {len(items)} ids.")
    found: dict[tuple[int | None, int | None], list[int]] = defaultdict(list)
    for row in np.flatnonzero((true != said).any(axis=1)).tolist():
        missed: list[int | None] = list(np.flatnonzero(true[row] & ~said[row]).tolist())
        added: list[int | None] = list(np.flatnonzero(said[row] & ~true[row]).tolist())
        for label in missed or [None]:
            for other in added or [None]:
                found[label, other].append(int(items[row]))
    have = true.sum(axis=0)
    pairs = [Pair(*key, len(ids), wilson(len(ids), _among(*key, have, len(true))), tuple(ids[:EXAMPLES])) for key, ids in found.items()]
    return Confusion(len(true), tuple(sorted(pairs, key=_order)))


def recalls(truth: NDArray[np.floating], predicted: NDArray[np.floating]) -> tuple[Interval, ...]:
    """Return, by label, the share of its items that the model finds, with its Wilson interval; n = 0 where none has it."""
    true, said = as_labels(truth, "true labels"), as_labels(predicted, "predicted labels")
    if true.shape != said.shape:
        raise BadInput(f"Recall needs one prediction an item, got {true.shape} and {said.shape}.")
    return tuple(wilson(int(both), int(have)) for both, have in zip((true & said).sum(axis=0), true.sum(axis=0), strict=True))


def as_labels(values: NDArray[np.floating], what: str) -> NDArray[np.bool_]:
    """Return a matrix (n, k) of 0/1 as bools. Raises BadInput where it is no such matrix."""
    matrix = np.asarray(values)
    if matrix.ndim != 2 or not np.isin(matrix, (0, 1)).all():
        raise BadInput(f"The {what} must be a matrix of 0 and 1, one row an item and one column a label.")
    return matrix.astype(bool)


def _among(label: int | None, taken_for: int | None, have: NDArray[np.integer], n: int) -> int:
    if label is not None:
        return int(have[label])
    assert taken_for is not None
    return n - int(have[taken_for])


def _order(pair: Pair) -> tuple[float, ...]:
    rare = (-1 if pair.label is None else pair.label, -1 if pair.taken_for is None else pair.taken_for)
    return (-pair.count, -pair.rate.value, *rare)


def _line(pair: Pair, names: Sequence[str]) -> str:
    share = f"{pair.count} of {pair.rate.n}, {percent(pair.rate)}"
    if pair.label is None:
        assert pair.taken_for is not None
        return f"{names[pair.taken_for]} added where it does not hold: {share}"
    if pair.taken_for is None:
        return f"{names[pair.label]} missed: {share}"
    return f"{names[pair.label]} taken for {names[pair.taken_for]}: {share}"
