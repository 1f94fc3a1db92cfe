"""Uncertainty sampling over the whole pool at once: one vectorised pass over the probabilities, fast at a million items.

Where several labels may hold, each label is its own yes-or-no question. A row with a NaN counts as the most uncertain of all.
Must not look at vectors.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from annot.records import Reason
from annot.selectors.base import Picked, Selector, draw, register, top
from annot.situation import Situation

# Rows judged at a time, so that a large pool with many labels is not copied whole.
CHUNK = 65_536

Confidence = Callable[[NDArray[np.float32], bool], NDArray[np.float32]]


def breaking_ties(proba: NDArray[np.float32], exclusive: bool = True) -> NDArray[np.float32]:
    """Return the margin (n,) between the two likeliest labels; where several may hold, between yes and no of the least clear one.

    Luo et al., "Active Learning to Recognize Multiple Types of Plankton", JMLR 2005.
    """
    if not exclusive:
        closest: NDArray[np.float32] = np.abs(2 * proba - 1).min(axis=1)
        return closest
    if proba.shape[1] < 2:
        return proba[:, 0]
    two = np.partition(proba, proba.shape[1] - 2, axis=1)[:, -2:]
    return two[:, 1] - two[:, 0]


def least_confidence(proba: NDArray[np.float32], exclusive: bool = True) -> NDArray[np.float32]:
    """Return the probability (n,) of what would be predicted. Lewis and Gale, SIGIR 1994; Culotta and McCallum, AAAI 2005."""
    sure: NDArray[np.float32] = proba.max(axis=1) if exclusive else np.maximum(proba, 1 - proba).prod(axis=1)
    return sure


def prediction_entropy(proba: NDArray[np.float32], exclusive: bool = True) -> NDArray[np.float32]:
    """Return minus the entropy (n,) of the prediction, in nats. Holub, Perona and Burl, CVPR Workshops 2008."""
    return -_entropy(proba) if exclusive else -_entropy(proba) - _entropy(1 - proba)


def _entropy(proba: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = -(proba * np.log(np.maximum(proba, np.finfo(np.float32).tiny))).sum(axis=1)
    return found


def _selector(confidence: Confidence) -> Selector:
    """Make the selector that asks for what ``confidence`` is lowest for; the score is 1 minus it."""

    def pick(situation: Situation, n: int) -> Picked:
        if situation.proba is None:
            return draw(situation, n)
        sure = np.empty(len(situation.pool), np.float32)
        for start in range(0, len(sure), CHUNK):
            proba = situation.proba[situation.pool[start : start + CHUNK]]
            # Partitioning moves a NaN to the end of its row, where a difference may hide it.
            unknown = np.isnan(proba).any(axis=1)
            sure[start : start + CHUNK] = np.where(unknown, np.float32(np.nan), confidence(proba, situation.exclusive))
        return top(situation, 1 - sure, n, Reason.UNCERTAIN)

    return pick


for _name, _confidence, _says in (
    ("breaking_ties", breaking_ties, "Where the two likeliest labels are closest. Luo et al. 2005."),
    ("least_confidence", least_confidence, "Where the likeliest label is least likely. Lewis and Gale 1994."),
    ("prediction_entropy", prediction_entropy, "Where the entropy of the prediction is highest. Holub et al. 2008."),
):
    register(_name, _says, asks_a_model=True)(_selector(_confidence))
