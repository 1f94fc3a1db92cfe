"""The shadow random arm: what random labelling would have given, told from the labels of a project whose items a model chose.

Nobody knows the labels of the items that random draws would have asked for. So both arms are done again in worlds like the project's,
where a model of all labels so far draws the others: how far the random arm is behind the active one is taken from there, how good
the active one is from the audit labels. Must not read the store, nor fit a head: ``worlds`` does.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from annot import quality
from annot.loop.report.worlds import MULTIPLES, Floats, Material, Worlds, audit_right, label_law, replay, small

# The share of projects whose truth the intervals are to hold.
LEVEL = 0.80
MIN_AUDIT, MIN_ACTIVE = 20, 20
# Chosen, as USUAL and FALLS of ``worlds`` were, on trec6, mr and ag_news, five projects each (other projects of the same texts as those in
# docs/estimates.md): a usual standard deviation between worlds of the gap between the arms, with the worlds it counts for; and how
# many times that the gap's error was where it was the most (mr; 1.4 on all three), as all worlds share one model.
GAP_SD, GAP_WEIGHS = 0.01, 4
INFLATION = 1.8
# An interval whose ends are further apart than by this factor says nothing of the saving.
WIDEST = 5.0
Z, SHARE = NormalDist().inv_cdf(0.5 + LEVEL / 2), f"{100 * LEVEL:.0f} %"


@dataclass(frozen=True, slots=True)
class Point:
    """Accuracy (0..1, subset accuracy where several labels may hold) after so many labels, with its interval of LEVEL."""

    labels: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Saved:
    """How many random labels would do as much, with the interval of LEVEL. Beyond the curve's end is infinity, before its beginning 0."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Shadow:
    """The random arm's ``curve``, the ``active`` arm at present, and what it ``saved``; empty and None where nothing can be said.

    ``known`` tells whether the interval of ``saved`` is narrow enough to be shown; ``words`` say the saving, or why it is not known.
    """

    curve: tuple[Point, ...]
    active: Point | None
    saved: Saved | None
    known: bool
    words: str


def shadow(arms: Material, seed: int) -> Shadow:
    """Estimate the curve of random labelling and how many random labels would do what the active arm's, audit ones included, do now.

    Both arms are learned again, in the same steps, in worlds whose labels are drawn from a head of all labels made as sure as the audit
    labels ask for (a parametric bootstrap: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, 6.5); several labels of one
    item are drawn apart. There heads are judged by the law of the draws, not by a label they learned. Random labelling trains on all
    its labels, so that its audit costs it nothing. Raises BadInput where the arrays do not belong together.
    """
    arms = small(arms, seed)
    if reason := _why_not(arms):
        return Shadow((), None, None, False, f"The saving is not known yet: {reason}.")
    law = label_law(arms)
    found = replay(arms, law, np.random.default_rng([seed, 2]))
    return tell(found, audit_right(arms), len(arms.labelled))


def _why_not(arms: Material) -> str:
    audits, active = int(arms.audit.sum()), int((~arms.audit).sum())
    if audits < MIN_AUDIT:
        return f"it takes {MIN_AUDIT} audit labels, drawn at random, to know how good the model is, and there are {audits}"
    if active < MIN_ACTIVE:
        return f"the model has chosen {active} of the labelled items, and it takes {MIN_ACTIVE} to compare with random ones"
    if (arms.targets[~arms.audit].sum(axis=0) > 0).sum() < 2:
        return "the labels that the model learns from are all the same"
    if len(arms.pool) < len(arms.labelled):
        return "more than half of the texts are labelled, so that random labelling could not have gone on for long"
    return ""


def tell(found: Worlds, right: NDArray[np.bool_], labels: int) -> Shadow:
    """Return the shadow that the worlds show for a project of so many ``labels``, with ``right`` (a,) of its audit items.

    The height of the curve is what the audit labels say of the active arm on the items it has not asked for, less by how much those are
    easier, and how far the random one is behind, both in the worlds; the two intervals are joined as in Zou and Donner, "Construction
    of confidence limits about effect measures", Statistics in Medicine 2008.
    """
    ahead = found.active - found.random.mean(axis=1)
    degrees = len(ahead) - 1 + GAP_WEIGHS
    gap_sd = INFLATION * float(np.sqrt((((ahead - ahead.mean()) ** 2).sum() + GAP_SD**2 * GAP_WEIGHS) / degrees))
    # More labels are no worse; the worlds are too few to tell it of every count.
    heights = np.maximum.accumulate(found.random.mean(axis=0)) - found.active.mean()
    level = _moved(quality.wilson(int(right.sum()), len(right), LEVEL), -float(found.easier.mean()))
    down, up = (float(np.hypot(bound - level.value, Z * gap_sd)) for bound in (level.low, level.high))
    curve = tuple(
        Point(int(count), *(float(np.clip(level.value + height + half, 0, 1)) for half in (0, -down, up)))
        for count, height in zip(found.counts, heights, strict=True)
    )
    value, low, high = (_crossing(found.counts, heights, error * Z * gap_sd) for error in (0, -1, 1))
    saved = Saved(value, min(low, float(found.counts[-1])), high)
    known, words = _words(labels, saved, int(found.counts[-1]))
    return Shadow(curve, Point(labels, level.value, level.low, level.high), saved, known, words)


def _crossing(counts: NDArray[np.int64], heights: Floats, at: float) -> float:
    """Return where the rising ``heights`` cross ``at``, on a straight line over the logarithm of ``counts``; 0 or infinity outside them."""
    if not heights[0] <= at <= heights[-1]:
        return 0.0 if at < heights[0] else float("inf")
    return float(np.exp(np.interp(at, heights + 1e-12 * np.arange(len(heights)), np.log(counts))))


def _moved(interval: quality.Interval, by: float) -> quality.Interval:
    value, low, high = (float(np.clip(one + by, 0, 1)) for one in (interval.value, interval.low, interval.high))
    return quality.Interval(value, low, high, interval.n)


def _words(labels: int, saved: Saved, most: int) -> tuple[bool, str]:
    low, high = _round(saved.low), _round(saved.high)
    if np.isfinite(saved.high) and saved.low > 0 and saved.high <= WIDEST * saved.low:
        return True, f"{labels} labels did the work of about {_round(saved.value)} drawn at random ({SHARE}: {low} to {high})."
    if np.isinf(saved.high) and saved.low >= labels:
        return True, f"{labels} labels did the work of {low} or more drawn at random ({SHARE})."
    low = low if saved.low else f"under {_round(MULTIPLES[0] * labels)}"
    high = high if np.isfinite(saved.high) else f"over {_round(most)}"
    return False, f"The saving is not known yet: {labels} labels may have done the work of {low} to {high} drawn at random ({SHARE})."


def _round(labels: float) -> str:
    return f"{labels:,.0f}" if not np.isfinite(labels) or labels < 100 else f"{round(labels, -1):,.0f}"
