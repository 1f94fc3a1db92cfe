"""Making a project's report: a background job, as it learns a head, replays labels and draws curves for some seconds.

Must not decide what is asked or published: what it says is read by people only. Quality rests on the test split where there is one,
else on audit items.
"""

import json
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

import numpy as np

from annot import frozen, quality
from annot.loop import smalltext_stopping
from annot.loop.encoding import Progress
from annot.loop.findings import find_held_back, hints, not_audited
from annot.loop.look import Look
from annot.loop.report import Change, Curve, LabelRow, Memory, Milestone, Report, earlier
from annot.loop.shadow import Material, Shadow, shadow
from annot.quality import effort as efforts
from annot.quality.effort import Effort
from annot.quality.forecast import CurvePoint, Forecast, Range, forecast
from annot.quality.stopping import Kind, Verdict, verdict
from annot.quality.votes import Band, Checkpoint, Facts
from annot.records import Project, Reason, Relation, Split
from annot.settings import ProjectSettings, Workspace
from annot.store import Store
from annot.store.reports import Stored

# New labels after which a report is made again: so many, or so large a share of the labels there are. It takes some 7 s of one core.
EVERY, EVERY_SHARE = 20, 0.05
STOP_SET, CHECKPOINTS = 500, 8
# The curve is thinned to so many points, and so many earlier reports are remembered.
POINTS, MILESTONES, CHANGES = 150, 40, 10
# How far ahead a forecast looks: so many times the labels there are, and so many more at least.
AHEAD, AHEAD_AT_LEAST = 4, 500
HALF_INTERVAL = 1.645
# Points judged on fewer items are no ground for a forecast.
LEAST_ITEMS = 10
# Where more of the labels than this share came with a file or were chosen by hand, the saving is not the model's.
OTHERS_SHARE = 0.1

T = TypeVar("T")


def is_due(store: Store, project: Project, spent: int) -> bool:
    """Tell whether labels have come, or the model, the label set or a setting it rests on changed, since the newest report."""
    last = store.reports.newest(project.id)
    before, _ = earlier(last)
    if last is None or before is None or last.model != (project.published_run or 0) or before.stamp != stamp_of(store, project):
        return True
    return abs(spent - last.labels) >= max(EVERY, EVERY_SHARE * last.labels)


def stamp_of(store: Store, project: Project) -> str:
    """Return what a report must be made anew for when it changes."""
    chosen = ProjectSettings.parse(project.settings)
    labels = [(label.id, label.title) for label in store.projects.labels(project.id)]
    return json.dumps([chosen.target, chosen.target_metric, chosen.min_gain, labels])


def report_project(workspace: Workspace, store: Store, project: Project, tell: Progress) -> bool:
    """Make the project's report and keep it; False where no model can be made of the labels yet."""
    started = time.perf_counter()
    tell(0, 3, "Judging the model")
    before, memory = earlier(store.reports.newest(project.id))
    look = Look.at(workspace, store, project)
    if look is None:
        return False
    memory = remember(look, memory)
    tell(1, 3, "Comparing with random labelling")
    beside = compare_with_random(look)
    tell(2, 3, "Looking ahead")
    report = replace(assemble(look, before, memory, beside), seconds=round(time.perf_counter() - started, 2))
    store.reports.replace(
        project.id, Stored(report.labels, project.published_run or 0, report.at, frozen.freeze(report), frozen.freeze(memory))
    )
    tell(3, 3, "The report is made")
    return True


def compare_with_random(look: Look) -> Shadow:
    labelled, plain = look.draft.labelled, look.plain
    others = sum(answer.split is Split.POOL and answer.reason in (Reason.IMPORTED, Reason.CHOSEN) for answer in look.answers)
    if others > OTHERS_SHARE * look.spent:
        words = f"The saving is not known: {others} of {look.spent} labels came with a file or were chosen by hand, not by the model."
        return Shadow((), None, None, False, words)
    places = plain.places(labelled.items)
    mine = ~labelled.test & (places >= 0)
    free = np.setdiff1d(np.arange(len(plain.ids)), places[mine])
    arms = Material(plain.matrix, free, places[mine], labelled.targets[mine], labelled.audit[mine], look.project.exclusive)
    return shadow(replace(arms, selector=look.settings.selector), look.settings.seed)


