"""The Lead page says what ``stats --json`` prints, draws it, hands it out, keeps up with it, and shows names and texts as they are."""

import csv
import html
import io
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page

from annot.loop import accounts
from annot.records import Role
from annot.settings import Workspace
from annot.store import Store
from tests.conftest import dataset
from tests.crowd import Crowd, gather, rows_of

from .conftest import ROOT, App, sign_in
from .test_access import AXE_SCRIPT, LOOKS, SETTLED

# Names and texts that would be a tag, or markup, to a page that took them for that.
TAG, BOLD = "<img src=x onerror=alert(1)>", "**bold**"
NAMES = {"location": TAG, "human": BOLD}
TEXTS, LABELS, RATE = 1_200, 300, 30.0
PASSWORD = "a password of tests"
# What Vega painted: for each mark its kind, with what each of its shapes stands for and where it is.
PAINTED = """chart => [...chart.querySelectorAll('svg.marks .role-mark')].flatMap(group => {
  const mark = [...group.querySelectorAll('*')].find(one => one.__data__)?.__data__.mark;
  const shapes = mark?.items.map(({ datum, x, y }) => ({ ...datum, left: x, top: y }));
  return mark ? [{ kind: mark.marktype, shapes }] : [];
})"""
Shape = dict[str, Any]


@dataclass
class Led:
    """The app with a labelled project."""

    app: App
    crowd: Crowd

    def stats(self) -> dict[str, Any]:
        command = [sys.executable, "-m", "annot", "stats", "--project", self.crowd.project.name, "--json"]
        environment = {**os.environ, "ANNOT_HOME": str(self.app.home.home)}
        said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        found: dict[str, Any] = json.loads(said.stdout)
        return found


@pytest.fixture(scope="module")
def led(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Led]:
    folder = dataset("trec6")
    rows = [(f"{text} {TAG} {BOLD}" if n % 3 else text, NAMES.get(label, label)) for n, (text, label) in enumerate(rows_of(folder, TEXTS))]
    home = Workspace(tmp_path_factory.mktemp("lead"))
    with Store(home.database) as store:
        lead, password = accounts.add_account(store, "lead", Role.LEAD)
        crowd = gather(home, store, lead, rows, audit_share=0.2, target=0.85, hourly_rate=RATE).label(store, LABELS)
        accounts.set_password(store, crowd.people[1].name, PASSWORD)
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = App(home, port, lead, password)
    app.start("web")
    yield Led(app, crowd)
    app.stop("web", kill=True)


@pytest.fixture
def page(led: Led, browser: Browser) -> Iterator[Page]:
    """The Lead page as the lead sees it, drawn to its end; a dialog that a text opened fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, accept_downloads=True)
    opened = context.new_page()
    alerts: list[str] = []
    opened.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    opened.goto(led.app.address)
    sign_in(opened, led.app.lead.name, led.app.password)
    opened.wait_for_selector("[data-item], [data-empty]", timeout=30_000)
    opened.goto(f"{led.app.address}/lead")
    opened.get_by_role("heading", name="Take it with you").wait_for(timeout=30_000)
    opened.wait_for_function("document.querySelectorAll('svg.marks').length >= 3", timeout=30_000)
    yield opened
    context.close()
    assert alerts == []


def words(page: Page) -> str:
    """Return the page's words, those of folded parts too, with all white space as one blank."""
    return " ".join((page.locator(".stMain").text_content() or "").split())


def unfold(page: Page, title: str) -> None:
    """Open a folded part. A click that meets the page's own refresh may do nothing; a person clicks again."""
    part = page.locator("details").filter(has=page.locator("summary", has_text=title))
    for _ in range(3):
        part.locator("summary").click()
        page.wait_for_timeout(500)  # its opening is animated
        if part.get_attribute("open") is not None:
            return
    raise AssertionError(f"{title!r} does not open")


def percent(found: dict[str, float]) -> str:
    return f"{100 * found['value']:.0f} % ({100 * found['low']:.0f} to {100 * found['high']:.0f})"


