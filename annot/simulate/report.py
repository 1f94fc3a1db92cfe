"""What the results of replays say: a table of means with their spread, area under the curve, label savings, and curves to look at.

Pure functions over results; the charts are specifications that the Lead page shows and ``png`` draws. Must not run a cell.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from annot.settings import Workspace
from annot.simulate.cell import ALL
from annot.simulate.grid import Result

# A 90 % interval of the mean of a few seeds: Student's t, two-sided, by degrees of freedom.
T_90 = {1: 6.31, 2: 2.92, 3: 2.35, 4: 2.13, 5: 2.02, 6: 1.94, 7: 1.89, 8: 1.86, 9: 1.83}


@dataclass(frozen=True, slots=True)
class Summary:
    """One policy on one data set, over its seeds: mean and standard deviation of the final score and of the area under the curve.

    The area is the mean height of the curve between the first and the last label count, so it lies in 0..1 too.
    """

    data: str
    policy: str
    metric: str
    seeds: int
    labels: int
    final: float
    final_sd: float
    area: float
    area_sd: float
    seconds: float


def results_file(home: Workspace) -> Path:
    """Return where a workspace keeps the results of its replays, unless told otherwise."""
    return home.home / "simulate" / "results.jsonl"


# What must be alike for results to be compared; the rest is what a policy or a seed is about.
SETTING = ("content", "pool", "test", "judge", "level", "encoder", "objective", "run_steps", "query")


def comparable(results: Sequence[Result]) -> list[Result]:
    """Return the results that were made under the setting of their data set's newest one, each policy and seed once, the newest."""
    newest: dict[str, Result] = {}
    for result in sorted(results, key=lambda one: one.finished_at):
        newest[name_of(result)] = result
    kept: dict[tuple[str, str, int], Result] = {}
    for result in sorted(results, key=lambda one: one.finished_at):
        if all(result.cell.get(name) == newest[name_of(result)].cell.get(name) for name in SETTING):
            kept[name_of(result), result.cell["policy"], result.cell["seed"]] = result
    return [result for result in results if kept.get((name_of(result), result.cell["policy"], result.cell["seed"])) is result]


def grouped(results: Iterable[Result]) -> dict[tuple[str, str], list[Result]]:
    """Return the results by (data, policy), data sets and policies in the order they first came."""
    found: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        found[name_of(result), result.cell["policy"]].append(result)
    return dict(found)


def name_of(result: Result) -> str:
    return str(result.cell["data"]) + ("-parents" if result.cell["level"] else "")


def summarise(results: Sequence[Result]) -> list[Summary]:
    """Return one line a data set and policy; each is judged at the label counts that all policies of its data set reached."""
    lines = []
    groups = grouped(results)
    for (data, policy), cells in groups.items():
        metric = cells[0].cell["metric"]
        labels = min(cell.points[-1]["labels"] for (other, _), those in groups.items() if other == data for cell in those)
        curves = [[(point["labels"], point[metric]) for point in cell.points if point["labels"] <= labels] for cell in cells]
        if not all(curves):  # it began later than others ended, like a reference with all labels
            continue
        finals, areas = [curve[-1][1] for curve in curves], [area(curve) for curve in curves]
        lines.append(
            Summary(
                data,
                policy,
                metric,
                len(cells),
                labels,
                float(np.mean(finals)),
                _sd(finals),
                float(np.mean(areas)),
                _sd(areas),
                float(np.mean([cell.seconds for cell in cells])),
            )
        )
    return lines


def area(points: Sequence[tuple[int, float]]) -> float:
    """Return the mean height of a curve of (labels, score) between its ends, by the trapezoid rule."""
    labels, scores = (np.array(values, float) for values in zip(*points, strict=True))
    if len(labels) < 2:
        return float(scores[0])
    return float(np.sum(np.diff(labels) * (scores[1:] + scores[:-1]) / 2) / (labels[-1] - labels[0]))


def labels_to_reach(points: Sequence[tuple[int, float]], target: float) -> float | None:
    """Return at how many labels a curve first reaches ``target``, between points in a straight line; None where it never does."""
    before: tuple[int, float] | None = None
    for labels, score in points:
        if score >= target:
            if before is None or score == before[1]:
                return float(labels)
            return before[0] + (labels - before[0]) * (target - before[1]) / (score - before[1])
        before = (labels, score)
    return None


