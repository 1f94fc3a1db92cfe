"""The lead's charts, as Altair specifications of a project's facts: the page shows them, and the handout draws them as pictures.

Must not compute a figure: what is drawn is what ``stats --json`` prints.
"""

from collections.abc import Callable
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from annot.loop.report.record import LabelRow, Report
from annot.loop.status import Facts
from annot.records import Estimate, RunState

SOURCES = {"test": "Test split", "audit": "Audit items"}
METRICS = {"accuracy": "Accuracy", "macro_f1": "Macro-F1", "micro_f1": "Micro-F1"}
MEASURED, FORECAST, RANDOM = "measured", "forecast, 80 %", "random labelling, 80 %"
COLOURS = {MEASURED: "#0b8a76", FORECAST: "#7a5bd0", RANDOM: "#c77700"}
QUIET = "#8a8f8c"
ACROSS = {"labels": "Labels spent", "hours": "Hours of labelling", "cost": "Cost"}
# The forecast is drawn as far as so many times the labels there are, or a little beyond the target: further it is a band of everything.
DRAWN_AHEAD = 2.0
# An estimate on fewer items jumps between nothing and everything.
LEAST_ITEMS = 5
# Judged on fewer items the interval is what is known, so it stands where the figure else does.
FEW = 30
# Of each of the small charts, in pixels: two of them stand beside each other on a telephone.
WIDE, HIGH = 96, 76


def budget(facts: Facts, across: str = "labels") -> alt.LayerChart | None:
    """Return the budget curve: quality with its interval against labels, hours or money, what is foretold, what random labelling would
    have given, the target and the runs. None while there is no point. Raises KeyError for another axis."""
    report = facts.report
    measured = _measured(facts)
    if not measured:
        return None
    place = _scale(facts, across)
    rows = [_row(MEASURED, one.labels, one.value, one.low, one.high, place) | {"n": one.n, "model": one.model} for one in measured]
    end = DRAWN_AHEAD * max(1, facts.spent)
    if report is not None and report.forecast is not None and not report.forecast.withheld:
        ahead = report.forecast
        if report.target and ahead.labels and ahead.labels.median < float("inf"):
            end = max(end, 1.15 * ahead.labels.median)
        rows += [
            _row(FORECAST, one.labels, one.quality.median, one.quality.low, one.quality.high, place)
            for one in ahead.band
            if one.labels <= end
        ]
    if report is not None and report.shadow is not None and report.metric == "accuracy":
        rows += [_row(RANDOM, one.labels, one.value, one.low, one.high, place) for one in report.shadow.curve if one.labels <= end]
    frame = pd.DataFrame(rows)
    x = alt.X(
        "x:Q", title=ACROSS[across], axis=alt.Axis(tickMinStep=1 if across == "labels" else 0, format="d" if across == "labels" else "")
    )
    metric = METRICS[report.metric if report else "accuracy"]
    y = alt.Y("value:Q", title=metric, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%"))
    present = [name for name in COLOURS if any(row["what"] == name for row in rows)]
    colour = alt.Color(
        "what:N",
        title=None,
        scale=alt.Scale(domain=present, range=[COLOURS[name] for name in present]),
        legend=alt.Legend(orient="bottom", symbolType="stroke", symbolSize=250, symbolStrokeWidth=3, symbolOpacity=1, labelLimit=240),
    )
    dash = alt.StrokeDash(
        "what:N", scale=alt.Scale(domain=present, range=[[1, 0] if name == MEASURED else [6, 4] for name in present]), legend=None
    )
    base = alt.Chart(frame)
    layers: list[Any] = [
        base.mark_area(opacity=0.14).encode(x=x, y=alt.Y("low:Q", title=metric), y2="high:Q", color=colour),
        base.mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour, strokeDash=dash),
        base.transform_filter(alt.datum.what == MEASURED).mark_point(filled=True, size=24).encode(x=x, y=y, color=colour, tooltip=_tips()),
    ]
    runs = [{"x": place(run.labels), "mark": f"model {run.number}"} for run in facts.runs if run.state is RunState.PUBLISHED]
    changes = [{"x": place(one.labels), "mark": one.words} for one in report.changes] if report is not None else []
    for marks, dashes in ((runs, [4, 4]), (changes, [1, 3])):
        if marks:
            layers.append(alt.Chart(pd.DataFrame(marks)).mark_rule(strokeDash=dashes, color=QUIET).encode(x="x:Q", tooltip="mark:N"))
    if report is not None and report.target:
        goal = pd.DataFrame([{"y": report.target, "goal": f"target {100 * report.target:g} %"}])
        layers.append(alt.Chart(goal).mark_rule(color="#c9342b", strokeWidth=1.5).encode(y="y:Q", tooltip="goal:N"))
    return alt.layer(*layers).properties(height=360)


