"""When to stop: every rule of the verdict on hand-made facts, and small-text's criteria on hand-made histories."""

from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest

from annot.errors import BadInput
from annot.quality.criteria import STEP, WINDOW, criteria
from annot.quality.estimates import Interval, wilson
from annot.quality.stopping import RULES, Kind, verdict
from annot.quality.votes import ENOUGH, Band, Checkpoint, Facts, Says, Vote

GO = (Vote("kappa", Says.GO_ON, "", True), Vote("change", Says.GO_ON, "", True))
SPLIT = (Vote("kappa", Says.STOP, "", True), Vote("change", Says.GO_ON, "", True))
SILENT = (Vote("kappa", Says.UNSURE, ""), Vote("change", Says.UNSURE, ""))
AT_80 = wilson(48, 60)
NO_TARGET = Facts(AT_80)
TO_90 = Facts(AT_80, target=0.9)
SOME = np.array([0, 1, 2, 1, 0], np.int16)


@pytest.mark.parametrize(
    ("votes", "facts", "kind", "words"),
    [
        (GO, Facts(None), Kind.TOO_EARLY, "Too early to say: no audit labels yet; it takes 30"),
        (GO, Facts(wilson(0, 0)), Kind.TOO_EARLY, "Too early to say: no audit labels yet; it takes 30"),
        (SPLIT, Facts(wilson(1, 1), gain_per_hour=0.0), Kind.TOO_EARLY, "Too early to say: only 1 audit label, the interval is 73 points"),
        (GO, Facts(wilson(12, 12), target=0.5), Kind.TOO_EARLY, "only 12 audit labels, the interval is 18 points wide; it takes 30"),
        (GO, replace(NO_TARGET, left=0), Kind.STOP, "Stop: every text has its answer; accuracy 80 % (70 to 87) on 60 audit labels."),
        (GO, Facts(None, left=0), Kind.STOP, "Stop: every text has its answer."),
        (GO, NO_TARGET, Kind.GO_ON, "Go on: accuracy 80 % (70 to 87) on 60 audit labels; there is no forecast yet."),
        (GO, replace(NO_TARGET, gain_per_hour=0.02), Kind.GO_ON, "the next hour is expected to add 2.0 points."),
        (GO, replace(NO_TARGET, gain_per_hour=0.001), Kind.GO_ON, "Go on"),
        (SPLIT, replace(NO_TARGET, gain_per_hour=0.02), Kind.GO_ON, "Go on"),
        (SILENT, replace(NO_TARGET, gain_per_hour=0.0), Kind.GO_ON, "Go on"),
        (SPLIT, replace(NO_TARGET, gain_per_hour=0.001), Kind.STOP, "gains have ended (2 of 3 votes say stop; the next hour is expected"),
        (SPLIT, replace(NO_TARGET, gain_per_hour=0.004, min_gain=0.001), Kind.GO_ON, "Go on"),
        (GO, replace(TO_90, estimate=wilson(198, 200)), Kind.STOP, "Stop: the target of 90 % is met; accuracy 99 % (97 to 100) on 200"),
        (GO, replace(TO_90, estimate=wilson(57, 60)), Kind.NEAR, "Near the target of 90 %: accuracy 95 % (88 to 98) on 60 audit labels."),
        (GO, replace(TO_90, estimate=wilson(53, 60)), Kind.NEAR, "Near the target of 90 %: accuracy 88 % (80 to 94) on 60 audit labels"),
        (GO, replace(TO_90, to_target=Band(20, 40, 90), labels_per_hour=60), Kind.NEAR, "40 more labels (80 %: 20 to 90), 0.7 hours."),
        (GO, replace(TO_90, to_target=Band(290, 340, 520), labels_per_hour=100), Kind.GO_ON,
         "the target is 90 %; about 340 more labels (80 %: 290 to 520), 3.4 hours."),
        (GO, replace(TO_90, to_target=Band(290, 340, inf)), Kind.GO_ON, "340 more labels (80 %: 290 to more than the forecast looks"),
        (GO, replace(TO_90, to_target=Band(290, inf, inf)), Kind.GO_ON, "290 more labels at least, perhaps more than the forecast looks"),
        (GO, replace(TO_90, to_target=Band(inf, inf, inf)), Kind.OUT_OF_REACH, "the target lies beyond all labels the forecast looks"),
        (GO, replace(TO_90, to_target=Band(290, 340, 520), left=100), Kind.OUT_OF_REACH, "290 more labels at least, and 100 texts are"),
        (GO, replace(TO_90, asymptote=Band(0.84, 0.85, 0.86)), Kind.OUT_OF_REACH,
         "This will not get to 90 %: the model levels off near 85 % (84 to 86), under 90 %; now accuracy 80 % (70 to 87) on 60 audit"),
        (SPLIT, replace(TO_90, gain_per_hour=0.0), Kind.OUT_OF_REACH, "This will not get to 90 %: gains have ended (2 of 3 votes say stop"),
        (GO, replace(TO_90, target=0.86, asymptote=Band(0.82, 0.83, 0.84)), Kind.GO_ON, "the forecast doubts that it gets there: the"),
        (GO, replace(TO_90, target=0.82, asymptote=Band(0.79, 0.8, 0.81)), Kind.NEAR, "the forecast doubts that it gets there: the"),
        (GO, replace(TO_90, asymptote=Band(0.84, 0.89, 0.93)), Kind.GO_ON, "Go on"),
    ],
)  # fmt: skip
def test_the_verdict_follows_from_the_votes_and_the_facts(votes: tuple[Vote, ...], facts: Facts, kind: Kind, words: str) -> None:
    found = verdict(votes, facts)
    assert found.kind is kind
    assert words in found.sentence
    assert {vote.name for vote in found.votes} == {"kappa", "change", "forecast", "target", "budget"}


