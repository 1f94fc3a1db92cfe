"""Partial labels made whole, on a head made by hand that reads each label's odds off one dimension."""

from dataclasses import replace

import numpy as np
import pytest

from annot.learners.head import Head
from annot.loop.completing import complete
from annot.situation import PartialLabels, Situation

SURE = 50.0


def situation(given: list[int], asked: list[list[float]], unseen: tuple[int, ...] = ()) -> tuple[Situation, Head]:
    """Return one labelled item for each of ``given``, of which the head is sure, then items of which it says ``asked``."""
    k = len(asked[0])
    logits = np.concatenate([np.eye(k)[given] * SURE, np.log(asked)]).astype(np.float32)
    bias = np.zeros(k, np.float32)
    bias[list(unseen)] = -np.inf
    head = Head(np.eye(k, dtype=np.float32), bias, True)
    places = np.arange(len(given))
    targets = np.eye(k, dtype=np.float32)[given]
    return Situation(None, logits, np.empty(0, np.int64), places, targets, np.random.default_rng(0)), head


def partial(given: list[int], *, out: list[list[int]] | None = None, one_of: list[list[int]] | None = None) -> PartialLabels:
    shown = np.array(out if out is not None else one_of, bool)
    none = np.zeros_like(shown)
    rows = np.arange(len(given), len(given) + len(shown))
    return PartialLabels(rows, none if out is None else shown, none if one_of is None else shown)


def completed(known: Situation, partial: PartialLabels, head: Head) -> np.ndarray:
    return complete(replace(known, partial=partial), head)


def test_what_the_head_expects_is_kept_to_what_may_hold() -> None:
    given = [0, 1, 2]
    known, head = situation(given, [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    assert completed(known, partial(given, out=[[1, 0, 0], [0, 0, 1]]), head) == pytest.approx(
        np.array([[0, 0.6, 0.4], [0.625, 0.375, 0]]), abs=1e-3
    )
    assert completed(known, partial(given, one_of=[[1, 0, 1], [0, 1, 0]]), head) == pytest.approx(
        np.array([[5 / 7, 0, 2 / 7], [0, 1, 0]]), abs=1e-3
    )


def test_frequent_labels_are_likelier() -> None:
    given = [0] * 8 + [1, 1]  # with one more of each: 9 to 3
    known, head = situation(given, [[0.5, 0.5]])
    assert completed(known, partial(given, one_of=[[1, 1]]), head) == pytest.approx(np.array([[0.75, 0.25]]), abs=1e-3)


def test_a_label_nobody_gave_counts_where_it_is_named_and_nowhere_else() -> None:
    given = [0, 1]
    known, head = situation(given, [[0.6, 0.4, 0.9]], unseen=(2,))
    assert completed(known, partial(given, one_of=[[1, 0, 1]]), head).tolist() == [[0.5, 0, 0.5]]
    assert completed(known, partial(given, out=[[1, 0, 0]]), head).tolist() == [[0, 1, 0]]
    assert completed(known, partial(given, out=[[1, 1, 0]]), head).tolist() == [[0, 0, 0]]  # all it knows is ruled out


def test_a_trace_is_no_share() -> None:
    given = [0, 1, 2]
    known, head = situation(given, [[0.5, 0.498, 0.002]])
    found = completed(known, partial(given, out=[[1, 0, 0]]), head)
    assert found.tolist() == [[0, 1, 0]]


def test_an_unsure_head_is_made_as_sure_as_it_is_right() -> None:
    given = [0, 1]
    known, head = situation(given, [[0.6, 0.4]])
    unsure = Head(head.weights / 50, head.bias, True)  # labelled items: e to 1; what is asked: nearly even
    ((first, _),) = completed(known, partial(given, one_of=[[1, 1]]), unsure)
    (plain, _) = unsure.proba(known.vectors[2:])[0]
    assert plain < first < 0.6


def test_what_is_spread_over_many_labels_says_too_little() -> None:
    given = list(range(6))
    known, head = situation(given, [[0.3, 0.2, 0.2, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1, 0.001, 0.001]])
    flat, clear = completed(known, partial(given, out=[[1, 0, 0, 0, 0, 0]] * 2), head)
    assert flat.tolist() == [0] * 6
    assert clear.sum() == pytest.approx(1)
