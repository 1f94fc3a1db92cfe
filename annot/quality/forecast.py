"""How many labels a target needs, and where the model levels off, each with its 80 % interval; or that it is too early to say.

The curve so far must come from labels the model did not choose. Numbers rest on curves drawn by their likelihood (``curves``); whether
to trust them yet on the sequential scheme of Vilares Ferro, Darriba Bilbao & Ribadas Pena, "Modeling of learning curves with
applications to POS tagging" (Computer Speech & Language 41, 2017). Must not know of money, hours or the store.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from annot.errors import BadInput
from annot.quality import curves
from annot.quality.curves import Array, CurvePoint

__all__ = ["Ahead", "CurvePoint", "Forecast", "Outcome", "Range", "Trend", "first_passage", "forecast"]

BAND = 0.80
TAILS = ((1 - BAND) / 2, 0.5, (1 + BAND) / 2)
DRAWS = 1_000
GRID = 48
# Label counts with a point below which nothing is fitted: a curve has three parameters.
LEAST_POINTS = 5
# Before a forecast is told, the trends of the newest part of the labels, and at least so many, must agree in quality at the horizon.
LOOK_BACK, LEAST_TRENDS = 0.2, 3
PROXIMITY = 0.05


class Outcome(Enum):
    """What can be said of a target."""

    REACHED = "reached"
    WITHIN = "within the horizon"
    BEYOND = "beyond the horizon"
    NEVER = "not reachable"
    EARLY = "too early"


@dataclass(frozen=True, slots=True)
class Range:
    """A median with the bounds of its 80 % interval; each may be infinite."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class Ahead:
    """Quality to expect at so many labels."""

    labels: int
    quality: Range


@dataclass(frozen=True, slots=True)
class Trend:
    """What a power law fitted to ever more of the points says: the paper's two conditions for a forecast.

    ``prediction_level`` is the label count from which on every trend foretells a quality that exists (at most 1) at the horizon, which
    is where a lead looks; the paper asks it of the asymptote. None while the newest trend does not. ``proximity`` is by how much the
    trends of the newest LOOK_BACK of the labels, at least LEAST_TRENDS, differ there, None while there are fewer.
    """

    prediction_level: int | None
    proximity: float | None

    @property
    def close(self) -> bool:
        """Tell whether the proximity condition holds."""
        return self.proximity is not None and self.proximity <= PROXIMITY


@dataclass(frozen=True, slots=True)
class Forecast:
    """What to expect of a target.

    ``band`` begins at the newest point and ends at the horizon. ``labels`` counts all labels, those spent included; infinite means more
    than the horizon. ``withheld`` says why the numbers are not to be shown yet, empty when they are; they are missing only where there
    are too few points to fit. ``families`` are the learning curves' shares of the probability, largest first.
    """

    target: float
    horizon: int
    outcome: Outcome
    sentence: str
    withheld: str
    band: tuple[Ahead, ...]
    asymptote: Range | None
    labels: Range | None
    families: tuple[tuple[str, float], ...]
    trend: Trend

    @property
    def reachable(self) -> bool | None:
        """Return whether the target can be reached with this model; None where that cannot be told."""
        return {Outcome.REACHED: True, Outcome.WITHIN: True, Outcome.NEVER: False}.get(self.outcome)

    def at(self, labels: float) -> Range:
        """Return the quality to expect at ``labels``, between the band's counts in a straight line. Raises BadInput outside them."""
        if not self.band or not self.band[0].labels <= labels <= self.band[-1].labels:
            raise BadInput(f"The forecast says nothing of {labels:g} labels.")
        counts = [one.labels for one in self.band]
        sides = ([getattr(one.quality, side) for one in self.band] for side in ("low", "median", "high"))
        return Range(*(float(np.interp(labels, counts, side)) for side in sides))


def forecast(points: Sequence[CurvePoint], target: float, horizon: int, seed: int = 0, *, same_items: bool = False) -> Forecast:
    """Foretell quality up to ``horizon`` labels and the labels that ``target``, in 0..1, needs. The same seed gives the same answer.

    Quality is that on all texts, so that the error all points share widens the band; with ``same_items`` it is what the items that the
    points were judged on will show, like a test split on the same plot. Points may come in any order, several at one count. Raises
    BadInput for a point or target outside 0..1 or not finite, a point below one label, and a horizon not above the newest point.
    """
    points = _checked(points, target, horizon)
    counts = len({point.labels for point in points})
    if counts < LEAST_POINTS:
        few = f"the curve has {counts} label {'count' if counts == 1 else 'counts'} with an estimate, and {LEAST_POINTS} are needed"
        return Forecast(target, horizon, Outcome.EARLY, f"too early to say: {few}", few, (), None, None, (), Trend(None, None))
    fitted = curves.fit(points, horizon)
    ahead = np.unique(np.geomspace(points[-1].labels, horizon, GRID).round())
    draws = fitted.draw(DRAWS, ahead, np.random.default_rng(seed), same_items)
    rows = np.quantile(draws.values, TAILS, axis=0).T
    asymptote = Range(*(float(bound) for bound in np.quantile(draws.asymptotes, TAILS)))
    labels = Range(*np.quantile(first_passage(ahead, draws.values, target), TAILS, method="inverted_cdf").tolist())
    if reached := points[-1].value >= target:
        labels = Range(ahead[0], ahead[0], labels.high)
    reached = reached or labels.median == ahead[0]
    trend = _trend(points, horizon)
    withheld = "" if reached else _doubt(trend)
    outcome = _outcome(reached, withheld, labels, asymptote, target)
    return Forecast(
        target=target,
        horizon=horizon,
        outcome=outcome,
        sentence=_sentence(outcome, withheld, labels, asymptote, Range(*rows[-1].tolist()), target, horizon),
        withheld=withheld,
        band=tuple(Ahead(int(count), Range(*row.tolist())) for count, row in zip(ahead, rows, strict=True)),
        asymptote=asymptote,
        labels=labels,
        families=tuple(sorted(fitted.family_weights().items(), key=lambda one: -one[1])),
        trend=trend,
    )


