"""What a lead sends on: one page that stands alone and shows no text, the curve as CSV and PNG, files that appear whole or not at all."""

import csv
import io
import math
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from annot import charts, frozen, handout
from annot.cli import main
from annot.errors import AnnotError, BadInput, UnknownName
from annot.loop import status
from annot.loop.report.record import Confused, Curve, HeldBack, LabelRow, Memory, Milestone, Report
from annot.loop.report.shadow import Point, Saved, Shadow
from annot.loop.status import Facts
from annot.quality import Interval
from annot.quality.calibration import calibration
from annot.quality.diagnosis import Scarce, Skips
from annot.quality.effort import Effort
from annot.quality.forecast import Ahead, Forecast, Outcome, Range, Trend
from annot.quality.stopping import Kind, Verdict
from annot.records import Estimate, Project, Run, RunState
from annot.settings import ProjectSettings, Workspace
from annot.store import Store
from annot.store.reports import Stored

from .conftest import Small
from .test_cli import run

HOSTILE = ["</text><script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "&lt;b&gt; ]]> <!-- ' ={{7*7}}"]
AT = 1_790_000_000.0
SECRET = "a text nobody else may read"
NOTHING = Interval(0.0, 0.0, 1.0, 0)


def label_row(at: int, name: str, f1: float = 0.7) -> LabelRow:
    found = Interval(f1, f1 - 0.1, f1 + 0.1, 40)
    return LabelRow(at, name, 10 + at, 200, found, found, found)


def forecast(labels: Range | None = None, withheld: str = "") -> Forecast:
    labels = labels or Range(380.0, 460.0, math.inf)
    band = tuple(Ahead(count, Range(0.7 + count / 1e4, 0.75 + count / 1e4, 0.8 + count / 1e4)) for count in (300, 500, 800))
    asymptote = Range(0.8, 0.9, 0.95)
    return Forecast(0.9, 800, Outcome.WITHIN, "about 460 labels", withheld, band, asymptote, labels, (("power law", 1.0),), Trend(20, 0.01))


