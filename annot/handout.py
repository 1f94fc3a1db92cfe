"""What a lead sends on: the budget curve as CSV and PNG, and a report as one HTML page that stands alone and prints on A4.

Must not compute a figure, nor hold a text of the project: whom a lead sends it to may not be meant to read these. The page runs no script
and fetches nothing; every name in it is hostile until escaped.
"""

import html
import io
import math
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np

from annot import __version__, charts, formats
from annot.errors import BadInput, UnknownName
from annot.loop import status
from annot.loop.report.record import Curve, LabelRow, Report
from annot.loop.status import Facts
from annot.quality import Interval
from annot.quality.phrases import percent
from annot.records import Estimate

COLUMNS = ("labels", "hours", "cost", "metric", "value", "low", "high", "n", "source", "model")
SUFFIXES = (".html", ".csv", ".png")
# So many labels, confused pairs and scarce labels leave the report on one page.
MOST_LABELS, MOST_CONFUSED, MOST_SCARCE = 10, 5, 3
LONGEST_NAME = 60
# What HTML cannot hold, and half characters, which UTF-8 cannot.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# Should an escape ever fail, the browser still runs nothing and asks nobody.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light; } * { box-sizing: border-box; } p, ul { margin: .2em 0; } ul { padding-left: 1.2em; }
body { margin: 0; background: #fff; color: #1c2321; font: 15px/1.4 system-ui, "Liberation Sans", Arial, sans-serif; }
main { max-width: 860px; margin: 0 auto; padding: 16px; overflow-wrap: anywhere; } @page { size: A4; margin: 11mm 13mm; }
h1 { font-size: 1.5em; line-height: 1.2; margin: 0; } h2 { font-size: 1em; margin: .9em 0 .2em; color: #08695a; }
.quiet { color: #55605c; font-size: .87em; } .big { font-size: 1.7em; font-weight: 600; line-height: 1.2; }
.verdict { margin: .7em 0; padding: .5em .8em; border-left: .4em solid #1f5fa8; background: #eef3f9; }
.verdict p { font-size: 1.25em; font-weight: 600; line-height: 1.3; }
.stop, .near { border-color: #08695a; background: #eaf5f2; } .out_of_reach { border-color: #b3261e; background: #fbeeed; }
.columns { display: grid; grid-template-columns: 3fr 2fr; gap: 0 1.4em; } .columns > * { min-width: 0; }
figure { margin: .6em 0 0; } svg { display: block; width: 100%; height: auto; } caption, th, td { text-align: left; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; } thead th, td span { white-space: nowrap; }
th, td { vertical-align: top; padding: .12em .6em .12em 0; border-bottom: 1px solid #dde3e0; } tbody th { font-weight: 400; }
@media (max-width: 640px) { body { font-size: 14px; } .columns { display: block; } table { font-size: .8em; } tbody th { min-width: 6em; } }
@media print { body { font-size: 8.8pt; line-height: 1.32; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  main { max-width: none; padding: 0; } .columns { display: grid; } th, td { padding: .04em .6em .04em 0; }
  figure, tr, li, .verdict { break-inside: avoid; } }
"""


def as_csv(facts: Facts) -> str:
    """Return the points of the budget curve, oldest first, as CSV (RFC 4180) under one header line; only the header where there is none.

    Values are in 0..1. ``hours`` are those of the report, in a straight line between its points; after its last one, and where no time
    is known, they are empty. So is ``cost`` without a rate. No cell holds words of a person, which a spreadsheet could run.
    """
    rate, rows = facts.settings.hourly_rate, []
    for point in facts.curve:
        hours = _hours(facts.report, point.labels)
        cost = round(hours * rate, 2) if hours is not None and rate else None
        known = {"hours": None if hours is None else round(hours, 4), "cost": cost}
        rows.append({name: known[name] if name in known else getattr(point, name) for name in COLUMNS})
    written = io.BytesIO()
    formats.write("csv", written, rows, columns=COLUMNS)
    return written.getvalue().decode("utf-8")


def as_png(facts: Facts, across: str = "labels") -> bytes | None:
    """Return the budget chart against labels, hours or cost as a picture of 1,500 pixels' width; None where there is no point.

    Raises BadInput for an axis that is none, or of which nothing is known: hours before the first report, cost without a rate.
    """
    if across not in charts.ACROSS:
        raise UnknownName("axis", across, list(charts.ACROSS))
    timed = facts.report is not None and facts.report.effort.per_hour is not None
    if across != "labels" and not (timed and (across == "hours" or facts.settings.hourly_rate)):
        raise BadInput(f"There is no curve against {across}: it takes a report on timed answers, and an hourly rate for cost (Settings).")
    chart = charts.budget(facts, across)
    if chart is None:
        return None
    picture = io.BytesIO()
    chart.properties(width=680, height=340).save(picture, format="png", scale_factor=2)
    return picture.getvalue()


def as_html(facts: Facts) -> str:
    """Return the report as one page of HTML: no text of an item, no name of a person.

    All is as of the newest report: what came later its sentences do not know. Raises BadInput before the first report.
    """
    report = _report_of(facts)
    now = replace(facts, curve=_as_of(facts, report), spent=report.labels)
    top = _columns([*_curve(now, report), *_saved(report)], [*_quality(now, report), *_ahead(now, report)])
    blocks = [*top, *_labels(report), *_held_back(now, report), *_estimated(now, report)]
    body, title = "\n".join([*_heading(facts, report), *blocks]), f"{facts.project.name}: report at {report.labels:,} labels"
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{_text(title)}</title><style>{STYLE}</style></head>\n'
        f"<body><main>\n{body}\n</main></body>\n</html>\n"
    )


def save(facts: Facts, path: Path) -> None:
    """Write the handout that the suffix of ``path`` names; an existing file is replaced once the new one is whole.

    Raises BadInput for another suffix, before the first report or the first point, and where the path cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise BadInput(f"A report ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, which chooses what it is; {path.name!r} does not.")
    _report_of(facts)
    made = as_png(facts) if suffix == ".png" else as_html(facts) if suffix == ".html" else as_csv(facts) if facts.curve else None
    if made is None:
        raise BadInput(f"The budget curve of {facts.project.name} has no point yet: answer audit items, or import a test split.")
    with formats.replacing(path) as file:
        file.write(made if isinstance(made, bytes) else made.encode("utf-8"))


def _report_of(facts: Facts) -> Report:
    if facts.report is None:
        needed = "It takes answers with two different labels and a running worker (python -m annot worker): label on and try again."
        raise BadInput(f"There is no report on {facts.project.name} yet. {needed}")
    return facts.report


def _hours(report: Report | None, labels: int) -> float | None:
    if report is None or report.effort.per_hour is None or not report.curve or labels > report.curve[-1].labels:
        return None
    counts, hours = zip((0, 0.0), *((one.labels, one.hours) for one in report.curve), strict=True)
    return float(np.interp(labels, counts, hours))


def _as_of(facts: Facts, report: Report) -> list[Estimate]:
    """Return the estimates the report was made with. Its own curve stands for the figure it is about, as points are replaced later on;
    of other figures there are those of the same model."""
    mine = (report.source, report.metric)
    others = [
        one
        for one in facts.curve
        if (one.source, one.metric) != mine and one.labels <= report.labels and one.at <= report.at and one.model == report.model
    ]
    own = [Estimate(one.labels, *mine, one.value, one.low, one.high, one.n, one.model, report.at) for one in report.curve]
    return [*others, *own]


def _text(words: str) -> str:
    return html.escape(UNPRINTABLE.sub("\ufffd", words))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")


def _paragraphs(lines: Iterable[str], kind: str = "") -> list[str]:
    return [f"<p{kind}>{_text(_sentence(line))}</p>" for line in lines if line]


def _list(lines: Sequence[str]) -> list[str]:
    return ["<ul>", *(f"<li>{_text(line)}</li>" for line in lines), "</ul>"] if lines else []


def _columns(left: Iterable[str], right: Iterable[str]) -> list[str]:
    return ['<div class="columns"><div>', *left, "</div><div>", *right, "</div></div>"]


def _percent(found: Interval | Curve | Estimate) -> str:
    interval = Interval(found.value, found.low, found.high, found.n)
    return percent(interval) if interval.n > 0 and all(map(math.isfinite, astuple(interval))) else "not known"


def _big(newest: Curve) -> str:
    """Return the figure with its interval; the interval alone where too few items were judged to say it closer."""
    few = newest.n < charts.FEW
    return f"{100 * newest.low:.0f} to {100 * newest.high:.0f} %" if few else _percent(newest)


def _rests_on(source: str, n: int) -> str:
    return f"{n:,} {'texts of the test split' if source == 'test' else 'audit texts, drawn at random'}"


def _heading(facts: Facts, report: Report) -> list[str]:
    behind, said = facts.spent - report.labels, report.verdict
    since = f"; {abs(behind):,} labels were {'given' if behind > 0 else 'taken back'} since" if behind else ""
    when = time.strftime("%d %B %Y", time.localtime(report.at))
    model = f"model {report.model}" if report.model else "the plain encoder"
    made = f"As of {report.labels:,} labels on a pool of {facts.pool:,} texts, {when}, {model}{since}. Made by Annot {__version__}."
    return [
        f'<header><h1>{_text(facts.project.name)}</h1><p class="quiet">{made}</p></header>',
        *(f'<section class="verdict {said.kind}"><p>{_text(said.sentence)}</p>', *_list(said.advice), "</section>"),
    ]


def _curve(now: Facts, report: Report) -> list[str]:
    chart = charts.budget(now)
    if chart is None:
        return [f"<p>There is no curve yet: fewer than {charts.LEAST_ITEMS} labels that the model did not choose.</p>"]
    size = {"labelFontSize": 13, "titleFontSize": 13}
    sized = chart.properties(width=440, height=235).configure(aria=False, axis=size, legend=size)
    words = [f"{charts.METRICS[report.metric]} against labels spent; the band of what is measured is a 90 % interval"]
    words += ["The red line is the target"] if report.target else []
    if report.shadow is not None and report.shadow.curve and report.metric == "accuracy":
        words.append("Random labelling is replayed from these labels on the plain encoder: it compares, it does not measure")
    said = " ".join(map(_sentence, words))
    found = f" At {report.curve[-1].labels:,} labels {_percent(report.curve[-1])}." if report.curve else ""
    return ["<figure>", drawn(sized, f"Budget curve. {said}{found}"), f'<figcaption class="quiet">{_text(said)}</figcaption></figure>']


def drawn(chart: Any, label: str) -> str:
    """Return an Altair chart as an ``<svg>`` to put into a page: one picture, named ``label`` to those who do not see it.

    Names in the chart must be free of UNPRINTABLE, at which vl-convert 1.9 aborts the process. The budget curve has none.
    """
    found = io.StringIO()
    chart.save(found, format="svg")
    begin, inside = found.getvalue().strip().removesuffix("</svg>").split(">", 1)
    return f'{begin} role="img" aria-label="{_text(label)}"><g aria-hidden="true">{inside}</g></svg>'


def _quality(now: Facts, report: Report) -> list[str]:
    if not report.curve:
        return ["<h2>Quality</h2><p>Not known yet: there is no label that the model did not choose.</p>"]
    latest = {(point.source, point.metric): point for point in now.curve if point.metric in charts.METRICS}
    latest.pop((report.source, report.metric), None)
    others = (f"{charts.METRICS[one.metric]} {_percent(one)}, on {_rests_on(one.source, one.n)}" for one in latest.values())
    return [
        f'<h2>{charts.METRICS[report.metric]}</h2><p class="big">{_big(report.curve[-1])}</p>',
        f"<p>90 % interval, on {_rests_on(report.source, report.curve[-1].n)}.</p>",
        *_paragraphs(others, ' class="quiet"'),
    ]


def _ahead(now: Facts, report: Report) -> list[str]:
    work = report.effort
    pace = f"{work.per_day:,.0f} labels a day by {work.people} {'person' if work.people == 1 else 'people'}" if work.per_day else ""
    took = [status.effort_words(report, now.settings) or "No time is known of these labels", pace]
    ahead = status.ahead_words(report, now.settings, max(1, work.people), report.at) or [_untargeted(report)]
    return ["<h2>What it took</h2>", *_paragraphs(took), "<h2>What is ahead</h2>", *_paragraphs(ahead)]


def _saved(report: Report) -> list[str]:
    known = report.shadow.words if report.shadow is not None else "It is not known yet"
    return ["<h2>What choosing the texts saved</h2>", *_paragraphs([known])]


def _untargeted(report: Report) -> str:
    ahead = report.forecast
    if ahead is None or ahead.withheld or not ahead.band:
        return f"The forecast: {ahead.sentence}" if ahead is not None else "There is no forecast yet"
    count = min(max(2 * report.labels, ahead.band[0].labels), ahead.band[-1].labels)
    low, median, high = (100 * bound for bound in astuple(ahead.at(count)))
    return f"No target is set. At {count:,} labels expect {charts.METRICS[report.metric]} {median:.0f} % (80 %: {low:.0f} to {high:.0f})"


def _labels(report: Report) -> list[str]:
    rows, left = list(report.per_label), len(report.per_label) - MOST_LABELS
    rows = sorted(rows, key=lambda row: row.f1.value)[:MOST_LABELS] if left > 0 else rows
    note = f"; the {MOST_LABELS} labels of the lowest F1, {left} others are left out" if left > 0 else ""
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Label", "Answers", "Precision", "Recall", "F1"))
    return [
        f'<h2>Label by label</h2><table><caption class="quiet">With 90 % intervals{note}.</caption>',
        *(f"<thead><tr>{heads}</tr></thead><tbody>", *map(_row, rows), "</tbody></table>"),
    ]


def _row(row: LabelRow) -> str:
    name = row.name if len(row.name) <= LONGEST_NAME else f"{row.name[: LONGEST_NAME - 1]}…"
    told = (_percent(one).partition(" (") for one in (row.precision, row.recall, row.f1))
    cells = "".join(f"<td><span>{value}</span> <span>{opened.strip()}{rest}</span></td>" for value, opened, rest in told)
    return f'<tr><th scope="row">{_text(name)}</th><td>{row.answers:,}</td>{cells}</tr>'


def _held_back(now: Facts, report: Report) -> list[str]:
    held = report.held_back
    confused = [one.words for one in held.confusion[:MOST_CONFUSED]]
    scarce, more = [words for words, _ in held.scarce[:MOST_SCARCE]], len(held.scarce) - MOST_SCARCE
    none = f"No mistake on {held.judged:,} texts so far." if held.judged else "There is no text to judge by yet."
    found = f"Taken for one another, of {_rests_on(report.source, held.judged)}:" if confused else none
    words = [f"Calibration: {held.calibration_words}", now.self_training.words, *(one.words for one in held.drift if one.found)]
    few = ["<p>Too few answers:</p>", *_list([*scarce, *([f"and {more} more labels"] if more > 0 else [])])] if scarce else []
    return ["<h2>What holds the model back</h2>", *_columns([f"<p>{found}</p>", *_list(confused)], [*few, *_paragraphs(words)])]


def _estimated(now: Facts, report: Report) -> list[str]:
    basis = "Quality is that of the present model on the test split: texts labelled by people that the model never learned from."
    if report.source != "test":
        basis = (
            f"Quality is that of the present model on all {now.pool:,} texts of the pool. Those that people labelled count as they are; "
            "the others are estimated from audit texts, drawn at random and labelled by people, neither chosen by the model nor learned "
            "from, and from what the model says of those that nobody labelled."
        )
        if report.released:
            basis += f" {report.released:,} audit texts that the model would have asked for itself are training labels instead."
    basis += "" if now.project.exclusive else " For accuracy, a text is right where its whole set of labels is."
    bands = "Intervals are to hold the truth in 90 of 100 cases, the bands of the forecast and of random labelling in 80 of 100."
    return ["<h2>How this was estimated</h2>", f'<p class="quiet">{basis} {bands}</p>']