def test_what_might_help_is_said_only_where_the_target_is_out_of_reach() -> None:
    assert verdict(GO, replace(TO_90, asymptote=Band(0.8, 0.8, 0.8)), ["More labels."]).advice == ("More labels.",)
    assert verdict(GO, TO_90, ["More labels."]).advice == ()


def test_near_the_target_the_number_of_audit_labels_that_would_settle_it_is_told() -> None:
    found = verdict(GO, replace(TO_90, estimate=wilson(57, 60)))
    settled = int(found.advice[0].split()[1])
    assert 60 < settled < 250
    assert verdict(GO, replace(TO_90, estimate=wilson(round(0.95 * settled), settled))).kind is Kind.STOP
    assert verdict(GO, replace(TO_90, estimate=wilson(53, 60))).advice == ()


def test_no_agreement_of_models_stops_without_labels_they_did_not_choose() -> None:
    everyone = tuple(Vote(name, Says.STOP, "", True) for name in ("kappa", "change", "delta_f", "uncertainty"))
    for n in range(ENOUGH):
        assert verdict(everyone, Facts(wilson(n, n), target=0.1, gain_per_hour=-0.1)).kind is Kind.TOO_EARLY
    assert verdict(everyone, Facts(wilson(ENOUGH, ENOUGH), gain_per_hour=-0.1)).kind is Kind.STOP


def test_a_lead_who_looks_after_every_label_seldom_stops_at_a_target_not_met() -> None:
    rng = np.random.default_rng(0)
    bound = {(right, n): Facts(wilson(right, n)).bound for n in range(ENOUGH, 121) for right in range(n + 1)}
    rights = (rng.random((300, 120)) < 0.88).cumsum(axis=1)
    stopped = [any(bound[int(row[n - 1]), n] >= 0.9 for n in range(ENOUGH, 121)) for row in rights]
    assert np.mean(stopped) < 0.05


def test_some_rule_always_applies() -> None:
    assert RULES[-1]((Vote("budget", Says.UNSURE, ""),), TO_90) is not None