def painted(chart: Locator, kind: str) -> list[list[Shape]]:
    """Return the shapes of each mark of this kind, once all that is drawn has been painted."""
    chart.locator("svg.marks .role-mark path").first.wait_for(state="attached", timeout=20_000)
    return [mark["shapes"] for mark in chart.evaluate(PAINTED) if mark["kind"] == kind]


def chart_named(page: Page, begin: str) -> Locator:
    return page.locator(f'[data-testid=stVegaLiteChart][aria-label^="{begin}"]')


def assert_drawn(shapes: list[Shape], rows: list[Shape]) -> None:
    """Assert that the shapes stand for the rows, and stand as high as they say: on one straight line from value to place."""
    keys = list(rows[0])
    assert [[shape[key] for key in keys] for shape in shapes] == [pytest.approx([row[key] for key in keys]) for row in rows]
    low, high = (pick(shapes, key=lambda shape: shape[keys[1]]) for pick in (min, max))
    scale = (low["top"] - high["top"]) / (high[keys[1]] - low[keys[1]])
    assert scale > 50, "the chart is flat"
    for shape in shapes:
        assert shape["top"] == pytest.approx(low["top"] - scale * (shape[keys[1]] - low[keys[1]]), abs=0.01)


def measured(stats: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the accuracy's points: the newest at each label count, on enough items to be drawn."""
    points = [one for one in stats["curve"] if (one["source"], one["metric"]) == ("audit", "accuracy") and one["n"] >= 5]
    return list({one["labels"]: one for one in points}.values())


def test_the_page_says_what_stats_prints(led: Led, page: Page) -> None:
    stats = led.stats()
    report, shown = stats["report"], words(page)
    assert (stats["labels"], len({one["annotator"] for one in stats["per_day"]})) == (LABELS, 3)
    assert report["labels"] == LABELS
    point, goal = stats["accuracy"]["audit"], report["forecast"]["sentence"]
    work = report["effort"]
    votes = [vote["why"] for vote in report["verdict"]["votes"]]
    assert len(votes) >= 5
    assert [one for one in (
        report["verdict"]["sentence"], *report["verdict"]["advice"], *votes, f"For accuracy of 85 %: {goal}.", report["shadow"]["words"],
        f"{work['labels']} labels took {work['hours']:.1f} hours, €{work['hours'] * RATE:.2f}: {work['seconds']:.0f} seconds each",
        f"{point['value']:.1%}", f"{point['low']:.1%} to {point['high']:.1%}, {point['n']} items", f"Labels{LABELS}",
        f"{stats['audit_labels']} audit, {report['released']} of them released to training, {stats['skipped']} skipped",
        *(pair["words"] for pair in report["held_back"]["confusion"]), report["held_back"]["calibration_words"][1:],
        *(said for said, _ in report["held_back"]["scarce"]), *report["held_back"]["skip_words"], stats["self_training"]["words"][1:],
    ) if one not in shown] == []  # fmt: skip
    table = page.locator("[data-testid=stDataFrame]").first.locator("table tr").all()
    cells = {names: row.locator("td").all_text_contents() for names, row in zip(stats["per_label"], table[1:], strict=True)}
    assert cells == {
        row["name"]: [
            row["name"],
            str(row["answers"]),
            *(percent(row[one]) for one in ("f1", "precision", "recall")),
            str(row["predicted"]),
        ]
        for row in report["per_label"]
    }
    assert {row["name"]: row["answers"] for row in report["per_label"]} == stats["per_label"]


def test_the_budget_curve_draws_what_stats_prints(led: Led, page: Page) -> None:
    stats = led.stats()
    report, points = stats["report"], measured(stats)
    assert len(points) > 20
    hours = {one["labels"]: one["hours"] for one in report["curve"]}
    across = {"Labels": float, "Hours": hours.__getitem__, "Cost (€)": lambda labels: RATE * hours[labels]}
    titles = {"Labels": "labels spent", "Hours": "hours of labelling", "Cost (€)": "cost"}
    for button, place in across.items():
        page.get_by_role("radio", name=button).or_(page.get_by_role("button", name=button, exact=True)).click()
        chart = chart_named(page, f"Budget curve: Accuracy against {titles[button]};")
        (dots,) = painted(chart, "symbol")
        assert_drawn(dots, [{"labels": one["labels"], **{key: one[key] for key in ("value", "low", "high", "n")}} for one in points])
        assert [dot["x"] for dot in dots] == pytest.approx([place(one["labels"]) for one in points])
        places = [dot["left"] for dot in dots]
        assert places == sorted(places)
        assert places[-1] > places[0] + 50
        lines = {line[0]["what"]: line for line in painted(chart, "line")}
        forecast, random = lines.pop("forecast, 80 %", []), lines.pop("random labelling, 80 %")
        assert list(lines) == ["measured"]
        assert bool(forecast) == (not report["forecast"]["withheld"])
        band = [{"labels": one["labels"], **one["quality"]} for one in report["forecast"]["band"]]
        told = [{"labels": one["labels"], "value": one["median"], "low": one["low"], "high": one["high"]} for one in band]
        if forecast:
            assert forecast[-1]["labels"] >= min(report["forecast"]["labels"]["median"] or 0, told[-1]["labels"])
            assert_drawn(forecast, told[: len(forecast)])
        replayed = [one for one in report["shadow"]["curve"] if one["labels"] <= random[-1]["labels"]]
        assert random[-1]["labels"] >= LABELS
        assert_drawn(random, replayed)
        assert [rule["y"] for rules in painted(chart, "rule") for rule in rules if "goal" in rule] == [0.85]


def test_each_label_and_the_calibration_are_drawn_as_stats_prints_them(led: Led, page: Page) -> None:
    report = led.stats()["report"]
    for row in report["per_label"]:
        chart = chart_named(page, f"F1 of {row['name']} against")
        (dots,) = painted(chart, "symbol")
        told = [(one["labels"], *values) for one in report["history"] for label, *values in one["f1"] if label == row["label"]]
        assert len(told) == 3
        assert [(dot["labels"], dot["f1"], dot["low"], dot["high"]) for dot in dots] == [pytest.approx(one) for one in told]
        assert told[-1][1] == row["f1"]["value"]
    calibration = chart_named(page, "How often the model is right")
    (dots,) = painted(calibration, "symbol")
    bins = report["held_back"]["calibration"]["bins"]
    assert len(bins) > 1
    assert_drawn(dots, [{"sure": one["confidence"], "right": one["right"]["value"], "n": one["right"]["n"]} for one in bins])
    spans = [(rule["low"], rule["high"]) for rules in painted(calibration, "rule") for rule in rules]
    assert spans == [pytest.approx((one["right"]["low"], one["right"]["high"])) for one in bins]


def test_the_files_a_lead_takes_along_say_the_same(led: Led, page: Page) -> None:
    stats = led.stats()

    def taken(button: str) -> bytes:
        with page.expect_download(timeout=60_000) as waiting:
            page.get_by_role("button", name=button, exact=True).click()
        assert re.search(r"-(curve|report)-\d{4}-\d\d-\d\d\.\w+$", waiting.value.suggested_filename)
        return Path(waiting.value.path()).read_bytes()

    rows = list(csv.DictReader(io.StringIO(taken("Curve (CSV)").decode("utf-8"), newline="")))
    hours = {one["labels"]: one["hours"] for one in stats["report"]["curve"]}
    keys = ("labels", "value", "low", "high", "n", "model")
    assert [[float(row[key]) for key in keys] for row in rows] == [pytest.approx([one[key] for key in keys]) for one in stats["curve"]]
    assert [(row["metric"], row["source"]) for row in rows] == [(one["metric"], one["source"]) for one in stats["curve"]]
    assert [float(row["hours"]) for row in rows] == pytest.approx([hours[one["labels"]] for one in stats["curve"]], abs=1e-4)
    report = taken("Report (HTML)").decode("utf-8")
    told = html.unescape(re.sub("<[^>]*>", "", report))
    said = [stats["report"]["verdict"]["sentence"], stats["report"]["shadow"]["words"], percent(stats["accuracy"]["audit"])]
    assert [one for one in said if one not in told] == []
    assert all(name in told and name not in report for name in (TAG,))
    picture = taken("Curve (PNG)")
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(picture[16:20], "big") > 1_000


def test_names_and_texts_that_would_be_markup_are_shown_as_text(led: Led, page: Page) -> None:
    held = led.stats()["report"]["held_back"]
    pairs = [pair for pair in held["confusion"][:5] if any(TAG in text for _, text in pair["examples"])]
    assert pairs, "no text with a tag is among the examples; the test shows nothing"
    assert any(name in pair["words"] for pair in held["confusion"] for name in NAMES.values())
    for pair in pairs:
        unfold(page, pair["words"])
        for item, text in pair["examples"]:
            page.get_by_text(f"{item}: {text}", exact=True).wait_for(timeout=10_000)
    assert page.locator("img[src='x']").count() == 0
    assert page.locator(".stMain strong", has_text=re.compile("^bold$")).count() == 0


def test_axe_finds_nothing_on_the_lead_page(page: Page) -> None:
    folded = page.locator("details:not([open]) > summary")
    while folded.count():
        folded.first.click()
    found = {}
    for scheme, width in product(("light", "dark"), (1280, 390)):
        page.set_viewport_size({"width": width, "height": 860})
        page.emulate_media(**LOOKS[scheme])
        page.wait_for_function(SETTLED)
        page.wait_for_timeout(500)  # the charts are drawn anew
        page.evaluate("script => window.axe || eval(script)", AXE_SCRIPT)
        result = page.evaluate("axe.run(document, { resultTypes: ['violations', 'passes'] })")
        assert len(result["passes"]) > 15
        found[scheme, width] = [
            f"{rule['id']} ({rule['impact']}): {node['html'][:200]}" for rule in result["violations"] for node in rule["nodes"]
        ]
        assert page.evaluate("document.querySelector('.stMain').scrollWidth <= innerWidth"), f"{width}: the page scrolls sideways"
    assert {where: what for where, what in found.items() if what} == {}
    assert len(found) == 4


def test_an_annotator_is_not_shown_the_page(led: Led, browser: Browser) -> None:
    context = browser.new_context()
    opened = context.new_page()
    opened.goto(led.app.address)
    sign_in(opened, led.crowd.people[1].name, PASSWORD)
    opened.wait_for_selector("[data-item], [data-empty]", timeout=30_000)
    assert opened.get_by_role("link", name="Lead").count() == 0
    opened.goto(f"{led.app.address}/lead")
    opened.wait_for_selector("[data-item], [data-empty], [role=dialog]", timeout=30_000)
    opened.wait_for_timeout(4_000)
    assert opened.get_by_text("How good are we?").count() == 0
    assert opened.get_by_text("Budget curve").count() == 0
    context.close()


def test_the_page_keeps_up_by_itself(led: Led, page: Page) -> None:
    """The last test of the module: it labels on."""
    before = led.stats()
    page.locator("summary").filter(has_text="Why:").click()
    page.evaluate("window.same = true")
    with led.app.store() as store:
        led.crowd = led.crowd.label(store, 10)
    stats = led.stats()
    assert stats["report"]["effort"] != before["report"]["effort"]
    wait_until(lambda: f"As of {LABELS + 10} labels" in words(page), 20)
    shown, point = words(page), stats["accuracy"]["audit"]
    assert stats["report"]["verdict"]["sentence"] in shown
    assert f"Labels{LABELS + 10}" in shown
    assert f"{point['low']:.1%} to {point['high']:.1%}, {point['n']} items" in shown
    (dots,) = painted(chart_named(page, f"Budget curve: Accuracy against labels spent; at {LABELS + 10} labels"), "symbol")
    assert [dot["labels"] for dot in dots] == [one["labels"] for one in measured(stats)]
    assert page.evaluate("window.same"), "the page was loaded again"
    votes = page.locator("details").filter(has_text="Why:")
    page.wait_for_timeout(7_000)  # two refreshes, in which the time since the report changes
    assert votes.get_attribute("open") is not None, "what the lead had opened was folded up"
    assert stats["report"]["verdict"]["votes"][0]["why"] in votes.inner_text()


def wait_until(true: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)
