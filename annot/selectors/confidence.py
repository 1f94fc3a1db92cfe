"""Uncertainty sampling over the whole pool at once: one vectorised pass over the probabilities, fast at a million items.

Where several labels may hold, each label is its own yes-or-no question. A row with a NaN counts as the most uncertain of all.
Must not look at vectors.
"""

import numpy as np
from numpy.typing import NDArray

from annot.records import Reason
from annot.selectors import Picked, Situation, probabilities, registry, top


@registry.register("breaking_ties")
def breaking_ties(situation: Situation, n: int) -> Picked:
    """Prefer a small margin between the two likeliest labels; where several may hold, between yes and no of the least clear one.

    Luo et al., "Active Learning to Recognize Multiple Types of Plankton", JMLR 2005. The score is minus the margin.
    """
    proba = probabilities(situation)
    if not situation.exclusive:
        return top(situation, -np.abs(2 * proba - 1).min(axis=1), n, Reason.UNCERTAIN)
    if proba.shape[1] < 2:
        return top(situation, -proba[:, 0], n, Reason.UNCERTAIN)
    two = np.partition(proba, proba.shape[1] - 2, axis=1)[:, -2:]
    return top(situation, _keep_nan(two[:, 0] - two[:, 1], proba), n, Reason.UNCERTAIN)


@registry.register("least_confidence")
def least_confidence(situation: Situation, n: int) -> Picked:
    """Prefer a low probability of the predicted labels. Culotta and McCallum, AAAI 2005. The score is 1 minus that probability."""
    proba = probabilities(situation)
    sure = proba.max(axis=1) if situation.exclusive else np.maximum(proba, 1 - proba).prod(axis=1)
    return top(situation, 1 - sure, n, Reason.UNCERTAIN)


@registry.register("entropy")
def entropy(situation: Situation, n: int) -> Picked:
    """Prefer a high entropy of the prediction, in nats. Holub, Perona and Burl, CVPR Workshops 2008."""
    proba = probabilities(situation)
    spread = _entropy(proba) if situation.exclusive else _entropy(proba) + _entropy(1 - proba)
    return top(situation, _keep_nan(spread, proba), n, Reason.UNCERTAIN)


def _entropy(proba: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = -(proba * np.log(np.maximum(proba, np.finfo(np.float32).tiny))).sum(axis=1)
    return found


def _keep_nan(scores: NDArray[np.float32], proba: NDArray[np.float32]) -> NDArray[np.float32]:
    """Partition sorts a NaN to the end, where a difference may hide it."""
    return np.where(np.isnan(proba).any(axis=1), np.float32(np.nan), scores)