def remember(look: Look, before: Memory) -> Memory:
    """Return the memory with what this model takes the stop set for, as one checkpoint more."""
    ids = tuple(label for label, _ in look.labels)
    items, kept = before.items, before.checkpoints
    places = look.draft.pool.places(np.array(items, np.int64))
    if ids != before.labels or not len(items) or (places < 0).any():
        items = tuple(sorted(look.draft.rng.choice(look.draft.pool.ids, min(STOP_SET, len(look.draft.pool.ids)), replace=False).tolist()))
        places, kept = look.draft.pool.places(np.array(items, np.int64)), ()
    top = tuple(ids[column] for column in look.learned.proba[places].argmax(axis=1))
    kept = tuple(one for one in kept if one[0] < look.spent)
    return Memory(items, ids, (*kept, (look.spent, top))[-CHECKPOINTS:])


def assemble(look: Look, before: Report | None, memory: Memory, beside: Shadow) -> Report:
    judged = look.judged
    per_label = judge_labels(look)
    metric, curve = measured_curve(look, judged.source)
    ahead = look_ahead(look, metric, curve)
    work = efforts.effort(look.answered)
    f1 = tuple((row.label, row.f1.value, row.f1.low, row.f1.high) for row in per_label)
    passed = tuple(one for one in before.history if one.labels < look.spent) if before else ()
    history = _thinned((*passed, Milestone(look.spent, work.hours, look.model, f1)), MILESTONES)
    return Report(
        labels=look.spent,
        at=time.time(),
        model=look.model,
        source=judged.source,
        metric=metric,
        target=target_of(look, metric),
        released=len(look.store.queue.released(look.project.id)),
        audit=int((look.draft.labelled.audit & ~look.draft.labelled.test).sum()),
        curve=curve,
        per_label=per_label,
        history=tuple(history),
        effort=work,
        forecast=ahead,
        shadow=beside,
        verdict=weigh(look, metric, curve, ahead, work, memory),
        held_back=find_held_back(look),
        seconds=0.0,
        stamp=stamp_of(look.store, look.project),
        changes=changes(look.store.queue.strategies(look.project.id)),
    )


def changes(strategies: Sequence[tuple[int, str, bool]]) -> tuple[Change, ...]:
    """Put in words at how many labels the query strategy or the use of pseudo-labels changed, the newest CHANGES of them."""
    found: list[Change] = []
    for (_, before, used), (labels, selector, uses) in pairwise(strategies):
        words = [] if selector == before else [f"{selector} after {before}"]
        words += [] if uses == used else [f"self-training {'on' if uses else 'off'}"]
        found.append(Change(labels, ", ".join(words)))
    return tuple(found[-CHANGES:])


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


def target_of(look: Look, metric: str) -> float | None:
    """Return the target, None where none is set or it is one of a figure that is not estimated here."""
    return (look.settings.target or None) if metric == look.settings.target_metric else None


def measured_curve(look: Look, source: str) -> tuple[str, tuple[Curve, ...]]:
    """Return the metric the lead asks for, accuracy where there is none such, and its curve with hours."""
    known = look.store.runs.estimates(look.project.id, source)
    metric = look.settings.target_metric if any(one.metric == look.settings.target_metric for one in known) else "accuracy"
    newest = {one.labels: one for one in known if one.metric == metric and one.labels <= look.spent}
    points = _thinned([newest[labels] for labels in sorted(newest)], POINTS)
    hours = efforts.hours_at([one.labels for one in points], look.timed)
    return metric, tuple(
        Curve(one.labels, spent, one.value, one.low, one.high, one.n, one.model) for one, spent in zip(points, hours, strict=True)
    )


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


def weigh(look: Look, metric: str, curve: Sequence[Curve], ahead: Forecast | None, work: Effort, memory: Memory) -> Verdict:
    columns = {label: at for at, (label, _) in enumerate(look.labels)}
    checkpoints = [Checkpoint(labels, np.array([columns[one] for one in top], np.int16)) for labels, top in memory.checkpoints]
    stop_set = look.draft.pool.places(np.array(memory.items, np.int64))
    votes = smalltext_stopping.criteria(checkpoints, len(look.labels), look.learned.proba[stop_set], look.project.exclusive)
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


def _thinned(rows: Sequence[T], most: int) -> list[T]:
    if len(rows) <= most:
        return list(rows)
    return [rows[place] for place in np.unique(np.linspace(0, len(rows) - 1, most).round().astype(int))]


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