def _measured(facts: Facts) -> list[Estimate]:
    """Return the points of the figure the lead asked for: the newest at each label count, as known now."""
    source, metric = facts.shown_source, facts.report.metric if facts.report else "accuracy"
    newest = {one.labels: one for one in facts.curve if one.source == source and one.metric == metric and one.n >= LEAST_ITEMS}
    return list(newest.values())


def _scale(facts: Facts, across: str) -> Callable[[float], float]:
    """Return what turns a label count into the axis asked for; hours and money go by the report's own points, then by the pace."""
    if across == "labels" or facts.report is None:
        return float
    report = facts.report
    rate = facts.settings.hourly_rate if across == "cost" else 1.0
    counts, hours = zip((0, 0.0), *((one.labels, one.hours) for one in report.curve), strict=True)
    pace = 1 / report.effort.per_hour if report.effort.per_hour else 0.0
    return lambda labels: rate * (float(np.interp(labels, counts, hours)) + pace * max(0.0, labels - counts[-1]))


def _row(what: str, labels: float, value: float, low: float, high: float, place: Callable[[float], float]) -> dict[str, Any]:
    return {"what": what, "x": place(labels), "labels": labels, "value": value, "low": low, "high": high}


def _tips() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("labels:Q", title="Labels"),
        alt.Tooltip("value:Q", format=".1%", title="Value"),
        alt.Tooltip("low:Q", format=".1%", title="From"),
        alt.Tooltip("high:Q", format=".1%", title="To"),
        alt.Tooltip("n:Q", title="Items judged on"),
        alt.Tooltip("model:Q", title="Model"),
    ]


def per_label(report: Report, most: int = 12) -> list[tuple[str, alt.LayerChart]]:
    """Return a small chart of F1 against labels spent for each label, with its name, those with the lowest F1 first; none before two
    reports. Each stands alone, so that a page can break their row where it is narrow."""
    if len(report.history) < 2:
        return []
    worst = sorted(report.per_label, key=lambda row: row.f1.value)[:most]
    return [(row.name, _one_label(report, row)) for row in worst]


def _one_label(report: Report, row: LabelRow) -> alt.LayerChart:
    rows = [
        {"labels": one.labels, "f1": value, "low": low, "high": high}
        for one in report.history
        for label, value, low, high in one.f1
        if label == row.label
    ]
    base = alt.Chart(pd.DataFrame(rows))
    y = alt.Y("f1:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%", tickCount=3))
    x = alt.X("labels:Q", title=None, axis=alt.Axis(tickCount=3, format="d"))
    tips = [alt.Tooltip("labels:Q", title="Labels"), alt.Tooltip("f1:Q", format=".1%", title="F1"),
            alt.Tooltip("low:Q", format=".1%", title="From"), alt.Tooltip("high:Q", format=".1%", title="To")]  # fmt: skip
    band = base.mark_area(opacity=0.16, color=COLOURS[MEASURED]).encode(x=x, y=alt.Y("low:Q", title=None), y2="high:Q")
    line = base.mark_line(color=COLOURS[MEASURED], point=alt.OverlayMarkDef(size=18)).encode(x=x, y=y, tooltip=tips)
    title = alt.Title(row.name, limit=1.4 * WIDE, fontSize=13)
    # Streamlit would fit axes and title into these sizes too.
    return alt.layer(band, line).properties(title=title, width=WIDE, height=HIGH, autosize="pad")


def reliability(report: Report) -> alt.LayerChart | None:
    """Return the reliability diagram: how often the model is right against how sure it is. None without a judged item."""
    bins = report.held_back.calibration.bins
    if not bins:
        return None
    frame = pd.DataFrame(
        [{"sure": one.confidence, "right": one.right.value, "low": one.right.low, "high": one.right.high, "n": one.right.n} for one in bins]
    )
    x = alt.X("sure:Q", title="How sure the model is", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%"))
    y = alt.Y("right:Q", title="How often it is right", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%"))
    ideal = alt.Chart(pd.DataFrame({"sure": [0, 1], "right": [0, 1]})).mark_line(strokeDash=[4, 4], color=QUIET).encode(x=x, y=y)
    base = alt.Chart(frame)
    tips = [alt.Tooltip("sure:Q", format=".1%", title="Sure"), alt.Tooltip("right:Q", format=".1%", title="Right"),
            alt.Tooltip("n:Q", title="Items")]  # fmt: skip
    span = base.mark_rule(color=COLOURS[MEASURED], strokeWidth=2).encode(x=x, y=alt.Y("low:Q", title=None), y2="high:Q")
    dots = base.mark_point(filled=True, size=60, color=COLOURS[MEASURED]).encode(x=x, y=y, tooltip=tips)
    return alt.layer(ideal, span, dots).properties(height=260)