@pytest.mark.parametrize(
    "facts",
    [
        {"target": nan},
        {"target": 0.0},
        {"target": 1.5},
        {"gain_per_hour": nan},
        {"gain_per_hour": inf},
        {"to_target": Band(1, nan, 3)},
        {"asymptote": Band(0.1, 0.2, inf)},
        {"estimate": Interval(nan, 0, 1, 40)},
    ],
)
def test_facts_that_are_no_numbers_are_refused(facts: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        Facts(**({"estimate": AT_80} | facts))  # type: ignore[arg-type]


def history(*predicted: np.ndarray, step: int = STEP) -> list[Checkpoint]:
    return [Checkpoint(step * (place + 1), np.asarray(one, np.int16)) for place, one in enumerate(predicted)]


def say(found: list[Vote]) -> dict[str, Says]:
    return {vote.name: vote.says for vote in found}


def test_a_model_that_no_longer_changes_says_stop() -> None:
    found = criteria(history(*[SOME] * 4), 3)
    assert say(found) == {"kappa": Says.STOP, "change": Says.STOP, "uncertainty": Says.UNSURE}
    assert [vote.counts for vote in found] == [True, True, False]
    assert "mean kappa of 1.000" in found[0].why


def test_a_model_that_still_changes_says_go_on() -> None:
    found = criteria(history(SOME, SOME, SOME[::-1] * 2 % 3, SOME), 3)
    assert say(found) == {"kappa": Says.GO_ON, "change": Says.GO_ON, "uncertainty": Says.UNSURE}
    assert "changed 3 of 5 predictions" in found[1].why


def test_a_change_long_ago_no_longer_counts() -> None:
    assert say(criteria(history(SOME[::-1] * 2 % 3, *[SOME] * 4), 3))["kappa"] is Says.STOP


def test_too_short_a_history_is_unsure() -> None:
    assert set(say(criteria([], 3)).values()) == {Says.UNSURE}
    assert set(say(criteria(history(SOME), 3)).values()) == {Says.UNSURE}
    found = say(criteria(history(*[SOME] * WINDOW), 3))
    assert (found["kappa"], found["change"]) == (Says.UNSURE, Says.STOP)


def test_checkpoints_too_close_together_are_passed_over() -> None:
    assert say(criteria(history(*[SOME] * 30, step=1), 3))["kappa"] is Says.UNSURE
    assert say(criteria(history(*[SOME] * 31, step=1), 3))["kappa"] is Says.STOP


def test_another_stop_set_starts_the_history_anew() -> None:
    assert say(criteria(history(*[SOME[:4]] * 3, SOME), 3))["kappa"] is Says.UNSURE


def test_a_model_that_says_the_same_of_every_text_does_not_stop() -> None:
    for label in (0, -1):
        assert set(say(criteria(history(*[np.full(50, label)] * 6), 2)).values()) == {Says.UNSURE}


def test_texts_without_a_label_count_as_a_label_of_their_own() -> None:
    assert say(criteria(history(*[np.array([-1, 0, 1, -1])] * 4), 2))["kappa"] is Says.STOP
    assert say(criteria(history(*[[-1, 0, 1, -1], [0, -1, 1, 1]] * 2), 2))["kappa"] is Says.GO_ON


def test_of_two_labels_the_rarer_ones_predicted_f1_votes_too() -> None:
    steady, moved = np.repeat([0, 1], [100, 40]), np.repeat([0, 1], [99, 41])
    found = {vote.name: vote for vote in criteria(history(steady, moved, steady, moved), 2)}
    assert (found["delta_f"].says, found["change"].says) == (Says.STOP, Says.GO_ON)
    assert "change by 0.012 at most" in found["delta_f"].why
    assert say(criteria(history(steady, moved, 1 - steady, moved), 2))["delta_f"] is Says.GO_ON
    assert "delta_f" not in say(criteria(history(*[steady] * 4), 2, exclusive=False))


def test_a_rare_label_found_only_now_makes_its_f1_unsure() -> None:
    nobody = np.zeros(20, int)
    assert say(criteria(history(nobody, nobody, nobody, np.repeat([0, 1], [19, 1])), 2))["delta_f"] is Says.UNSURE


@pytest.mark.parametrize(
    ("proba", "exclusive", "expected"),
    [
        (np.array([[0.999, 0.001, 0.0]] * 5), True, Says.STOP),
        (np.array([[0.5, 0.3, 0.2]] * 5), True, Says.UNSURE),
        (np.array([[0.999, 0.001, 0.999]] * 5), False, Says.STOP),
        (np.array([[0.999, 0.5, 0.999]] * 5), False, Says.UNSURE),
        (np.full((5, 3), np.nan), True, Says.UNSURE),
        (np.zeros((5, 3)), True, Says.UNSURE),
        (np.empty((0, 3)), True, Says.UNSURE),
    ],
)
def test_uncertainty_speaks_only_where_the_model_is_sure(proba: np.ndarray, exclusive: bool, expected: Says) -> None:
    found = criteria(history(SOME), 3, proba, exclusive)[-1]
    assert (found.name, found.says, found.counts) == ("uncertainty", expected, expected is Says.STOP)


@pytest.mark.parametrize("predicted", [np.array([0, 3]), np.array([-2, 0]), np.zeros((2, 2))])
def test_predictions_that_are_no_labels_are_refused(predicted: np.ndarray) -> None:
    with pytest.raises(BadInput):
        criteria(history(predicted), 3)


def test_probabilities_of_other_labels_are_refused() -> None:
    with pytest.raises(BadInput):
        criteria(history(SOME), 3, np.full((5, 2), 0.5))
