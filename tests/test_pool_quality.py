"""Quality on a pool from audit labels, on hand-made samples; that intervals cover is measured in docs/estimates.md."""

from dataclasses import replace

import numpy as np
import pytest

from annot import quality
from annot.loop.judging import pool_sample, split_sample
from annot.quality import PoolSample

EYE = np.eye(2, dtype=np.float32)


def sample(right: int, wrong: int, *, sure: float = 0.8, rest: int = 1_000, rest_sure: float = 0.8) -> PoolSample:
    """A pool of two labels, half of it predicted each; of the audit items so many are right and wrong."""
    n = right + wrong
    predicted = EYE[np.arange(n) % 2]
    truth = predicted.copy()
    truth[right:] = 1 - truth[right:]
    off = np.array([1 - rest_sure, rest_sure])
    return PoolSample(
        truth, predicted, np.full(n, sure), np.zeros((3, 2), np.int64), n, right, rest, np.full(200, rest_sure), np.array([0.5, 0.5]),
        np.stack([off[[0, 0]], off[[1, 1]]]),
    )  # fmt: skip


def test_with_nothing_to_judge_by_everything_is_possible() -> None:
    assert quality.pool_accuracy(sample(0, 0)) == quality.Interval(0.0, 0.0, 1.0, 0)


def test_what_people_labelled_counts_exactly() -> None:
    found = quality.pool_accuracy(replace(sample(9, 1), known_items=6_000, known_right=5_700, rest=60))
    assert found.value == pytest.approx(0.95, abs=0.005)
    assert found.high - found.low < 0.005


def test_where_all_is_labelled_only_audit_items_speak() -> None:
    assert quality.pool_accuracy(replace(sample(9, 1), known_right=10, rest=0)) == quality.wilson(9, 10)


def test_a_label_that_is_never_predicted_has_no_precision() -> None:
    never = replace(sample(8, 2), rest_predicted=np.array([1.0, 0.0]))
    never = replace(never, predicted=np.tile(EYE[0], (10, 1)))
    assert quality.label_quality(never).precision[1] == quality.Interval(0.0, 0.0, 1.0, 0)


def test_a_constant_confidence_tells_nothing_and_leaves_nearly_wilson() -> None:
    found, plain = quality.pool_accuracy(sample(80, 20, rest=10**6)), quality.wilson(80, 100)
    assert found.value == pytest.approx(0.8, abs=0.01)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.01)


def test_a_confidence_that_knows_what_is_right_narrows_the_interval_and_moves_it_to_the_rest() -> None:
    rng = np.random.default_rng(0)
    sure = np.concatenate([rng.uniform(0.9, 1, 80), rng.uniform(0.4, 0.6, 20)])
    known = replace(sample(80, 20, rest=10**6), confidence=sure, rest_confidence=sure)
    helped, plain = quality.pool_accuracy(known), quality.wilson(80, 100)
    assert helped.high - helped.low < 0.7 * (plain.high - plain.low)
    easier = quality.pool_accuracy(replace(known, rest_confidence=sure[:80]))
    assert easier.value > helped.value + 0.1


@pytest.mark.parametrize(("right", "wrong"), [(30, 0), (0, 30), (1, 0), (1, 1), (2, 1)])
def test_bounds_hold_the_value_and_stay_in_range(right: int, wrong: int) -> None:
    for found in (quality.pool_accuracy(sample(right, wrong)), quality.label_quality(sample(right, wrong)).macro_f1):
        assert 0 <= found.low <= found.value <= found.high <= 1
        assert found.high - found.low > 0.01


def test_nan_confidences_are_taken_for_no_confidence() -> None:
    assert np.isfinite(quality.pool_accuracy(replace(sample(8, 2), confidence=np.full(10, np.nan))).low)


def test_a_label_no_audit_item_has_stays_open() -> None:
    n = 50
    truth = np.zeros((n, 3), np.float32)
    truth[:, 0] = 1
    seen = PoolSample(truth, truth.copy(), np.full(n, 0.9), np.array([[10, 10, 5], [0, 0, 0], [0, 0, 0]]), 25, 25, 1_000,
                      np.full(100, 0.9), np.array([0.5, 0.4, 0.1]), np.array([[0.1, 0.1, 0.05], [0.9, 0.9, 0.9]]))  # fmt: skip
    found = quality.label_quality(seen)
    assert found.recall[2].high - found.recall[2].low > 0.02
    assert found.precision[2].high - found.precision[2].low > 0.05
    assert [one.n for one in found.f1] == [n] * 3


def test_the_same_seed_gives_the_same_intervals() -> None:
    assert quality.label_quality(sample(20, 5), seed=3) == quality.label_quality(sample(20, 5), seed=3)


def test_confidence_is_of_the_whole_answer() -> None:
    proba = np.array([[0.7, 0.3], [0.4, 0.6]])
    assert quality.confidence(proba, True).tolist() == [0.7, 0.6]
    assert quality.confidence(proba, False).tolist() == pytest.approx([0.7 * 0.7, 0.6 * 0.6])


def test_a_sample_of_a_pool_counts_who_is_right_and_what_is_left() -> None:
    proba = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7], [0.5, 0.5]], np.float32)
    found = pool_sample(proba, True, np.array([0, 1, 2]), EYE[[0, 1, 1]], np.array([False, True, True]))
    assert (found.known_items, found.known_right, found.rest) == (3, 2, 2)
    assert found.known.tolist() == [[1, 1], [1, 0], [0, 1]]
    assert (found.truth.tolist(), found.predicted.tolist()) == ([[0, 1], [0, 1]], [[0, 1], [1, 0]])
    assert found.rest_predicted.tolist() == [0.5, 0.5]
    assert found.rest_expected == pytest.approx(np.array([[0.3, 0.5], [0.5, 0.7]]))
    assert pool_sample(proba, True, np.array([0]), EYE[[0]], np.array([True]), rest=900).rest == 900


def test_a_test_split_is_a_sample_of_more_like_it() -> None:
    found = split_sample(np.array([[0.9, 0.1], [0.2, 0.8]], np.float32), True, EYE)
    assert (found.known_items, found.rest, len(found.truth)) == (0, 2, 2)
    quality_of = quality.label_quality(found)
    assert quality_of.macro_f1.low < 0.9
