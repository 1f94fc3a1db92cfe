"""What speaks for stopping and what against: the facts a verdict rests on, and the votes they cast. Must not weigh the votes.

small-text's criteria are votes too (``criteria``); what comes of all of them is in ``stopping``.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite, isinf, isnan

import numpy as np
from numpy.typing import NDArray

from annot.errors import BadInput
from annot.quality.estimates import Interval
from annot.quality.phrases import percent, points

# Labels the model did not choose, below which only their number is judged: the interval is up to 29 points wide at 30.
ENOUGH = 30
# Gain in quality per hour of labelling under which gains have ended.
MIN_GAIN = 0.005
# How much longer the estimate's lower arm must be to stop by: a lead looks after every label, not once. Of 2,000 simulated models that
# were exactly at the target (80, 90 %), looked at after each of 30 to 300 audit labels, the plain bound of a 90 % interval stopped 24
# and 21 %, this one 8 and 7 %; with a model 2 points below the target 10 and 8 %, and 3 and 2 %.
LOOKS = 1.41


class Says(StrEnum):
    GO_ON = "go_on"
    STOP = "stop"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Vote:
    """One voice and its reason. ``counts`` tells whether it is one of those whose majority says that gains have ended."""

    name: str
    says: Says
    why: str
    counts: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What the model of so many ``labels`` takes the stop set for: ``predicted`` (m,) top labels, -1 for none. The stop set is a random
    part of the pool, the same at every checkpoint."""

    labels: int
    predicted: NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Band:
    """A forecast number with its band; infinite where it is not reached as far as the forecast looks."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What a verdict rests on. Qualities are shares in 0..1, gains are quality per hour of work. None: not known, or not set.

    ``estimate`` is the published model's, by ``metric``, from ``source`` labels, which it did not choose. ``to_target`` counts labels
    besides those spent; ``asymptote`` is where the forecast levels off; ``left`` counts the texts without a label. Raises BadInput
    where a number is none, or the target is no share.
    """

    estimate: Interval | None
    target: float | None = None
    gain_per_hour: float | None = None
    min_gain: float = MIN_GAIN
    to_target: Band | None = None
    asymptote: Band | None = None
    labels_per_hour: float | None = None
    left: int | None = None
    metric: str = "accuracy"
    source: str = "audit"

    def __post_init__(self) -> None:
        numbers = [one for one in (self.target, self.gain_per_hour, self.min_gain, self.labels_per_hour) if one is not None]
        numbers += [] if self.estimate is None else [self.estimate.value, self.estimate.low, self.estimate.high]
        numbers += [] if self.asymptote is None else [self.asymptote.low, self.asymptote.median, self.asymptote.high]
        ahead = [] if self.to_target is None else [self.to_target.low, self.to_target.median, self.to_target.high]
        if not all(map(isfinite, numbers)) or any(map(isnan, ahead)):
            raise BadInput("A verdict on stopping needs finite numbers; only the labels to a target may be infinite.")
        if self.target is not None and not 0 < self.target <= 1:
            raise BadInput(f"A target must be a share over 0 and up to 1, got {self.target}.")

    @property
    def bound(self) -> float:
        """Return the lower bound that a stop needs above the target: LOOKS times as far below the estimate as its interval's."""
        return 0.0 if self.estimate is None else self.estimate.value - LOOKS * (self.estimate.value - self.estimate.low)

    @property
    def quality(self) -> str:
        """Return the estimate in words; there must be one."""
        assert self.estimate is not None
        return f"{self.metric} {percent(self.estimate)} on {self.estimate.n:,} {self.source} labels"


def gain_vote(facts: Facts) -> Vote:
    """Vote by the quality the next hour of work is expected to add."""
    if facts.gain_per_hour is None:
        return Vote("forecast", Says.UNSURE, "there is no forecast of the next hour's gain yet")
    says = Says.STOP if facts.gain_per_hour < facts.min_gain else Says.GO_ON
    why = f"the next hour is expected to add {points(facts.gain_per_hour)}; under {points(facts.min_gain)} says stop"
    return Vote("forecast", says, why, counts=True)


def target_vote(facts: Facts) -> Vote:
    """Vote by whether the estimate is clearly above the target, which is that its ``bound`` is."""
    if facts.target is None:
        return Vote("target", Says.UNSURE, "no target is set")
    if facts.estimate is None or facts.estimate.n < ENOUGH:
        return Vote("target", Says.UNSURE, f"fewer than {ENOUGH} {facts.source} labels")
    if facts.bound >= facts.target:
        return Vote("target", Says.STOP, f"{facts.quality} is clearly above {100 * facts.target:g} %")
    where = "is below" if facts.estimate.high < facts.target else "is not yet clearly above"
    return Vote("target", Says.GO_ON, f"{facts.quality} {where} {100 * facts.target:g} %")


def budget_vote(facts: Facts) -> Vote:
    """Vote by whether the forecast reaches the target at all, and with the texts there are."""
    ahead, ceiling = facts.to_target, facts.asymptote
    if facts.target is None or (ahead is None and ceiling is None):
        return Vote("budget", Says.UNSURE, "no target is set" if facts.target is None else "there is no forecast of the target yet")
    if ceiling is not None and ceiling.high < facts.target:
        return Vote("budget", Says.STOP, f"the model {_levels_off(ceiling)}, under {100 * facts.target:g} %")
    if ahead is None:
        return Vote("budget", Says.UNSURE, "there is no forecast of the labels the target needs yet")
    if isinf(ahead.low):
        return Vote("budget", Says.STOP, "the target lies beyond all labels the forecast looks ahead")
    if facts.left is not None and ahead.low > facts.left:
        return Vote("budget", Says.STOP, f"the target needs {count(ahead.low)} more labels at least, and {facts.left:,} texts are left")
    return Vote("budget", Says.UNSURE if isinf(ahead.median) else Says.GO_ON, f"the target needs {more(facts)}")


def _levels_off(ceiling: Band) -> str:
    return f"levels off near {100 * ceiling.median:.0f} % ({100 * ceiling.low:.0f} to {100 * ceiling.high:.0f})"


def more(facts: Facts) -> str:
    """Return how many more labels the target needs, and hours where the pace is known; there must be a forecast."""
    assert facts.to_target is not None
    band, pace = facts.to_target, facts.labels_per_hour
    high = "more than the forecast looks ahead" if isinf(band.high) else count(band.high)
    if isinf(band.low):
        return "more labels than the forecast looks ahead"
    if isinf(band.median):
        return f"{count(band.low)} more labels at least, perhaps more than the forecast looks ahead"
    hours = f", {band.median / pace:.1f} hours" if pace else ""
    return f"about {count(band.median)} more labels (80 %: {count(band.low)} to {high}){hours}"


def count(labels: float) -> str:
    return f"{max(0, round(labels)):,}"
