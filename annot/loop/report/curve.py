"""Quality as it was measured: the curve so far, each label's own figures, and how the curve goes on. Must not say what to do about it."""

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from annot import quality
from annot.loop.report.look import Look
from annot.loop.report.record import Curve, LabelRow
from annot.quality.effort import hours_at
from annot.quality.forecast import CurvePoint, Forecast, forecast
from annot.records import Relation, Split

# The curve is thinned to so many points.
POINTS = 150
# How far ahead a forecast looks: so many times the labels there are, and so many more at least.
AHEAD, AHEAD_AT_LEAST = 4, 500
HALF_INTERVAL = 1.645
# Points judged on fewer items are no ground for a forecast.
LEAST_ITEMS = 10

T = TypeVar("T")


def measured_curve(look: Look, source: str) -> tuple[str, tuple[Curve, ...]]:
    """Return the metric the lead asks for, accuracy where there is none such, and its curve with hours."""
    known = look.store.runs.estimates(look.project.id, source)
    metric = look.settings.target_metric if any(one.metric == look.settings.target_metric for one in known) else "accuracy"
    newest = {one.labels: one for one in known if one.metric == metric and one.labels <= look.spent}
    points = thinned([newest[labels] for labels in sorted(newest)], POINTS)
    hours = hours_at([one.labels for one in points], look.spending)
    return metric, tuple(
        Curve(one.labels, spent, one.value, one.low, one.high, one.n, one.model) for one, spent in zip(points, hours, strict=True)
    )


def target_of(look: Look, metric: str) -> float | None:
    """Return the target, None where none is set or it is one of a figure that is not estimated here."""
    return (look.settings.target or None) if metric == look.settings.target_metric else None


def look_ahead(look: Look, metric: str, curve: Sequence[Curve]) -> Forecast | None:
    points = [
        CurvePoint(one.labels, one.value, (one.high - one.low) / (2 * HALF_INTERVAL))
        for one in curve
        if one.labels > 0 and one.n >= LEAST_ITEMS
    ]
    horizon = min(max(AHEAD * look.spent, look.spent + AHEAD_AT_LEAST), look.whole)
    if not points or horizon <= points[-1].labels:
        return None
    return forecast(points, target_of(look, metric) or 1.0, horizon, look.settings.seed, same_items=False)


def judge_labels(look: Look) -> tuple[LabelRow, ...]:
    found, known = quality.label_quality(look.judged.sample, seed=look.settings.seed), len(look.judged.truth) > 0
    nothing = quality.Interval(0.0, 0.0, 1.0, 0)  # a model is no judge of itself
    given = Counter(
        label for answer in look.answers if answer.split is Split.POOL and answer.relation is Relation.IS for label in answer.labels
    )
    share = look.predicted.mean(axis=0) * look.whole
    return tuple(
        LabelRow(
            label,
            name,
            given[label],
            round(float(share[at])),
            *((found.precision[at], found.recall[at], found.f1[at]) if known else (nothing,) * 3),
        )
        for at, (label, name) in enumerate(look.labels)
    )


def thinned(rows: Sequence[T], most: int) -> list[T]:
    if len(rows) <= most:
        return list(rows)
    return [rows[place] for place in np.unique(np.linspace(0, len(rows) - 1, most).round().astype(int))]
