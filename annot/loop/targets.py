"""Turning people's standing answers into what a learner is trained and judged on.

Pure functions over records. Must not read the store: the caller brings the answers.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annot.errors import BadInput
from annot.records import Answer, Kind, Label, Reason, Relation, Split
from annot.situation import PartialLabels


@dataclass(frozen=True, slots=True)
class Labelled:
    """Items with a settled label set. Rows of all arrays belong together, in the order the items were first labelled."""

    items: NDArray[np.int64]  # (n,) item ids
    targets: NDArray[np.float32]  # (n, k) 1 where the label was given; a tree's ancestors are implied, not repeated
    audit: NDArray[np.bool_]  # (n,) drawn uniformly and not released, so never trained on
    test: NDArray[np.bool_]  # (n,) of the test split
    partial: PartialLabels  # of other items of the pool: "not" and "either", no audit item among them

    def __len__(self) -> int:
        return len(self.items)

    @property
    def train(self) -> NDArray[np.bool_]:
        return ~self.audit & ~self.test


def pool_labels(answers: Iterable[Answer]) -> list[Answer]:
    """Return the answers that were a label of a pool item: what a project has spent."""
    return [answer for answer in answers if answer.kind is Kind.LABEL and answer.split is Split.POOL]


def settle(answers: Iterable[Answer], labels: Sequence[Label], exclusive: bool, released: Set[int] = frozenset()) -> Labelled:
    """Settle each item by majority of its annotators (a tie goes to the newest answer); "not" and "either" tell of items nobody settled.

    ``released`` are the audit items the model asked for itself (see ``ranking``): training labels like others.
    """
    column = {label.id: place for place, label in enumerate(labels)}
    votes: dict[int, list[Answer]] = {}
    hints: dict[int, list[Answer]] = {}
    for answer in answers:
        if answer.kind is Kind.LABEL:
            (votes if answer.relation is Relation.IS else hints).setdefault(answer.item, []).append(answer)
    targets = np.zeros((len(votes), len(labels)), np.float32)
    for row, cast in enumerate(votes.values()):
        for label in _winner(cast, exclusive):
            targets[row, column[label]] = 1
    return Labelled(
        np.fromiter(votes, np.int64, len(votes)),
        targets,
        np.array([_audited(cast, released) for cast in votes.values()], bool),
        np.array([cast[0].split is Split.TEST for cast in votes.values()], bool),
        _in_part([given for item, given in hints.items() if item not in votes and _teaches(given, released)], labels),
    )


def _audited(cast: list[Answer], released: Set[int]) -> bool:
    return cast[0].item not in released and any(answer.reason is Reason.AUDIT for answer in cast)


def _teaches(given: list[Answer], released: Set[int]) -> bool:
    return given[0].split is Split.POOL and not _audited(given, released)


def _in_part(hints: Sequence[list[Answer]], labels: Sequence[Label]) -> PartialLabels:
    """Return what the answers to each item leave open. A label ruled out takes those below it along; "either" answers of several people
    are narrowed to what they share, if anything. Dropped are items whose answers contradict each other, or that are between labels with
    others below them."""
    ruled_out, one_of = (np.zeros((len(hints), len(labels)), bool) for _ in range(2))
    if not hints:
        return PartialLabels(np.empty(0, np.int64), ruled_out, one_of)
    column = {label.id: place for place, label in enumerate(labels)}
    below = with_ancestors(np.eye(len(labels), dtype=np.float32), parents_of(labels)).T > 0
    inner = below.sum(axis=1) > 1
    vague = np.zeros(len(hints), bool)
    for row, given in enumerate(hints):
        for answer in given:
            named = np.zeros(len(labels), bool)
            named[[column[label] for label in answer.labels]] = True
            if answer.relation is Relation.NOT:
                ruled_out[row] |= below[named].any(axis=0)
            else:
                shared = one_of[row] & named
                one_of[row] = shared if shared.any() else one_of[row] | named
                vague[row] |= (named & inner).any()
    left = one_of & ~ruled_out
    kept = ~vague & (left.any(axis=1) | ~one_of.any(axis=1))
    items = np.array([given[0].item for given in hints], np.int64)
    return PartialLabels(items[kept], ruled_out[kept], left[kept])


def _winner(cast: list[Answer], exclusive: bool) -> set[int]:
    if len(cast) == 1:
        return set(cast[0].labels)
    newest = cast[-1].labels
    counts: dict[int, int] = {}
    for answer in cast:
        for label in answer.labels:
            counts[label] = counts.get(label, 0) + 1
    if exclusive:
        return {max(counts, key=lambda label: (counts[label], label in newest))}
    half = len(cast) / 2
    return {label for label, n in counts.items() if n > half or (n == half and label in newest)}


def parents_of(labels: Sequence[Label]) -> NDArray[np.int64]:
    """Return for each label the place of its parent in ``labels``, -1 at the top: (k,)."""
    place = {label.id: at for at, label in enumerate(labels)}
    return np.array([-1 if label.parent is None else place[label.parent] for label in labels], np.int64)


def with_ancestors(targets: NDArray[np.floating], parents: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return targets (n, k) in which every label brings all labels above it; a flat label set comes back as it was.

    ``parents`` (k,) holds each label's place of its parent, -1 at the top, in any order. Of soft targets an ancestor gets the largest
    below it. Raises BadInput where labels are their own ancestors.
    """
    found = np.array(targets, np.float32)
    for label in range(len(parents)):
        above = int(parents[label])
        for _ in range(len(parents)):
            if above < 0:
                break
            found[:, above] = np.maximum(found[:, above], np.asarray(targets)[:, label])
            above = int(parents[above])
        else:
            raise BadInput("Labels are above one another in a circle. Mend the label set's parents.")
    return found
