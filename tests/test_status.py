"""What the lead is told in words."""

import pytest

from annot.loop import status
from annot.loop.report import making
from annot.records import Check

GOOD = Check("hast", 812, 0.019, 0.008, 130)


@pytest.mark.parametrize(
    ("method", "check", "used", "words"),
    [
        ("none", GOOD, False, "self-training off: no method is chosen under Settings"),
        ("hast", None, False, "self-training off: not checked yet"),
        ("ust", GOOD, False, "self-training off: not checked yet"),
        ("hast", GOOD, True, "self-training on: 812 pseudo-labels, +1.9 points (±0.8)"),
        ("hast", Check("hast", 812, -0.01, 0.012, 130), False, "self-training off: it did not help here, -1.0 points (±1.2)"),
        ("hast", Check("hast", 0, 0.0, 0.0, 130), False, "self-training off: the method found no text to be sure of"),
    ],
)
def test_self_training_is_said_in_one_line(method: str, check: Check | None, used: bool, words: str) -> None:
    found = status.self_training(method, True, check, 812)
    assert (found.used, found.words) == (used, words)


def test_where_several_labels_may_hold_it_is_said_that_no_method_works() -> None:
    assert status.self_training("hast", False, GOOD, 0).words == "self-training off: no method works where several labels may hold"


def test_a_check_made_just_now_counts_from_the_next_answer() -> None:
    assert status.self_training("hast", True, GOOD, 0).words == "self-training on from the next answer, +1.9 points (±0.8)"


def test_a_change_of_strategy_or_self_training_is_said_with_its_labels() -> None:
    found = making.changes([(0, "label_names", False), (10, "breaking_ties", False), (30, "breaking_ties", True), (40, "random", False)])
    assert [(one.labels, one.words) for one in found] == [
        (10, "breaking_ties after label_names"),
        (30, "self-training on"),
        (40, "random after breaking_ties, self-training off"),
    ]
    assert making.changes([]) == ()