def mean_curve(cells: Sequence[Result], metric: str) -> list[tuple[int, float, float, int]]:
    """Return (labels, mean score, half of its 90 % interval, seeds) at every count that each of the cells has a point at."""
    scores = [{point["labels"]: point[metric] for point in cell.points} for cell in cells]
    shared = sorted(set.intersection(*(set(one) for one in scores)))
    curve = []
    for labels in shared:
        values = [one[labels] for one in scores]
        half = T_90.get(len(values) - 1, 1.7) * _sd(values) / np.sqrt(len(values)) if len(values) > 1 else 0.0
        curve.append((labels, float(np.mean(values)), float(half), len(values)))
    return curve


def _sd(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def table(lines: Sequence[Summary]) -> str:
    """Return the summary as text for a terminal, the best area of each data set marked."""
    best = {data: max(line.area for line in lines if line.data == data) for data in {line.data for line in lines}}
    width = max([len(line.policy) for line in lines] + [6])
    head = f"{'data':<16} {'policy':<{width}} seeds labels  score (sd)      area (sd)      s/seed"
    rows = [
        f"{line.data:<16} {line.policy:<{width}} {line.seeds:>5} {line.labels:>6}  {line.final:.3f} ({line.final_sd:.3f})  "
        f"{line.area:.3f} ({line.area_sd:.3f}){'*' if line.area == best[line.data] else ' '} {line.seconds:>6.0f}"
        for line in lines
    ]
    return "\n".join(
        [
            head,
            *rows,
            "Score: accuracy, or macro-F1 where several labels may hold or one prevails. * the largest area of its data set.",
        ]
    )


COLUMNS = ["data", "policy", "labels", "score", "low", "high", "seeds"]


def frame(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return the mean curves as rows for a chart."""
    rows = []
    for (data, policy), cells in grouped(results).items():
        for labels, mean, half, seeds in mean_curve(cells, cells[0].cell["metric"]):
            rows.append(dict(zip(COLUMNS, (data, policy, labels, mean, mean - half, mean + half, seeds), strict=True)))
    return rows


def chart(results: Sequence[Result], data: str) -> Any:
    """Return an Altair chart of one data set's mean curves with 90 % bands, for a page or for ``png``."""
    import altair as alt
    import pandas as pd

    rows = pd.DataFrame([row for row in frame(results) if row["data"] == data and row["policy"] != ALL], columns=COLUMNS)
    metric = next(str(result.cell["metric"]) for result in results if name_of(result) == data).replace("_f1", "-F1")
    order, legend = list(dict.fromkeys(rows["policy"])), alt.Legend(symbolOpacity=1)
    colour = alt.Color("policy:N", title=None, scale=alt.Scale(scheme="tableau10"), sort=order, legend=legend)
    base = alt.Chart(rows).encode(x=alt.X("labels:Q", title="Labels"), color=colour)
    shown = [alt.Tooltip(f"{name}:{kind}", format=form) for name, kind, form in (("policy", "N", ""), ("labels", "Q", "d"))]
    shown += [alt.Tooltip("score:Q", format=".3f"), alt.Tooltip("low:Q", format=".3f"), alt.Tooltip("high:Q", format=".3f"), "seeds:Q"]
    y = alt.Y("score:Q", title=metric, scale=alt.Scale(zero=False))
    band = base.mark_area(opacity=0.12).encode(y=alt.Y("low:Q", title=metric, scale=alt.Scale(zero=False)), y2="high:Q")
    line = base.mark_line(strokeWidth=2).encode(y=y)
    dots = base.mark_point(filled=True, size=26).encode(y=y, tooltip=shown)
    return alt.layer(band, line, dots).properties(title=data, width=560, height=320)


def draw(results: Sequence[Result], folder: Path) -> list[Path]:
    """Write a picture a data set (PNG), and the chart itself beside it (Vega-Lite JSON); return the pictures' paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for data in dict.fromkeys(name_of(result) for result in results):
        made = chart(results, data)
        (folder / f"{data}.json").write_text(json.dumps(made.to_dict()), "utf-8")
        made.save(str(folder / f"{data}.png"), scale_factor=1.5)
        paths.append(folder / f"{data}.png")
    return paths
