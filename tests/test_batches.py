"""Drawing the examples of a training step: by weight, evenly over labels, each with its like."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annot.learners.batches import BALANCES, plan, spread

# Label 0: 10 people's labels and 400 pseudo-labels of weight 0.1; label 1: 25 people's labels.
MIXED = np.eye(2, dtype=np.float32)[[0] * 410 + [1] * 25]
WEIGHTS = np.array([1.0] * 10 + [0.1] * 400 + [1.0] * 25, np.float32)


def counts(truth: np.ndarray, weights: np.ndarray, balance: str, size: int = 32, times: int = 2000) -> np.ndarray:
    """Return how often each row is drawn in a batch, on average, times what it then weighs in the loss."""
    drawing, rng = plan(truth, weights, balance), np.random.default_rng(0)
    drawn = np.concatenate([drawing.rows(size, rng) for _ in range(times)])
    return np.bincount(drawn, minlength=len(truth)) / times * drawing.loss_weights


@pytest.mark.parametrize("balance", BALANCES)
def test_a_pseudo_label_of_a_tenth_counts_a_tenth_of_a_persons(balance: str) -> None:
    counted = counts(MIXED, WEIGHTS, balance)
    assert counted[10:410].mean() == pytest.approx(counted[:10].mean() / 10, rel=0.05)


def test_batches_hold_every_label_about_equally_often() -> None:
    counted = counts(MIXED, WEIGHTS, "batches")
    assert counted[:410].sum() == pytest.approx(16, rel=0.02)
    assert counted[410:].sum() == pytest.approx(16, rel=0.02)


def test_without_balance_labels_come_as_often_as_they_weigh() -> None:
    counted = counts(MIXED, WEIGHTS, "none")
    assert counted[:410].sum() == pytest.approx(32 * 50 / 75, rel=0.02)


def test_in_the_loss_rare_labels_make_up_for_coming_seldom() -> None:
    drawing = plan(MIXED, WEIGHTS, "loss")
    assert drawing.loss_weights[410] == pytest.approx(2 * drawing.loss_weights[0])
    counted = counts(MIXED, WEIGHTS, "loss")
    assert counted[:410].sum() == pytest.approx(counted[410:].sum(), rel=0.03)


@pytest.mark.parametrize("balance", BALANCES)
def test_a_label_known_from_one_doubtful_pseudo_label_alone_stays_as_quiet_as_that(balance: str) -> None:
    truth, weights = np.eye(3, dtype=np.float32)[[0, 1, 2]], np.array([1, 1, 0.1], np.float32)
    counted = counts(truth, weights, balance, times=4000)
    assert counted[2] == pytest.approx(counted[0] / 10, rel=0.1)


@pytest.mark.parametrize("balance", BALANCES)
def test_what_has_no_weight_is_never_drawn(balance: str) -> None:
    weights = np.array([1, 0, 1, 0], np.float32)
    assert counts(np.eye(2, dtype=np.float32)[[0, 0, 1, 1]], weights, balance)[[1, 3]].tolist() == [0, 0]


def test_without_balance_several_labels_bring_an_item_no_more_often() -> None:
    truth = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0]], np.float32)
    assert counts(truth, np.ones(4, np.float32), "none") == pytest.approx(np.full(4, 8), rel=0.03)


@pytest.mark.parametrize("balance", BALANCES)
@pytest.mark.parametrize("size", [4, 7, 32])
def test_every_row_drawn_has_its_like_even_with_77_labels_of_one_item_each(balance: str, size: int) -> None:
    drawing, rng = plan(np.eye(77, dtype=np.float32), np.ones(77, np.float32), balance), np.random.default_rng(1)
    for _ in range(20):
        rows = drawing.rows(size, rng)
        assert len(rows) == size
        assert np.bincount(rows, minlength=77)[rows].sum() >= 2 * size - 1


def test_the_same_seed_draws_the_same_rows() -> None:
    drawing = plan(MIXED, WEIGHTS, "batches")
    first, second, other = (drawing.rows(32, np.random.default_rng(seed)).tolist() for seed in (3, 3, 4))
    assert first == second != other


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=30), st.integers(1, 40), st.integers(0, 2**32))
def test_spread_gives_each_place_its_share_rounded_up_or_down(pulls: list[float], count: int, seed: int) -> None:
    times = np.bincount(spread(np.array(pulls), count, np.random.default_rng(seed)), minlength=len(pulls))
    due = count * np.array(pulls) / sum(pulls)
    assert times.sum() == count
    assert (np.abs(times - due) < 1 + 1e-6).all()
