"""How good forecasts are: replayed curves cut at half, what was foretold of the other half against what came.

Truth is what a replay's test part says, the same texts at every point. So forecasts are made of what those texts will show, and beside
it of the quality on all texts, whose band allows for the chance of other texts too. That chance is then made: the first half is seen
through audit items drawn for it, as in a project, and the test part stands for all texts. Must not choose the forecast's constants:
curves for that are judged on training texts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annot.quality.forecast import CurvePoint, Forecast, Range, forecast
from annot.simulate.grid import Result, read
from annot.simulate.report import name_of

Array = NDArray[np.float64]

LEAST_POINTS = 11
# Targets lie at these parts of the way from the value at the cut to the highest one after it.
PARTS = (0.25, 0.5, 0.75, 1.0)
# The horizon, in times the curve's last label count. At 1, "never" is a hit for what came last, and no answer is far off.
HORIZONS = (1, 2)
# Audit items at the cut; at the first point there are a sixth of them.
AUDITS, AT_FIRST, AUDIT_DRAWS = (60, 200), 6, 5
TOLERANCE = 1e-9
# What is asked of it: the share of later points in the 80 % band, and the error of labels to a target beside the last slope's.
COVERAGE, RATIO = (0.70, 0.90), 0.5


@dataclass(frozen=True, slots=True)
class Target:
    """A quality that the second half reached: by how many labels each method was off, at each of HORIZONS, which caps its answer.

    ``inside`` tells whether the 80 % interval of the first horizon holds the truth.
    """

    inside: bool
    forecast: tuple[float, ...]
    last_two: tuple[float, ...]
    last_three: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One curve cut at half: shares of later points in the band, in that of all texts, and under the band; its mean width; its targets."""

    data: str
    points: int
    withheld: bool
    inside: float
    inside_all_texts: float
    audited: tuple[float, ...]  # of AUDITS: the share in the band of all texts when the first half is seen through as many items
    under: float
    width: float
    targets: tuple[Target, ...]


def measure(results: Path) -> dict[str, Any]:
    """Return what forecasts from the first half of every curve of at least LEAST_POINTS points in ``results`` were worth.

    Rows are over all curves, those of each data set, those of each length, and those whose forecast was not withheld. Raises BadInput.
    """
    cases = [_case(result) for result in read(results) if len(result.points) >= LEAST_POINTS]
    groups = [("all", cases)]
    groups += [(data, [case for case in cases if case.data == data]) for data in sorted({case.data for case in cases})]
    for points in sorted({case.points for case in cases}):
        groups.append((f"curves of {points} points", [case for case in cases if case.points == points]))
    groups.append(("not withheld", [case for case in cases if not case.withheld]))
    return {"curves": len(cases), "horizons": list(HORIZONS), "rows": [_row(name, group) for name, group in groups if group]}


def _case(result: Result) -> Case:
    metric, size = result.cell["metric"], result.cell["test"]
    points = [CurvePoint(one["labels"], one[metric], math.sqrt(one[metric] * (1 - one[metric]) / size)) for one in result.points]
    cut = (len(points) + 1) // 2
    past, later = points[:cut], points[cut:]
    values = np.array([point.value for point in later])
    made, wide = (forecast(past, 1.0, later[-1].labels, same_items=same) for same in (True, False))
    low, high = (np.array([getattr(made.at(point.labels), side) for point in later]) for side in ("low", "high"))
    rng = np.random.default_rng(int(result.key, 16))
    audits = [[forecast(audited(past, most, rng), 1.0, later[-1].labels) for _ in range(AUDIT_DRAWS)] for most in AUDITS]
    return Case(
        data=name_of(result),
        points=len(points),
        withheld=bool(made.withheld),
        inside=float(np.mean((low <= values) & (values <= high))),
        inside_all_texts=_share_inside(wide, later),
        audited=tuple(float(np.mean([_share_inside(one, later) for one in told])) for told in audits),
        under=float(np.mean(values < low)),
        width=float(np.mean(high - low)),
        targets=tuple(_targets(points, cut)),
    )