def report(names: list[str] | None = None, **changes: object) -> Report:
    rows = tuple(label_row(at, name) for at, name in enumerate(names or ["ham", "spam"]))
    f1 = tuple((row.label, row.f1.value, row.f1.low, row.f1.high) for row in rows)
    held = HeldBack(
        confusion=(Confused(f"{rows[0].name} taken for {rows[1].name}: 3 of 8, 38 % (16 to 65)", ((1, SECRET),)),),
        judged=40,
        scarce=((f"{rows[1].name}: 5 of at least 10 answers", Scarce(1, 5, 10, 7)),),
        skips=Skips(NOTHING, ()),
        skip_words=(),
        drift=(),
        calibration=calibration([[1.0, 0.0]] * 40, [[0.8, 0.2]] * 40),  # type: ignore[arg-type]
        calibration_words="underconfident by 20 points (10 to 20)",
    )
    made = Report(
        labels=300,
        at=AT,
        model=2,
        source="audit",
        metric="accuracy",
        target=0.9,
        released=3,
        audit=40,
        curve=(Curve(100, 0.2, 0.7, 0.6, 0.8, 20, 0), Curve(300, 0.5, 0.8, 0.71, 0.88, 40, 2)),
        per_label=rows,
        history=(Milestone(100, 0.2, 0, f1), Milestone(300, 0.5, 2, f1)),
        effort=Effort(300, 0.5, 5.4, 600.0, 80.0, 3),
        forecast=forecast(),
        shadow=Shadow((Point(75, 0.6, 0.5, 0.7), Point(600, 0.8, 0.7, 0.9)), None, Saved(480, 300, 700), True, "300 did the work of 480."),
        verdict=Verdict(Kind.GO_ON, f"Go on: {rows[0].name} needs more.", (f"Label more of {rows[1].name}.",)),
        held_back=held,
        seconds=1.0,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def facts(of: Report | None, name: str = "mail", **changes: object) -> Facts:
    points = [(50, 0.5, AT - 9), (100, 0.7, AT - 8), (300, 0.8, AT - 7), (330, 0.85, AT + 5)]
    curve = [Estimate(labels, "audit", "accuracy", value, value - 0.1, value + 0.08, 40, 2, at) for labels, value, at in points]
    curve.insert(3, Estimate(300, "audit", "macro_f1", 0.66, 0.5, 0.8, 40, 2, AT - 7))
    made = Facts(
        project=Project(1, name, True, "", {}, None, AT),
        labels=[],
        pool=2_000,
        test=0,
        spent=330,
        audit=43,
        skipped=1,
        per_label=[],
        per_day=[("2026-09-21", name, 300)],
        curve=curve,
        runs=[Run(1, 1, 2, RunState.PUBLISHED, 120, {}, "", AT, AT)],
        jobs=[],
        ranking=None,
        ranked_from="",
        worker=status.WorkerHealth(True, ""),
        self_training=status.SelfTraining("ust", False, None, f"self-training off: {name} did not help"),
        flags=[(1, SECRET, name, SECRET)],
        report=of,
        settings=ProjectSettings(hourly_rate=20.0),
        ahead={},
    )
    return replace(made, **changes)  # type: ignore[arg-type]


class Page(HTMLParser):
    """What a browser would make of a page: its tags, their attributes, its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page() -> str:
    return handout.as_html(facts(report()))


@pytest.mark.parametrize(
    "words",
    [
        "mail",
        "As of 300 labels on a pool of 2,000 texts",
        "model 2; 30 labels were given since",
        "Go on: ham needs more.",
        "Label more of spam.",
        "80 % (71 to 88)",
        "90 % interval, on 40 audit texts, drawn at random.",
        "Macro-F1 66 % (50 to 80), on 40 audit texts, drawn at random.",
        "300 labels took 0.5 hours, €10.00",
        "80 labels a day by 3 people.",
        "For accuracy of 90 %: about 460 labels.",
        "160 more labels: 0.3 hours, €5.33",
        "300 did the work of 480.",
        "ham taken for spam: 3 of 8, 38 % (16 to 65)",
        "spam: 5 of at least 10 answers",
        "Calibration: underconfident by 20 points (10 to 20).",
        "Self-training off: mail did not help.",
        "on all 2,000 texts of the pool",
        "3 audit texts that the model would have asked for itself",
    ],
)
def test_the_page_says_what_the_facts_say(page: str, words: str) -> None:
    assert words in Page(page).text


def test_the_date_is_the_one_the_lead_page_tells(page: str) -> None:
    of = facts(report())
    assert of.report is not None
    assert status.ahead_words(of.report, of.settings, 3, AT)[-1] in Page(page).text


def test_each_label_has_a_row_with_its_intervals(page: str) -> None:
    row = '<tr><th scope="row">spam</th><td>11</td>' + 3 * "<td><span>70 %</span> <span>(60 to 80)</span></td>" + "</tr>"
    assert row in page


def test_the_page_stands_alone(page: str) -> None:
    found = Page(page)
    assert not found.tags & {"script", "img", "link", "iframe", "object", "image", "use"}
    assert not [name for name in found.attributes if name.startswith("on") or name in ("src", "href", "xlink:href")]
    assert "url(" not in page
    assert not re.search(r"@import|https?://(?!www\.w3\.org/)", page)
    assert "default-src 'none'" in page


def test_the_chart_is_one_picture_with_words_for_those_who_do_not_see_it(page: str) -> None:
    found = re.search(r"<svg.*</svg>", page, re.DOTALL)
    assert found is not None
    root = ElementTree.fromstring(found[0])
    assert root.get("role") == "img"
    assert "At 300 labels 80 % (71 to 88)." in root.get("aria-label", "")
    assert [(len(root), root[0].get("aria-hidden"))] == [(1, "true")]
    assert '<html lang="en">' in page


def test_no_text_of_an_item_is_on_the_page(page: str) -> None:
    assert SECRET not in page


def test_points_that_came_after_the_report_are_left_out(page: str) -> None:
    later = facts(report())
    assert handout.as_html(replace(later, curve=later.curve[:-1])) == page


def test_names_that_would_be_tags_are_text(page: str) -> None:
    hostile = facts(report(HOSTILE), name=HOSTILE[0], settings=ProjectSettings(hourly_rate=20.0, currency=HOSTILE[1]))
    found, plain = Page(handout.as_html(hostile)), Page(page)
    assert (found.tags, found.attributes) == (plain.tags, plain.attributes)
    assert all(name in found.text for name in HOSTILE)


def test_names_that_would_be_tags_are_text_within_a_picture() -> None:
    found = charts.per_label(report(HOSTILE))
    assert sorted(name for name, _ in found) == sorted(HOSTILE)
    chart = next(chart for name, chart in found if name == HOSTILE[1])
    svg = handout.drawn(chart, HOSTILE[1])
    root = ElementTree.fromstring(svg)
    tags = {one.tag.rpartition("}")[2] for one in root.iter()}
    assert tags <= {"svg", "g", "path", "text", "rect", "line", "defs", "clipPath"}
    assert root.get("aria-label") == HOSTILE[1]
    assert not Page(svg).tags & {"script", "img"}
    assert not [name for name in Page(svg).attributes if name.startswith("on")]


def test_half_characters_and_nul_do_not_reach_the_page() -> None:
    page = handout.as_html(facts(report(["a\x00b", "c\ud800d"]), name="x\x1by", curve=[]))
    assert "a\ufffdb" in page.encode("utf-8").decode("utf-8")
    assert not re.search("[\x00\x1b\ud800]", page)


def test_of_many_labels_the_lowest_are_shown_and_the_rest_counted() -> None:
    rows = tuple(label_row(at, f"label {at} {'x' * 100}", f1=0.2 + at / 300) for at in range(150))
    page = handout.as_html(facts(report(per_label=rows), curve=[]))
    assert len(re.findall('<th scope="row">', page)) == handout.MOST_LABELS
    assert "the 10 labels of the lowest F1, 140 others are left out" in page
    assert "label 0 x" in page
    assert "label 10 x" not in page
    assert "x" * 61 not in page


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"curve": ()}, "Not known yet: there is no label that the model did not choose."),
        ({"forecast": None}, "There is no forecast yet."),
        ({"forecast": None, "target": None}, "There is no forecast yet."),
        ({"target": None}, "No target is set. At 600 labels expect Accuracy 81 % (80 %: 76 to 86)."),
        ({"target": None, "forecast": replace(forecast(), withheld="so", band=(), labels=None)}, "The forecast: about 460 labels."),
        ({"forecast": forecast(Range(math.inf, math.inf, math.inf))}, "For accuracy of 90 %: about 460 labels."),
        ({"shadow": None}, "It is not known yet."),
        ({"effort": Effort(0, 0.0, None, None, None, 0)}, "No time is known of these labels."),
        ({"per_label": (LabelRow(0, "ham", 0, 0, NOTHING, NOTHING, Interval(math.nan, 0, 1, 9)),)}, "not known"),
        ({"source": "test"}, "on 40 texts of the test split"),
        ({"held_back": replace(report().held_back, confusion=(), judged=0)}, "There is no text to judge by yet."),
        ({"metric": "macro_f1"}, "Macro-F180 % (71 to 88)"),
    ],
)
def test_what_is_not_known_is_said(changes: dict[str, object], words: str) -> None:
    assert words in Page(handout.as_html(facts(report(**changes), curve=[]))).text


def test_a_page_without_a_point_says_so() -> None:
    assert "There is no curve yet" in handout.as_html(facts(report(curve=()), curve=[]))


def test_the_csv_has_each_point_with_hours_and_cost() -> None:
    text = handout.as_csv(facts(report(HOSTILE), name="=cmd()"))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert text.startswith("labels,hours,cost,metric,value,low,high,n,source,model\r\n")
    assert [row["labels"] for row in rows] == ["50", "100", "300", "300", "330"]
    assert [row["hours"] for row in rows] == ["0.1", "0.2", "0.5", "0.5", ""]
    assert [row["cost"] for row in rows] == ["2.0", "4.0", "10.0", "10.0", ""]
    assert [float(row["value"]) for row in rows] == [point.value for point in facts(None).curve]
    assert {row["metric"] for row in rows} == {"accuracy", "macro_f1"}
    assert "cmd" not in text


@pytest.mark.parametrize(
    ("of", "settings"),
    [(None, ProjectSettings(hourly_rate=20.0)), (report(effort=Effort(0, 0.0, None, None, None, 0)), ProjectSettings(hourly_rate=20.0))],
)
def test_where_no_time_is_known_the_csv_has_no_hours(of: Report | None, settings: ProjectSettings) -> None:
    rows = list(csv.DictReader(io.StringIO(handout.as_csv(facts(of, settings=settings)))))
    assert {(row["hours"], row["cost"]) for row in rows} == {("", "")}


def test_without_a_rate_the_csv_has_hours_and_no_cost() -> None:
    rows = list(csv.DictReader(io.StringIO(handout.as_csv(facts(report(), settings=ProjectSettings())))))
    assert {(row["hours"] != "", row["cost"]) for row in rows[:4]} == {(True, "")}


def test_a_curve_without_points_is_a_header_and_no_picture() -> None:
    empty = facts(report(), curve=[])
    assert handout.as_csv(empty).count("\n") == 1
    assert handout.as_png(empty) is None


def test_the_curve_against_cost_is_a_png() -> None:
    drawn = handout.as_png(facts(report()), "cost")
    assert drawn is not None
    assert drawn.startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(
    ("of", "rate", "across", "fault"),
    [
        (report(), 20.0, "years", UnknownName),
        (None, 20.0, "hours", BadInput),
        (report(), 0.0, "cost", BadInput),
        (report(effort=Effort(0, 0.0, None, None, None, 0)), 20.0, "hours", BadInput),
    ],
)
def test_an_axis_of_which_nothing_is_known_is_refused(of: Report | None, rate: float, across: str, fault: type[AnnotError]) -> None:
    with pytest.raises(fault):
        handout.as_png(facts(of, settings=ProjectSettings(hourly_rate=rate)), across)


@pytest.mark.parametrize("suffix", [".html", ".CSV", ".png"])
def test_the_suffix_chooses_and_an_existing_file_is_replaced(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"mail{suffix}"
    path.write_text("old")
    handout.save(facts(report()), path)
    begins = {".html": b"<!doctype html>", ".csv": b"labels,", ".png": b"\x89PNG"}[suffix.lower()]
    assert path.read_bytes().startswith(begins)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("of", "name", "words"),
    [
        (report(), "mail.pdf", "A report ends in .html, .csv or .png"),
        (report(), "mail", "A report ends in"),
        (None, "mail.html", "There is no report on mail yet. It takes answers with two different labels"),
        (None, "mail.csv", "There is no report on mail yet."),
        (report(), "absent/mail.csv", "cannot be written: No such file or directory."),
        (report(), "file/mail.csv", "cannot be written: Not a directory."),
        (report(), "folder.csv", "cannot be written: Is a directory."),
        (report(), f"{'m' * 300}.csv", "cannot be written: File name too long."),
    ],
)
def test_a_report_that_cannot_be_written_is_refused_in_words(tmp_path: Path, of: Report | None, name: str, words: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(BadInput, match=re.escape(words)):
        handout.save(facts(of), tmp_path / name)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "folder.csv"]


@pytest.mark.parametrize("suffix", [".csv", ".png"])
def test_a_curve_without_points_is_no_file(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(BadInput, match="has no point yet: answer audit items"):
        handout.save(facts(report(), curve=[]), tmp_path / f"mail{suffix}")


def test_stats_writes_the_report_it_has(
    home: Workspace, store: Store, small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "small.html"
    code, _, err = run(capsys, "stats", "--project", "small", "--report", str(path))
    assert (code, path.exists()) == (1, False)
    assert "There is no report on small yet." in err
    store.reports.replace(small.project.id, Stored(300, 0, AT, frozen.freeze(report()), frozen.freeze(Memory((), (), ()))))
    assert main(["stats", "--project", "small", "--report", str(path)]) == 0
    assert "Go on: ham needs more." in path.read_text("utf-8")
    assert run(capsys, "stats", "--project", "small", "--report", "small.pdf")[0] == 1
