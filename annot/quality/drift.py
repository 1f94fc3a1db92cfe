"""Whether new texts look like the old ones. Must not fit or read a model of the project: it compares two sets of vectors.

A classifier two-sample test (Lopez-Paz and Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017): a linear classifier is fitted to
tell the two sides apart and judged, by the area under its ROC curve, on texts it has not seen; 0.5 means that it cannot. The classifier
is ridge regression on the side in closed form, so that the permutations of the p-value cost a few matrix products.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annot.errors import BadInput

MOST = 1_000
# Texts a side below which nothing is said.
FEWEST = 20
FOLDS = 5
PERMUTATIONS = 199
# Penalty relative to the mean variance of a dimension: of 0.1, 1, 10 and 100 this and 100 found most, in mixtures of AG News with TREC and
# in AG News with a topic more (500 against 200 texts, 40 draws each).
RIDGE = 10.0
# A p-value this low is spoken of as a difference: a report is made again and again, and one in twenty would be false otherwise.
ALARM = 0.01
# Below this AUC a difference, however certain, is called slight.
CLEAR = 0.6
TYPICAL = 5


@dataclass(frozen=True, slots=True)
class Drift:
    """How well the sides can be told apart, from ``reference`` and ``incoming`` texts compared, and the ids of the most ``typical``
    incoming ones. ``auc`` is None where a side has fewer than FEWEST texts; ``p_value`` is then 1."""

    auc: float | None
    p_value: float
    reference: int
    incoming: int
    typical: tuple[int, ...] = ()

    @property
    def found(self) -> bool:
        return self.auc is not None and self.p_value <= ALARM

    def words(self, new: str = "the newest texts", old: str = "the labelled ones") -> str:
        """Return one sentence on whether ``new`` looks like ``old``."""
        if self.auc is None:
            return f"too few texts to compare {new} with {old}: {min(self.reference, self.incoming)}, {FEWEST} are needed on each side"
        facts = f"AUC {self.auc:.2f}, p = {self.p_value:.3f}, {self.incoming:,} against {self.reference:,} texts"
        if not self.found:
            return f"{new} look like {old} ({facts})"
        return f"{new} differ {'clearly' if self.auc >= CLEAR else 'slightly'} from {old} ({facts})"


def drift(reference: NDArray[np.floating], incoming: NDArray[np.floating], items: Sequence[int], seed: int = 0) -> Drift:
    """Compare two samples of vectors or predictions, (n, d) and (m, d); ``items`` (m,) are the ids of the incoming.

    Of each side at most MOST random rows are used. The p-value is that of PERMUTATIONS permutations of the sides within folds, exact
    where rows of both sides are exchangeable. Neither side may be chosen by the model, or what is found is its choice. Raises BadInput
    where the dimensions differ or a value is not finite.
    """
    old, new = np.asarray(reference), np.asarray(incoming)
    if old.ndim != 2 or new.ndim != 2 or old.shape[1] != new.shape[1] or not old.shape[1] or len(items) != len(new):
        raise BadInput(
            f"Drift needs vectors of one length and an id for each incoming one, got {old.shape}, {new.shape} and {len(items)} ids."
        )
    rng = np.random.default_rng(seed)
    kept = [rng.choice(len(side), min(MOST, len(side)), replace=False) for side in (old, new)]
    rows = np.concatenate([old[kept[0]], new[kept[1]]]).astype(np.float64)
    if not np.isfinite(rows).all():
        raise BadInput("Drift needs finite vectors; encode the texts again.")
    sizes = len(kept[0]), len(kept[1])
    if min(sizes) < FEWEST:
        return Drift(None, 1.0, *sizes)
    rows /= np.abs(rows).max() or 1.0
    side = np.repeat([0.0, 1.0], sizes)
    fold = np.concatenate([rng.permutation(n) % FOLDS for n in sizes])
    sides = np.repeat(side[:, None], PERMUTATIONS + 1, axis=1)
    for one in range(FOLDS):
        within = np.flatnonzero(fold == one)
        sides[within, 1:] = rng.permuted(sides[within, 1:], axis=0)
    scores = _cross_fitted(rows, sides, fold)
    found = _auc(scores, sides)
    typical = np.argsort(-scores[sizes[0] :, 0], kind="stable")[:TYPICAL]
    p_value = float((1 + (found[1:] >= found[0]).sum()) / (1 + PERMUTATIONS))
    return Drift(float(found[0]), p_value, *sizes, tuple(int(items[kept[1][place]]) for place in typical))


def _cross_fitted(rows: NDArray[np.float64], sides: NDArray[np.float64], fold: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the scores (n, b) of each row for each column of ``sides`` (n, b), by ridge regressions fitted on the other folds."""
    scores = np.empty_like(sides)
    for one in range(FOLDS):
        train, held = fold != one, fold == one
        mean = rows[train].mean(axis=0)
        centred = rows[train] - mean
        gram = centred.T @ centred
        # A constant sample has no variance; any penalty then gives equal scores, and they tell nothing.
        gram[np.diag_indices_from(gram)] += RIDGE * np.trace(gram) / len(gram) or 1.0
        weights = np.linalg.solve(gram, centred.T @ (sides[train] - sides[train].mean(axis=0)))
        scores[held] = (rows[held] - mean) @ weights
    return scores


def _auc(scores: NDArray[np.float64], sides: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area under the ROC curve (b,) of each column: Mann and Whitney's statistic, ties counting half."""
    # Identical texts score alike but for rounding.
    scores = np.round(scores, 9)
    order = np.argsort(scores, axis=0, kind="stable")
    scores, sides = np.take_along_axis(scores, order, axis=0), np.take_along_axis(sides, order, axis=0)
    place, edge = np.arange(len(scores))[:, None], np.ones((1, scores.shape[1]), bool)
    differs = scores[1:] != scores[:-1]
    first = np.maximum.accumulate(np.where(np.concatenate([edge, differs]), place, 0), axis=0)
    last = np.minimum.accumulate(np.where(np.concatenate([differs, edge]), place, len(scores))[::-1], axis=0)[::-1]
    new = sides.sum(axis=0)
    above = ((first + last) / 2 * sides).sum(axis=0) - new * (new - 1) / 2
    auc: NDArray[np.float64] = above / (new * (len(sides) - new))
    return auc
