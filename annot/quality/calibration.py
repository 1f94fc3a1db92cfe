"""Whether the model is as often right as it says. Must be given audit or test labels only: those the model did not choose.

What is judged is the likeliest label of each item and its probability, right where the item has that label: top-label confidence, one
independent value an item for exclusive and multi-label sets alike (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annot.errors import BadInput
from annot.quality.confusion import as_labels
from annot.quality.estimates import LEVEL, RESAMPLES, Interval, wilson

# A bin holds about so many items at least, and there are at most so many bins.
BIN_ITEMS, BINS = 15, 10
# Below this many items the words say only that it is too early.
ENOUGH = 30


@dataclass(frozen=True, slots=True)
class Bin:
    """Items whose confidence lies in ``low``..``high``: their mean ``confidence`` and the share ``right`` of them."""

    low: float
    high: float
    confidence: float
    right: Interval


@dataclass(frozen=True, slots=True)
class Calibration:
    """A reliability diagram and its summaries; all in 0..1 but ``gap``.

    ``gap`` is mean confidence minus the share right, positive where the model is overconfident. ``error`` is the calibration error,
    the root of the mean squared gap of the bins less what chance alone gives it. ``brier`` is the mean squared error of all
    probabilities over items and labels.
    """

    bins: tuple[Bin, ...]
    gap: Interval
    error: Interval
    brier: Interval

    def words(self) -> str:
        """Return one sentence on whether the model is over- or underconfident, with the interval of the gap."""
        gap = self.gap
        if gap.n < ENOUGH:
            return f"too early to say how far the model's confidence can be trusted: {gap.n} audit labels, {ENOUGH} are needed"
        low, high = 100 * gap.low, 100 * gap.high
        if gap.low <= 0 <= gap.high:
            found = f"{100 * gap.value:+.0f} points ({low:+.0f} to {high:+.0f})"
            return f"no over- or underconfidence found: confidence minus share right is {found}"
        if gap.value < 0:
            low, high = -high, -low
        what = "overconfident" if gap.value > 0 else "underconfident"
        return f"{what} by {abs(100 * gap.value):.0f} points ({low:.0f} to {high:.0f})"


def calibration(truth: NDArray[np.floating], proba: NDArray[np.floating], seed: int = 0) -> Calibration:
    """Compare what the model says of items, ``proba`` (n, k), with their labels, ``truth`` (n, k) of 0/1.

    Bins hold equally many items, equal confidences together; their intervals are Wilson's. The interval of ``gap`` is that of the share
    right, given the confidences. ``error`` is debiased as in Kumar, Liang and Ma, "Verified Uncertainty Calibration" (NeurIPS 2019);
    its interval, and that of ``brier``, is a percentile bootstrap over items (Efron 1979). Raises BadInput where shapes differ or a
    probability is not one.
    """
    true, said = as_labels(truth, "labels"), np.asarray(proba, np.float64)
    if said.shape != true.shape or not true.shape[1]:
        raise BadInput(f"Calibration needs one probability for each item and label, got {true.shape} and {said.shape}.")
    if not np.all((said >= 0) & (said <= 1)):  # NaN is neither
        raise BadInput("Calibration needs probabilities between 0 and 1.")
    n = len(true)
    if n == 0:
        nothing = Interval(0.0, 0.0, 1.0, 0)
        return Calibration((), Interval(0.0, -1.0, 1.0, 0), nothing, nothing)
    best = said.argmax(axis=1)
    confidence, right = said[np.arange(n), best], true[np.arange(n), best].astype(np.float64)
    share, sure = wilson(int(right.sum()), n), float(confidence.mean())
    gap = Interval(sure - share.value, sure - share.high, sure - share.low, n)
    member = _bins(confidence)
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)
    squared = ((said - true) ** 2).mean(axis=1)
    return Calibration(
        tuple(_bin(confidence[member == one], right[member == one]) for one in range(member.max() + 1)),
        gap,
        _root(_squared_error(np.ones((1, n)), confidence, right, member)[0], _squared_error(draws, confidence, right, member), n),
        _interval(squared.mean(), draws @ squared / n, n),
    )


def _bins(confidence: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the bin (n,) of each confidence, numbered upwards without gaps."""
    bins = int(np.clip(len(confidence) // BIN_ITEMS, 1, BINS))
    edges = np.quantile(confidence, np.arange(1, bins) / bins)
    _, member = np.unique(np.searchsorted(edges, confidence, side="left"), return_inverse=True)
    return np.asarray(member, np.int64)


def _bin(confidence: NDArray[np.float64], right: NDArray[np.float64]) -> Bin:
    return Bin(float(confidence.min()), float(confidence.max()), float(confidence.mean()), wilson(int(right.sum()), len(right)))


def _squared_error(
    weights: NDArray[np.float64], confidence: NDArray[np.float64], right: NDArray[np.float64], member: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the debiased squared error (b,), below 0 by chance, under b rows of item weights (b, n); a bin of one item stays biased."""
    within = np.eye(member.max() + 1)[member]
    count = weights @ within
    some = np.maximum(count, 1)
    share = (weights * right) @ within / some
    gap = (weights * confidence) @ within / some - share
    chance = np.divide(share * (1 - share), count - 1, out=np.zeros_like(count), where=count > 1)
    error: NDArray[np.float64] = (count * (gap**2 - chance)).sum(axis=1) / count.sum(axis=1)
    return error


def _root(squared: float, draws: NDArray[np.float64], n: int) -> Interval:
    """Return the error of a squared error and of its bootstrap draws.

    A draw is rid of its own chance, not of that of the sample it is drawn from: the draws are moved to the debiased value.
    """
    value, moved = np.sqrt(max(0.0, squared)), draws - draws.mean() + squared
    return _interval(float(value), np.sqrt(np.maximum(0, moved)), n)


def _interval(value: float, draws: NDArray[np.float64], n: int) -> Interval:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(value), min(float(value), float(low)), max(float(value), float(high)), n)