def audited(points: Sequence[CurvePoint], most: int, rng: np.random.Generator) -> list[CurvePoint]:
    """Return a curve as a growing set of audit items, ``most`` at its end, would show it.

    Each item has a difficulty drawn once, and a model gets right those below its quality: so points share what their items share.
    """
    difficulty = rng.random(most)
    found = []
    for point, size in zip(points, np.linspace(most // AT_FIRST, most, len(points)).astype(int), strict=True):
        right = int((difficulty[:size] < point.value).sum())
        smoothed_share = (right + 1) / (size + 2)  # none wrong of ten does not make it certain
        found.append(CurvePoint(point.labels, right / size, math.sqrt(smoothed_share * (1 - smoothed_share) / size)))
    return found


def _share_inside(told: Forecast, later: Sequence[CurvePoint]) -> float:
    return float(np.mean([told.at(point.labels).low <= point.value <= told.at(point.labels).high for point in later]))


def _targets(points: Sequence[CurvePoint], cut: int) -> list[Target]:
    """Return the targets of a curve; none where its second half is nowhere above the first."""
    smooth = smoothed(np.array([point.value for point in points]))
    past, later = points[:cut], points[cut:]
    # Above what the newest point shows and what it is smoothed to: else a target could be one that is reached at the cut.
    start, top = max(past[-1].value, smooth[cut - 1]), smooth[-1]
    if top <= start + TOLERANCE:
        return []
    found = []
    for part in PARTS:
        target = float(start + part * (top - start)) - TOLERANCE
        truth = next(point.labels for point, value in zip(later, smooth[cut:], strict=True) if value >= target)
        horizons = [times * later[-1].labels for times in HORIZONS]
        told = [forecast(past, target, horizon, same_items=True).labels or Range(*[math.inf] * 3) for horizon in horizons]
        lines = [extrapolated(past[-count:], target) for count in (2, 3)]
        found.append(
            Target(
                told[0].low <= truth <= told[0].high,
                tuple(abs(min(one.median, horizon) - truth) for one, horizon in zip(told, horizons, strict=True)),
                *(tuple(abs(min(line, horizon) - truth) for horizon in horizons) for line in lines),
            )
        )
    return found


def smoothed(values: Array) -> Array:
    """Return the highest so far of the means of each value and its neighbours (n,): a rising curve through a noisy one."""
    means = [values[max(0, place - 1) : place + 2].mean() for place in range(len(values))]
    return np.maximum.accumulate(np.array(means))


def extrapolated(points: Sequence[CurvePoint], target: float) -> float:
    """Return at how many labels the least-squares slope of ``points``, from the newest on, is at ``target``; infinite if it never is."""
    labels, values = (np.array([getattr(point, name) for point in points], float) for name in ("labels", "value"))
    if values[-1] >= target:
        return float(labels[-1])
    centred = labels - labels.mean()
    slope = float(centred @ values / (centred @ centred))
    return float(labels[-1] + (target - values[-1]) / slope) if slope > 0 else math.inf


def _row(name: str, cases: Sequence[Case]) -> dict[str, Any]:
    targets = [target for case in cases for target in case.targets]

    def off(method: str) -> list[float]:
        errors = np.array([getattr(one, method) for one in targets]).reshape(len(targets), len(HORIZONS))
        return [round(float(one), 1) for one in np.median(errors, axis=0)] if targets else []

    def mean(of: str) -> float:
        return round(float(np.mean([getattr(case, of) for case in cases])), 3)

    return {
        "name": name,
        "curves": len(cases),
        "withheld": sum(case.withheld for case in cases),
        **{of: mean(of) for of in ("inside", "inside_all_texts", "under", "width")},
        "audited": [round(float(one), 3) for one in np.mean([case.audited for case in cases], axis=0)],
        "targets": len(targets),
        "labels_inside": round(float(np.mean([one.inside for one in targets])), 3) if targets else None,
        **{method: off(method) for method in ("forecast", "last_two", "last_three")},
    }


def table(facts: dict[str, Any]) -> list[str]:
    """Return two Markdown tables of ``facts``, coverage and labels to a target, each with what missed the aim said below it."""
    return [
        f"{facts['curves']} replayed curves of {LEAST_POINTS} points or more, each cut after the first half of its points. A later point "
        "is in the band when its value on the replay's own test part is: first of what that part will show, then of the quality on all "
        "texts, which allows for the chance of other texts too; then of that again, made from the first half as a growing set of audit "
        "items would have shown it (simulated: a model is right on the items whose difficulty, drawn once, is below its quality).",
        "",
        *_coverage_table(facts["rows"]),
        "",
        "Labels to a target, median over targets. A curve's targets lie a quarter, a half, three quarters and all of the way from its "
        "value at the cut to the highest one later, of means of three points; the truth is where that mean first gets there. Answers "
        "beyond the horizon, 'never' among them, count as the horizon: the curve's last label count, or twice it. The other answer is a "
        "straight line from the newest point on, with the slope of the last two or three points; where it falls, 'never'.",
        "",
        *_labels_table(facts["rows"], facts["horizons"]),
    ]


def _coverage_table(rows: Sequence[dict[str, Any]]) -> list[str]:
    lines = [
        "| curves | n | withheld | later points in the 80 % band | below it | in the band of all texts "
        f"| {' | '.join(f'that by {most} audit items' for most in AUDITS)} | width |",
        "|---|" + "--:|" * (6 + len(AUDITS)),
    ]
    for row in rows:
        shares = " | ".join(f"{share:.1%}" for share in (row["inside"], row["under"], row["inside_all_texts"], *row["audited"]))
        lines.append(f"| {row['name']} | {row['curves']} | {row['withheld']} | {shares} | {row['width']:.3f} |")
    missed = [f"{row['name']} ({row['inside']:.1%})" for row in rows if not COVERAGE[0] <= row["inside"] <= COVERAGE[1]]
    return [*lines, "", f"Outside {COVERAGE[0]:.0%} to {COVERAGE[1]:.0%}: {', '.join(missed) or 'none'}."]


def _labels_table(rows: Sequence[dict[str, Any]], horizons: Sequence[int]) -> list[str]:
    lines = [
        "| curves | targets | in the 80 % interval | horizon | forecast off by | line through two | ratio | through three | ratio |",
        "|---|" + "--:|" * 8,
    ]
    missed: list[str] = []
    for row in (one for one in rows if one["targets"]):
        for place, times in enumerate(horizons):
            ours, *lines_off = (row[method][place] for method in ("forecast", "last_two", "last_three"))
            cells = " | ".join(f"{off:.0f} | {_ratio(ours, off)}" for off in lines_off)
            lines.append(f"| {row['name']} | {row['targets']} | {row['labels_inside']:.1%} | {times} x | {ours:.0f} | {cells} |")
            sides = zip(("two", "three"), lines_off, strict=True)
            missed += [f"{row['name']}, {times} x, {side} ({_ratio(ours, off)})" for side, off in sides if ours > RATIO * off]
    return [*lines, "", f"Not at most {RATIO:g} of the line's error: {'; '.join(missed) or 'none'}."]


def _ratio(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.2f}" if theirs else "-"
