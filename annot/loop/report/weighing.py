"""What follows from a report's figures: go on, near, stop, or this will not get there. Must not measure anything itself."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from annot import quality
from annot.loop.report.curve import target_of
from annot.loop.report.findings import hints, not_audited
from annot.loop.report.look import Look
from annot.loop.report.record import Curve, Memory
from annot.quality import criteria
from annot.quality.effort import Effort
from annot.quality.forecast import Forecast, Range
from annot.quality.stopping import Kind, Verdict, verdict
from annot.quality.votes import Band, Checkpoint, Facts


def weigh(look: Look, metric: str, curve: Sequence[Curve], ahead: Forecast | None, work: Effort, memory: Memory) -> Verdict:
    columns = {label: at for at, (label, _) in enumerate(look.labels)}
    checkpoints = [Checkpoint(labels, np.array([columns[one] for one in top], np.int16)) for labels, top in memory.checkpoints]
    stop_set = look.draft.pool.places(np.array(memory.items, np.int64))
    votes = criteria.criteria(checkpoints, len(look.labels), look.learned.proba[stop_set], look.project.exclusive)
    newest = curve[-1] if curve else None
    told = ahead if ahead is not None and not ahead.withheld else None
    facts = Facts(
        estimate=None if newest is None else quality.Interval(newest.value, newest.low, newest.high, newest.n),
        target=target_of(look, metric),
        gain_per_hour=_gain(told, work.per_hour),
        min_gain=look.settings.min_gain,
        to_target=None if told is None or told.labels is None or not target_of(look, metric) else _band(told.labels, look.spent),
        asymptote=None if told is None or told.asymptote is None else _band(told.asymptote),
        labels_per_hour=work.per_hour,
        left=look.whole - len(look.draft.labelled.items[~look.draft.labelled.test]),
        metric=metric.replace("_f1", "-F1"),
        source=look.judged.source,
    )
    made = verdict(votes, facts, hints(look))
    if (why := not_audited(look)) and made.kind in (Kind.STOP, Kind.NEAR):
        return replace(made, kind=Kind.TOO_EARLY, sentence=f"Too early to say: {why}; go on until they are as large a part of both.")
    return replace(made, advice=(*made.advice, f"Quality speaks for the texts imported before: {why}.")) if why else made


def _gain(told: Forecast | None, per_hour: float | None) -> float | None:
    """Return the quality the next hour of labelling is expected to add."""
    if told is None or not told.band or not per_hour:
        return None
    first, last = told.band[0], told.band[-1]
    later = told.at(min(first.labels + per_hour, last.labels)).median
    hours = min(per_hour, last.labels - first.labels) / per_hour
    return (later - first.quality.median) / hours if hours > 0 else None


def _band(found: Range, spent: int = 0) -> Band:
    """Return the range less what is spent, infinite bounds as they are."""
    return Band(*(max(0.0, bound - spent) if math.isfinite(bound) else bound for bound in (found.low, found.median, found.high)))
