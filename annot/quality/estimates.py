"""Point estimates with intervals: accuracy (Wilson), macro-F1 (bootstrap), and a paired comparison of two models.

Pure functions. Targets and predictions are indicator matrices (n, k) of 0/1, for exclusive and multi-label sets alike.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.floating]

LEVEL = 0.90
RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class Interval:
    """A value in 0..1 with the bounds of its two-sided interval and the number of items it rests on."""

    value: float
    low: float
    high: float
    n: int


def wilson(right: float, n: float, level: float = LEVEL, freedom: float | None = None) -> Interval:
    """Return the share right of n with its Wilson score interval (Wilson 1927, JASA 22). n = 0 gives the whole range.

    Where ``n`` was estimated, ``freedom`` is the number of degrees of freedom of that, and Student's quantile takes the normal one's
    place (Abramowitz and Stegun 1964, 26.7.5).
    """
    if n <= 0:
        return Interval(0.0, 0.0, 1.0, 0)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    if freedom is not None and freedom > 0:
        z += (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    share = right / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(share, max(0.0, float(centre - half)), min(1.0, float(centre + half)), int(n))


def accuracy(truth: Matrix, predicted: Matrix) -> Interval:
    """Return the share of items whose whole label set is right (subset accuracy when several labels may hold)."""
    right = int(np.all(truth == predicted, axis=1).sum()) if len(truth) else 0
    return wilson(right, len(truth))


def macro_f1(truth: Matrix, predicted: Matrix, seed: int = 0) -> Interval:
    """Return the mean F1 over the labels that occur in ``truth``, with a percentile-bootstrap interval (Efron 1979)."""
    n = len(truth)
    if n == 0:
        return Interval(0.0, 0.0, 1.0, 0)
    value = float(_macro_f1(np.ones((1, n)), truth, predicted)[0])
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)
    low, high = np.quantile(_macro_f1(draws, truth, predicted), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, min(value, float(low)), max(value, float(high)), n)


def _macro_f1(weights: NDArray[np.float64], truth: Matrix, predicted: Matrix) -> NDArray[np.float64]:
    """Return macro-F1 (b,) under b rows of item weights (b, n); a label absent under a weighting is left out of its mean."""
    both = weights @ (truth * predicted)
    have, said = weights @ truth, weights @ predicted
    f1 = np.divide(2 * both, have + said, out=np.zeros_like(both), where=(have + said) > 0)
    present = have > 0
    means: NDArray[np.float64] = (f1 * present).sum(axis=1) / np.maximum(present.sum(axis=1), 1)
    return means


def paired_difference(old_right: NDArray[np.bool_], new_right: NDArray[np.bool_]) -> tuple[float, float]:
    """Return (new minus old share right, its standard error) for two models judged on the same items (McNemar's setting)."""
    n = len(old_right)
    if n == 0:
        return 0.0, 0.0
    change = new_right.astype(float) - old_right.astype(float)
    return float(change.mean()), float(change.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0
