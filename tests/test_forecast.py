"""Forecasts of hand-made curves whose future is known."""

import json
import math
import re
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from annot.errors import BadInput
from annot.quality import curves
from annot.quality.forecast import CurvePoint, Forecast, Outcome, first_passage, forecast
from annot.simulate.studies import forecast as study


def power_law(*labels: int, noise: float = 0.0, error: float = 0.0, seed: int = 0) -> list[CurvePoint]:
    """Return 0.92 - 1.5 n^-0.7, which is at 0.86 after 99 labels and at 0.90 after 477."""
    jitter = np.random.default_rng(seed).normal(0, noise, len(labels)) if noise else np.zeros(len(labels))
    return [CurvePoint(n, float(0.92 - 1.5 * n**-0.7 + off), error) for n, off in zip(labels, jitter, strict=True)]


def flat(value: float = 0.8, error: float = 0.01) -> list[CurvePoint]:
    return [CurvePoint(n, value + 0.002 * (-1) ** (n // 10), error) for n in range(50, 450, 10)]


def test_a_power_law_is_recovered() -> None:
    told = forecast(power_law(*range(10, 260, 10)), 0.90, 2_000)
    assert told.asymptote is not None
    assert told.labels is not None
    assert told.asymptote.median == pytest.approx(0.92, abs=0.012)
    assert told.labels.low < 477 < told.labels.high
    assert told.labels.median == pytest.approx(477, rel=0.15)
    assert told.at(1_000).median == pytest.approx(0.92 - 1.5 * 1_000**-0.7, abs=0.008)
    assert told.outcome is Outcome.WITHIN
    assert told.reachable is True


def test_the_family_a_curve_came_from_is_the_likeliest() -> None:
    points = [CurvePoint(n, 0.9 - 0.5 * math.exp(-n / 80), 0.0) for n in range(10, 400, 10)]
    assert forecast(points, 0.95, 800).families[0][0] == "exponential"
    assert sum(weight for _, weight in forecast(points, 0.95, 800).families) == pytest.approx(1)


def test_a_flat_curve_levels_off_and_does_not_reach_more() -> None:
    told = forecast(flat(), 0.95, 800)
    assert told.outcome is Outcome.NEVER
    assert told.reachable is False
    assert re.fullmatch(r"not reachable with this model: levels off near 0\.8[01] ± 0\.0[12]", told.sentence)
    assert told.labels is not None
    assert math.isinf(told.labels.median)


def test_a_target_reached_already_needs_no_more_labels() -> None:
    told = forecast(power_law(*range(10, 260, 10)), 0.85, 1_000)
    assert told.outcome is Outcome.REACHED
    assert told.reachable is True
    assert told.labels is not None
    assert told.labels.median == 250
    assert told.sentence == "the target of 0.85 is reached"


@pytest.mark.parametrize("points", [[], power_law(30), power_law(30, 40, 50, 60), power_law(*[30] * 9)])
def test_too_few_points_say_so(points: list[CurvePoint]) -> None:
    told = forecast(points, 0.9, 500)
    assert told.outcome is Outcome.EARLY
    assert told.reachable is None
    assert told.sentence.startswith("too early to say: the curve has")
    assert (told.band, told.asymptote, told.labels) == ((), None, None)
    with pytest.raises(BadInput, match="says nothing"):
        told.at(100)


def test_a_curve_that_foretells_something_else_with_every_point_is_withheld() -> None:
    points = [CurvePoint(n, value, 0.01) for n, value in zip(range(30, 90, 10), (0.3, 0.32, 0.31, 0.33, 0.5, 0.7), strict=True)]
    told = forecast(points, 0.9, 1_000)
    assert told.outcome is Outcome.EARLY
    assert told.withheld
    assert told.sentence == f"too early to say: {told.withheld}"
    assert told.band  # for a page that draws it all the same


@pytest.mark.parametrize(
    ("points", "target", "horizon", "words"),
    [
        ([CurvePoint(10, math.nan, 0.01)], 0.9, 500, "not a quality"),
        ([CurvePoint(10, 0.5, math.nan)], 0.9, 500, "not a quality"),
        ([CurvePoint(10, 0.5, -0.1)], 0.9, 500, "not a quality"),
        ([CurvePoint(10, 1.5, 0.1)], 0.9, 500, "not a quality"),
        ([CurvePoint(0, 0.5, 0.1)], 0.9, 500, "begins at one label"),
        (power_law(10, 20), math.nan, 500, "target"),
        (power_law(10, 20), 1.2, 500, "target"),
        (power_law(10, 20), 0.9, 20, "beyond the 20 labels"),
        (power_law(10, 20), 0.9, math.nan, "beyond the 20 labels"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(points: list[CurvePoint], target: float, horizon: float, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        forecast(points, target, horizon)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "points",
    [
        [CurvePoint(n, 1.0, 0.0) for n in range(10, 200, 10)],
        [CurvePoint(n, 0.0, 0.0) for n in range(10, 200, 10)],
        [CurvePoint(n, 0.9 - n / 1_000, 0.0) for n in range(10, 200, 10)],
        [CurvePoint(n, 0.5 + 0.4 * (n >= 100), 0.3) for n in range(10, 200, 10)],
        [*power_law(*range(10, 100, 10)), *power_law(*range(10, 100, 10), noise=0.02)],
        power_law(*range(1_000_000, 1_000_006), error=0.01),
    ],
    ids=["all right", "all wrong", "falling", "one step", "two at each count", "hardly more labels"],
)
def test_degenerate_curves_have_an_answer_in_order(points: list[CurvePoint]) -> None:
    for target in (0.0, 0.7, 1.0):
        told = forecast(points, target, 2_000_000)
        ranges = [ahead.quality for ahead in told.band] + [one for one in (told.asymptote, told.labels) if one]
        assert len(told.band) > 5
        assert all(one.low <= one.median <= one.high for one in ranges)
        assert all(ahead.quality.low >= 0 and ahead.quality.high <= 1 for ahead in told.band)


@pytest.fixture(scope="module")
def noisy() -> Forecast:
    return forecast(power_law(*range(30, 210, 10), noise=0.008, error=0.01), 0.90, 1_600)


def test_the_same_seed_gives_the_same_forecast(noisy: Forecast) -> None:
    points = power_law(*range(30, 210, 10), noise=0.008, error=0.01)
    assert forecast(points[::-1], 0.90, 1_600) == noisy
    assert forecast(points, 0.90, 1_600, seed=1).band != noisy.band


def test_the_band_holds_its_median_from_now_to_the_horizon_and_widens(noisy: Forecast) -> None:
    assert (noisy.band[0].labels, noisy.band[-1].labels) == (200, 1_600)
    assert all(one.quality.low <= one.quality.median <= one.quality.high for one in noisy.band)
    widths = [noisy.at(labels).high - noisy.at(labels).low for labels in (200, 400, 800, 1_600)]
    assert widths == sorted(widths)


def test_more_is_never_reached_sooner() -> None:
    points = power_law(*range(30, 210, 10), noise=0.01, error=0.01)
    needs = [told for target in np.arange(0.8, 1.0, 0.01) if (told := forecast(points, float(target), 1_600).labels)]
    assert len(needs) == 20
    for side in ("low", "median", "high"):
        found = [getattr(one, side) for one in needs]
        assert found == sorted(found)


def test_a_step_moves_the_forecast_to_the_new_level() -> None:
    before = [CurvePoint(n, 0.70 + 0.0002 * n, 0.01) for n in range(30, 130, 10)]
    after = [CurvePoint(n, 0.80 + 0.0002 * n, 0.01) for n in range(130, 230, 10)]
    now = forecast([*before, *after], 0.95, 500).at(230 - 10)
    assert now.low < after[-1].value < now.high
    assert now.median == pytest.approx(after[-1].value, abs=0.01)


def test_a_target_only_just_reached_says_how_many_labels_it_may_yet_take() -> None:
    points = power_law(*range(10, 260, 10), error=0.02)
    told = forecast(points, points[-1].value, 1_000)
    assert told.outcome is Outcome.REACHED
    assert re.fullmatch(r"the estimate is at the target of 0\.889, not surely \(80 %: now to (more than )?[\d,]+ labels\)", told.sentence)


def test_an_error_that_all_points_share_widens_the_band_from_its_beginning() -> None:
    labels = range(30, 330, 10)
    sure, unsure = (forecast(power_law(*labels, error=error), 0.91, 600).band[0].quality for error in (0.0, 0.03))
    assert unsure.high - unsure.low > 2 * 1.28 * 0.03 * 0.7
    assert sure.high - sure.low < 0.02


def test_first_passage_lies_between_points_and_is_infinite_where_there_is_none() -> None:
    values = np.array([[0.5, 0.7, 0.6, 0.9], [0.8, 0.1, 0.1, 0.1], [0.1, 0.2, 0.3, 0.4]])
    found = first_passage(np.array([10.0, 20.0, 30.0, 40.0]), values, 0.8)
    np.testing.assert_allclose(found, [35, 10, np.inf])


def test_trends_of_a_power_law_foretell_it_from_the_third_point_on() -> None:
    asymptotes, foretold = curves.power_laws(power_law(*range(30, 330, 10)), 1_000)
    assert np.isnan(asymptotes[:2]).all()
    np.testing.assert_allclose(foretold[5:], 0.92 - 1.5 * 1_000**-0.7, atol=0.01)


def test_two_hundred_points_take_under_a_second() -> None:
    points = power_law(*range(30, 2_030, 10), noise=0.01, error=0.01)
    started = time.process_time()
    forecast(points, 0.91, 20_000)
    assert time.process_time() - started < 1


def results(path: Path, *, points: int) -> Path:
    """Write two replays that follow a power law, one of them shorter than asked for."""
    lines = []
    for seed, count in ((1, points), (2, 5)):
        curve = power_law(*range(30, 30 + 10 * count, 10))
        cell = {"data": "made", "policy": "random", "seed": seed, "metric": "accuracy", "test": 1_000, "level": ""}
        facts = [{"labels": point.labels, "accuracy": point.value} for point in curve]
        result = {
            "key": str(seed),
            "cell": cell,
            "points": facts,
            "checks": [],
            "seconds": 1,
            "versions": {},
            "machine": "",
            "finished_at": 0,
        }
        lines.append(json.dumps(result))
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_the_study_judges_every_long_enough_curve_and_says_what_it_missed(tmp_path: Path) -> None:
    facts = json.loads(json.dumps(study.measure(results(tmp_path / "replays.jsonl", points=21))))
    assert [row["name"] for row in facts["rows"]] == ["all", "made", "curves of 21 points", "not withheld"]
    assert (facts["curves"], facts["rows"][0]["curves"], facts["rows"][0]["targets"]) == (1, 1, 4)
    assert facts["rows"][0]["inside"] == 1
    assert facts["rows"][0]["forecast"][0] < facts["rows"][0]["last_two"][0]
    lines = study.table(facts)
    assert "Outside 70% to 90%: all (100.0%), made (100.0%), curves of 21 points (100.0%), not withheld (100.0%)." in lines
    assert lines[-1].startswith("Not at most 0.5 of the line's error:")


def test_no_results_are_no_rows(tmp_path: Path) -> None:
    facts = study.measure(tmp_path / "none.jsonl")
    assert facts["rows"] == []
    assert study.table(facts)[-1].endswith("none.")


def test_a_line_goes_on_from_the_newest_point_and_never_arrives_where_it_falls() -> None:
    rising = [CurvePoint(n, value, 0.0) for n, value in ((10, 0.5), (20, 0.6))]
    assert study.extrapolated(rising, 0.8) == pytest.approx(40)
    assert study.extrapolated(rising, 0.6) == 20
    assert math.isinf(study.extrapolated([CurvePoint(10, 0.6, 0.0), CurvePoint(20, 0.5, 0.0)], 0.8))


def test_audit_items_are_kept_from_point_to_point() -> None:
    seen = study.audited([CurvePoint(n, 0.8, 0.0) for n in range(30, 90, 10)], 60, np.random.default_rng(1))
    right = [round(point.value * size) for point, size in zip(seen, (10, 20, 30, 40, 50, 60), strict=True)]
    assert right == sorted(right)
    assert all(after - before <= 10 for before, after in pairwise(right))
    assert seen[0].error > 2 * seen[-1].error