def first_passage(labels: Array, values: Array, target: float) -> Array:
    """Return for each curve of ``values`` (d, n) at ``labels`` (n,) where it first is at ``target`` (d,), infinite where it never is."""
    best = np.maximum.accumulate(values, axis=1)
    there = best >= target
    after = np.maximum(there.argmax(axis=1), 1)
    row = np.arange(len(values))
    low, high = best[row, after - 1], best[row, after]
    part = np.clip((target - low) / np.maximum(high - low, 1e-12), 0, 1)
    found = np.where(there[:, 0], labels[0], labels[after - 1] + part * (labels[after] - labels[after - 1]))
    return np.where(there.any(axis=1), found, np.inf)


def _checked(points: Sequence[CurvePoint], target: float, horizon: int) -> list[CurvePoint]:
    """Return the points in order, thinned to what a fit takes. Raises BadInput."""
    if not (math.isfinite(target) and 0 <= target <= 1):
        raise BadInput(f"A target must be a quality from 0 to 1, not {target}.")
    for point in points:
        if not (math.isfinite(point.value) and 0 <= point.value <= 1 and math.isfinite(point.error) and point.error >= 0):
            raise BadInput(f"At {point.labels} labels the curve is at {point.value} with error {point.error}: not a quality from 0 to 1.")
        if point.labels < 1:
            raise BadInput(f"A curve begins at one label or more, not at {point.labels}.")
    found = sorted(points, key=lambda one: one.labels)
    if not math.isfinite(horizon) or (found and horizon <= found[-1].labels):
        raise BadInput(f"A forecast must look beyond the {found[-1].labels if found else 0} labels there are; the horizon is {horizon}.")
    kept = np.unique(np.linspace(0, len(found) - 1, min(len(found), curves.MOST_POINTS)).round().astype(int))
    return [found[place] for place in kept]


def _trend(points: Sequence[CurvePoint], horizon: int) -> Trend:
    foretold = curves.power_laws(points, horizon)[1]
    plausible = foretold <= 1
    start = len(points) - int(np.argmin(plausible[::-1]))  # the first ones are not: they are NaN
    level = points[start].labels if start < len(points) else None
    recent = sum(point.labels > (1 - LOOK_BACK) * points[-1].labels for point in points)
    newest = foretold[-max(LEAST_TRENDS, recent) :]
    newest = newest[np.isfinite(newest)]
    proximity = float(newest.max() - newest.min()) if len(newest) >= LEAST_TRENDS else None
    return Trend(level, proximity)


def _doubt(trend: Trend) -> str:
    """Return why a forecast would come too early, empty where it does not."""
    if trend.prediction_level is None:
        return "the curve still rises as if it had no end"
    if not trend.close:
        return "with each new point the curve foretells something else"
    return ""


def _outcome(reached: bool, withheld: str, labels: Range, asymptote: Range, target: float) -> Outcome:
    if reached:
        return Outcome.REACHED
    if withheld:
        return Outcome.EARLY
    if asymptote.high < target and math.isinf(labels.median):
        return Outcome.NEVER
    return Outcome.BEYOND if math.isinf(labels.median) else Outcome.WITHIN


def _sentence(outcome: Outcome, withheld: str, labels: Range, asymptote: Range, end: Range, target: float, horizon: int) -> str:
    high = f"more than {horizon:,}" if math.isinf(labels.high) else _about(labels.high)
    if outcome is Outcome.REACHED:
        goal = f"the target of {round(target, 3):g}"
        return f"the estimate is at {goal}, not surely (80 %: now to {high} labels)" if labels.high > labels.low else f"{goal} is reached"
    if outcome is Outcome.EARLY:
        return f"too early to say: {withheld}"
    if outcome is Outcome.NEVER:
        off = (asymptote.high - asymptote.low) / 2
        return f"not reachable with this model: levels off near {asymptote.median:.2f} ± {off:.2f}"
    if outcome is Outcome.BEYOND:
        return f"not within {horizon:,} labels: about {end.median:.2f} by then (80 %: {end.low:.2f} to {end.high:.2f})"
    return f"about {_about(labels.median)} labels (80 %: {_about(labels.low)} to {high})"


def _about(labels: float) -> str:
    """Return a label count in two significant digits: more would claim too much."""
    return f"{round(labels, -max(0, math.floor(math.log10(labels)) - 1)):,.0f}"
