"""What labelling costs."""

import pytest

from annot.quality.effort import IDLE_S, Answered, effort, hours_at


def given(*seconds: float | None, every_s: float = 60.0) -> list[Answered]:
    return [Answered(n * every_s, one, "ada" if n % 2 else "mira") for n, one in enumerate(seconds)]


def test_nothing_given_took_nothing() -> None:
    assert effort([]).hours == 0
    assert effort([]).per_hour is None


def test_hours_pace_and_cost_come_from_the_time_on_screen() -> None:
    found = effort(given(4, 6, 8))
    assert (found.labels, found.seconds, found.people) == (3, 6, 2)
    assert found.hours == pytest.approx(18 / 3600)
    assert found.per_hour == pytest.approx(600)
    assert found.per_day == 3
    assert found.cost(20) == pytest.approx(0.1)


def test_a_coffee_break_counts_for_no_more_than_idle_time_and_unknown_times_for_none() -> None:
    found = effort(given(10_000, None, -5, float("nan")))
    assert (found.labels, found.hours) == (1, IDLE_S / 3600)


def test_the_pace_is_that_of_the_last_week() -> None:
    day = 86_400.0
    found = effort([Answered(0, 5, "old"), *(Answered(30 * day + n * day / 2, 5, "ada") for n in range(9))])
    assert (found.per_day, found.people) == (9 / 4, 1)


def test_hours_at_a_label_count_go_on_at_the_mean_beyond_the_last() -> None:
    assert hours_at([0, 1, 2, 4], given(3600, 1800)) == pytest.approx([0, IDLE_S / 3600, 2 * IDLE_S / 3600, 4 * IDLE_S / 3600])
    assert hours_at([5], []) == [0.0]
