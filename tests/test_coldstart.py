"""The first picks: typical of every region, or of every class that label names suggest."""

import time

import numpy as np
import pytest

from annot.errors import BadInput
from annot.selectors import coldstart, select
from annot.selectors.coldstart import typicality, zero_shot
from annot.situation import Situation

from .test_smalltext import around

NOBODY = np.empty(0, np.int64)


def cold(vectors: np.ndarray, labelled: np.ndarray = NOBODY, targets: np.ndarray | None = None, **changes: object) -> Situation:
    pool = np.setdiff1d(np.arange(len(vectors)), labelled)
    said = np.empty((0, 3), np.float32) if targets is None else targets
    return Situation(None, vectors, pool, labelled, said, np.random.default_rng(0), **changes)  # type: ignore[arg-type]


THREE = around([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [30, 20, 10], spread=0.05)


def cluster_of(places: np.ndarray) -> list[int]:
    return [0 if place < 30 else 1 if place < 50 else 2 for place in places]


def test_typiclust_visits_every_cluster_the_largest_first() -> None:
    assert cluster_of(select("typiclust", cold(THREE), 3).indices) == [0, 1, 2]


def test_typiclust_asks_for_a_typical_item_not_an_outlier() -> None:
    vectors = np.vstack([around([[1, 0, 0]], [12], spread=0.02), around([[1, 0, 0]], [3], spread=0.3, seed=2)])
    assert select("typiclust", cold(vectors), 1).indices[0] < 12


def test_typiclust_leaves_clusters_with_a_label_for_later() -> None:
    labelled = np.array([0, 30])
    picked = select("typiclust", cold(THREE, labelled, np.eye(3, dtype=np.float32)[:2]), 1)
    assert cluster_of(picked.indices) == [2]


def test_typiclust_asks_in_small_clusters_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coldstart, "FRONT", 3)
    vectors = around([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [30, 20, 4], spread=0.01)
    assert (select("typiclust", cold(vectors), 50).indices < 50).all()


def test_typicality_is_the_inverse_mean_distance_to_the_nearest() -> None:
    line = np.array([[0.0], [1], [3]], np.float32)
    assert typicality(line, line, 2) == pytest.approx([1 / 2, 2 / 3, 2 / 5])
    assert typicality(line, line, 1) == pytest.approx([1, 1, 1 / 2])
    assert typicality(line[:1], line[:1]).tolist() == [0]


def test_typiclust_is_quick_on_a_large_pool() -> None:
    vectors = np.random.default_rng(0).normal(size=(20_000, 384)).astype(np.float32)
    given = cold(vectors, np.arange(100), np.eye(3, dtype=np.float32)[np.arange(100) % 3])
    started = time.process_time()
    assert len(set(select("typiclust", given, 1000).indices.tolist())) == 1000
    assert time.process_time() - started < 5  # 1.0 s when measured


def prior(sizes: list[int]) -> np.ndarray:
    """Return a sure guess of the first label for so many items, of the second for so many, and so on."""
    return np.eye(3, dtype=np.float32)[np.repeat(np.arange(3), sizes)] * 0.8 + np.float32(0.1)


def test_label_names_spread_the_first_picks_over_the_guessed_classes() -> None:
    given = cold(around([[1, 0, 0]], [100], spread=0.5), prior=prior([90, 8, 2]))
    guess = given.prior.argmax(axis=1)[select("label_names", given, 9).indices]  # type: ignore[union-attr]
    assert sorted(guess[:3].tolist()) == [0, 1, 2]
    assert np.bincount(guess).tolist() == [4, 3, 2]


def test_label_names_ask_first_for_what_is_typical_of_the_class() -> None:
    vectors = np.vstack([around([[1, 0, 0]], [12], spread=0.02), around([[0.2, 1, 0]], [3], spread=0.3, seed=2)])
    assert select("label_names", cold(vectors, prior=prior([15, 0, 0])), 1).indices[0] < 12


def test_classes_with_labels_give_way() -> None:
    targets = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    given = cold(THREE, np.array([0, 1, 30]), targets, prior=prior([30, 20, 10]))
    assert cluster_of(select("label_names", given, 6).indices) == [2, 1, 2, 0, 1, 2]


def test_a_rare_class_of_a_large_pool_is_not_lost_in_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coldstart, "SAMPLE", 20)
    given = cold(around([[1, 0, 0]], [2_000], spread=0.5), prior=prior([1_990, 9, 1]))
    assert 1_999 in select("label_names", given, 3).indices
    assert len(set(select("label_names", given, 50).indices.tolist())) == 50


def test_without_a_prior_label_names_is_typiclust() -> None:
    ours, theirs = (select(name, cold(THREE), 9).indices.tolist() for name in ("label_names", "typiclust"))
    assert ours == theirs


def test_zero_shot_by_hand() -> None:
    found = zero_shot(np.array([[1, 0], [0, 2]], np.float16), np.array([[3, 0], [0, 1]], np.float32), temperature=0.5)
    assert found[0] == pytest.approx([1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))], abs=1e-3)
    assert found[1] == pytest.approx(found[0][::-1])


def test_a_lower_temperature_is_surer_of_the_same_label() -> None:
    names = around([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [1, 1, 1])
    warm, cool = (zero_shot(THREE, names, temperature) for temperature in (1.0, 0.05))
    assert (warm.argmax(axis=1) == cool.argmax(axis=1)).all()
    assert (warm.max(axis=1) < cool.max(axis=1)).all()
    assert cluster_of(np.arange(60)) == cool.argmax(axis=1).tolist()


def test_chunks_do_not_change_the_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    names = around([[1, 0, 0], [0, 1, 0]], [1, 1])
    whole = zero_shot(THREE, names)
    monkeypatch.setattr(coldstart, "CHUNK", 7)
    assert zero_shot(THREE, names) == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize(("labels", "temperature"), [(0, 1.0), (2, 0.0)])
def test_zero_shot_needs_labels_and_a_temperature(labels: int, temperature: float) -> None:
    with pytest.raises(BadInput):
        zero_shot(THREE, np.ones((labels, 3), np.float32), temperature)
