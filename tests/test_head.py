"""The head on hand-made vectors: what its probabilities must obey, whatever it was fitted on."""

from pathlib import Path

import numpy as np
import pytest

from annot.errors import BadInput
from annot.learners import head as heads
from annot.learners.head import Head, _widen, fit
from annot.vectors import Rows


def corners(per_label: int, labels: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors near one axis for each label, and their targets."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(labels), per_label)
    vectors = np.eye(8, dtype=np.float32)[label] + rng.normal(0, 0.1, (len(label), 8)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.eye(labels, dtype=np.float32)[label]


@pytest.mark.parametrize("labels", [2, 3, 8])
def test_one_example_a_label_is_enough_to_tell_them_apart(labels: int) -> None:
    head = fit(*corners(1, labels), exclusive=True, weights=None, seed=0)
    vectors, targets = corners(20, labels, seed=1)
    proba = head.proba(vectors)
    assert proba.dtype == np.float32
    assert proba.shape == targets.shape
    assert proba.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (proba.argmax(axis=1) == targets.argmax(axis=1)).mean() > 0.95


def test_77_labels_with_one_example_each_are_learned() -> None:
    vectors = np.random.default_rng(0).normal(size=(77, 64))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    proba = fit(vectors, np.eye(77), exclusive=True).proba(vectors)
    assert (proba.argmax(axis=1) == np.arange(77)).all()
    assert proba.sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("given", "surer"), [(20, False), (21, True)])
def test_with_examples_of_many_labels_the_penalty_is_a_third(given: int, surer: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, targets = np.eye(30, dtype=np.float32)[:given], np.eye(30, dtype=np.float32)[:given]  # the other labels count for nothing
    found = fit(vectors, targets, exclusive=True).proba(vectors)[0, 0]
    monkeypatch.setattr(heads, "PENALTY_OF_MANY", heads.PENALTY)
    plain = fit(vectors, targets, exclusive=True).proba(vectors)[0, 0]
    assert bool(found > 1.1 * plain) is surer


def test_a_large_pool_is_scored_by_threads_in_any_order_as_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    head = fit(*corners(5), exclusive=True)
    pool = corners(3_000)[0].astype(np.float16)
    alone = head.proba(pool)
    monkeypatch.setattr(heads, "MANY", 100)
    assert np.array_equal(head.proba(pool), alone)
    order = np.random.default_rng(0).permutation(len(pool))
    assert head.proba(Rows(pool, order)) == pytest.approx(alone[order], abs=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize("labels", [2, 5])
@pytest.mark.parametrize("exclusive", [True, False])
def test_a_fit_that_begins_from_the_head_before_ends_at_the_same_optimum(
    labels: int, exclusive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, targets = corners(20, labels)
    before = fit(vectors[:-1], targets[:-1], exclusive)
    cold = fit(vectors, targets, exclusive, start=before)  # too small to be worth it: as if there had been none
    assert np.array_equal(cold.weights, fit(vectors, targets, exclusive).weights)
    monkeypatch.setattr(heads, "WARM_FROM", 0)
    warm = fit(vectors, targets, exclusive, start=before)
    assert not np.array_equal(cold.weights, warm.weights)
    assert warm.proba(vectors) == pytest.approx(cold.proba(vectors), abs=0.02)
    other = fit(vectors, np.insert(targets, 1, 0, axis=1), exclusive, start=before)  # the label set has grown
    assert other.proba(vectors).shape == (len(vectors), labels + 1)


def test_a_label_never_seen_has_probability_zero() -> None:
    vectors, targets = corners(5)
    targets = np.insert(targets, 1, 0, axis=1)
    proba = fit(vectors, targets, exclusive=True).proba(vectors)
    assert proba[:, 1].tolist() == [0] * 15
    assert (proba.argmax(axis=1) == targets.argmax(axis=1)).all()
    assert fit(vectors, targets, exclusive=False).proba(vectors)[:, 1].tolist() == [0] * 15


def test_one_label_seen_takes_all_the_mass() -> None:
    vectors, targets = corners(5)
    targets[:] = [0, 1, 0]
    assert fit(vectors, targets, exclusive=True).proba(vectors).tolist() == [[0, 1, 0]] * 15


def test_several_labels_may_hold_at_once() -> None:
    vectors, targets = corners(10, 2)
    both = (vectors[:10] + vectors[10:]) / 2**0.5
    head = fit(np.vstack([vectors, both]), np.vstack([targets, np.ones_like(both[:, :2])]), exclusive=False)
    assert (head.proba(both) > 0.5).all()
    assert ((head.proba(vectors) > 0.5) == (targets > 0.5)).mean() > 0.9


def test_a_label_on_every_item_is_expected_everywhere() -> None:
    vectors, targets = corners(5, 2)
    targets[:, 0] = 1
    proba = fit(vectors, targets, exclusive=False).proba(vectors)
    assert (proba[:, 0] > 0.9).all()
    assert (proba[:, 0] < 1).all()


def test_an_item_without_weight_changes_nothing() -> None:
    vectors, targets = corners(5)
    weights = np.ones(16)
    weights[15] = 0
    wrong = fit(np.vstack([vectors, vectors[:1]]), np.vstack([targets, targets[-1:]]), exclusive=True, weights=weights)
    assert wrong.proba(vectors) == pytest.approx(fit(vectors, targets, exclusive=True).proba(vectors), abs=1e-3)


@pytest.mark.parametrize("exclusive", [True, False])
def test_soft_targets_lie_between_the_hard_ones(exclusive: bool) -> None:
    vectors, targets = corners(5, 2)
    soft = targets * 0.8 + 0.1
    hard, mild = (fit(vectors, one, exclusive=exclusive).proba(vectors)[0, 0] for one in (targets, soft))
    assert 0.5 < mild < hard


@pytest.mark.parametrize("exclusive", [True, False])
def test_the_same_labels_give_the_same_head(exclusive: bool) -> None:
    first, second = (fit(*corners(5), exclusive=exclusive, seed=seed) for seed in (1, 2))
    assert np.array_equal(first.weights, second.weights)


def test_a_saved_head_scores_as_before(tmp_path: Path) -> None:
    vectors, targets = corners(5)
    head = fit(vectors, np.insert(targets, 1, 0, axis=1), exclusive=True)
    np.savez(tmp_path / "head.npz", **head.to_arrays())
    with np.load(tmp_path / "head.npz") as saved:
        again = Head.from_arrays(dict(saved))
    assert np.array_equal(again.proba(vectors), head.proba(vectors))
    assert again.exclusive


def test_half_precision_vectors_and_many_chunks_score_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, targets = corners(50)
    head = fit(vectors, targets, exclusive=True)
    whole = head.proba(vectors.astype(np.float16))
    monkeypatch.setattr("annot.learners.head.CHUNK", 7)
    assert head.proba(vectors) == pytest.approx(whole, abs=2e-3)
    assert head.proba(vectors[:0]).shape == (0, 3)


def test_halves_are_widened_exactly() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)].reshape(1, -1)
    assert np.array_equal(_widen(finite), finite.astype(np.float32))


def test_extreme_logits_stay_numbers() -> None:
    head = Head(np.array([[1e4], [-1e4]], np.float32), np.zeros(2, np.float32), exclusive=False)
    assert head.proba(np.array([[1.0], [-1.0]])).tolist() == [[1, 0], [0, 1]]


def test_nothing_to_learn_from_is_refused() -> None:
    vectors, targets = corners(2)
    with pytest.raises(BadInput, match="at least one"):
        fit(vectors[:0], targets[:0], exclusive=True)
    with pytest.raises(BadInput, match="at least one"):
        fit(vectors, targets * 0, exclusive=True)
    with pytest.raises(BadInput, match="belong together"):
        fit(vectors, targets[:-1], exclusive=True)
