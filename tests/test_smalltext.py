"""small-text's strategies on cached arrays: each does what its name says, seeing only what it is given."""

import dataclasses

import numpy as np
import pytest

from annot.selectors import select
from annot.selectors.smalltext import strategies
from annot.selectors.smalltext.adapter import Cached, Exact, Places, query, seeded
from annot.selectors.smalltext.variants import purity_radius
from annot.situation import Situation

from .test_selectors import situation

NAMES = sorted(name for name in strategies.selectors if name.startswith("smalltext_"))


def around(centres: list[list[float]], sizes: list[int], spread: float = 0.01, seed: int = 0) -> np.ndarray:
    """Return unit vectors: so many near each centre."""
    rng = np.random.default_rng(seed)
    vectors = np.repeat(np.array(centres), sizes, axis=0) + rng.normal(0, spread, (sum(sizes), len(centres[0])))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_every_strategy_that_applies_is_there() -> None:
    assert [name.removeprefix("smalltext_") for name in NAMES] == [
        *("adaptive", "anchors", "badge", "bald", "breaking_ties", "class_balancer", "contrastive", "cvirs", "discriminative"),
        *("greedy_coreset", "kmeans", "label_cardinality", "least_confidence", "lightweight_coreset", "prediction_entropy"),
        *("probcover", "seals"),
    ]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["breaking_ties", "least_confidence", "prediction_entropy"])
def test_the_adapter_and_the_whole_pool_path_agree(name: str, seed: int) -> None:
    picks = [set(select(one, situation(pool=200, seed=seed), 20).indices.tolist()) for one in (name, f"smalltext_{name}")]
    assert picks[0] == picks[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_strategy_sees_a_part_of_a_large_pool_and_the_rest_follows_at_random(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = situation(pool=60, samples=np.random.default_rng(0).dirichlet(np.ones(3), (4, 66)).astype(np.float32))
    monkeypatch.setattr(strategies, "FRONT", 4)
    picked = select(name, given, 60)
    assert sorted(picked.indices.tolist()) == given.pool.tolist()
    assert 1 <= (picked.scores > 0).sum() <= 4


def test_bald_asks_where_stochastic_predictions_disagree() -> None:
    samples = np.full((6, 46, 2), 0.5, np.float32)  # all are uncertain of all
    given = situation(labels=2, samples=samples)
    odd = given.pool[[4, 11]]
    samples[:3, odd], samples[3:, odd] = [0.95, 0.05], [0.05, 0.95]
    assert set(select("smalltext_bald", given, 2).indices.tolist()) == set(odd.tolist())


def test_bald_without_stochastic_predictions_makes_them_by_dropout_on_the_vectors() -> None:
    given = situation(labels=2)
    torn, plain = given.pool[0], given.pool[1]  # both undecided; one by inputs that pull against each other, one by none at all
    vectors, pull = np.zeros((46, 8), np.float32), np.array([9, -9, 0, 0, 0, 0, 0, 0], np.float32)
    vectors[:, 2] = 1
    vectors[given.pool[2:], 0] = np.linspace(-0.2, 0.2, len(given.pool) - 2)
    vectors[torn, :2] = 1
    proba = 1 / (1 + np.exp(-vectors @ pull))
    given = dataclasses.replace(given, vectors=vectors, proba=np.stack([proba, 1 - proba], axis=1).astype(np.float32))
    order = select("smalltext_bald", given, len(given.pool)).indices.tolist()
    assert order[0] == torn
    assert plain not in order[:5]


def test_bald_where_several_labels_may_hold_asks_where_entropy_is_highest() -> None:
    given = [situation(exclusive=False) for _ in range(2)]
    first, second = (
        select(name, one, 9).indices.tolist() for name, one in zip(("smalltext_bald", "prediction_entropy"), given, strict=True)
    )
    assert first == second


def test_class_balancer_asks_for_the_classes_that_lack_labels() -> None:
    given = situation(targets=np.eye(3, dtype=np.float32)[[0] * 6])
    assert given.proba is not None
    assert 0 not in given.proba[select("smalltext_class_balancer", given, 8).indices].argmax(axis=1)


def test_label_cardinality_asks_where_too_many_labels_are_predicted() -> None:
    proba = np.tile(np.array([[0.9, 0.1, 0.1]], np.float32), (46, 1))
    given = situation(exclusive=False, proba=proba)  # one label on each labelled item
    proba[given.pool[7]] = 0.9
    assert select("smalltext_label_cardinality", given, 1).indices.tolist() == [given.pool[7]]


def test_adaptive_weighs_uncertainty_where_the_cardinality_is_the_same() -> None:
    proba = np.tile(np.array([[0.9, 0.1, 0.1]], np.float32), (46, 1))
    given = situation(exclusive=False, proba=proba)
    proba[given.pool[7]] = [0.6, 0.49, 0.1]
    assert select("smalltext_adaptive", given, 1).indices.tolist() == [given.pool[7]]


def test_cvirs_asks_where_the_predicted_labels_differ_most_from_those_given() -> None:
    proba = np.tile(np.array([[0.9, 0.1, 0.1]], np.float32), (46, 1))
    given = situation(exclusive=False, proba=proba, targets=np.tile([[1.0, 0, 0]], (6, 1)))
    odd = given.pool[[7, 8]]
    proba[odd] = [0.1, 0.9, 0.9]
    assert set(select("smalltext_cvirs", given, 2).indices.tolist()) == set(odd.tolist())


@pytest.mark.parametrize("name", ["smalltext_badge", "smalltext_anchors", "smalltext_class_balancer"])
def test_where_several_labels_may_hold_those_for_one_give_way_to_breaking_ties(name: str) -> None:
    ours, theirs = (select(one, situation(exclusive=False), 9).indices.tolist() for one in ("breaking_ties", name))
    assert ours == theirs


def test_badge_prefers_large_gradients_and_spreads_them() -> None:
    vectors = around([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [20, 20, 20])
    proba = np.tile(np.array([[1, 0]], np.float32), (60, 1))
    unsure = [3, 25, 47]
    proba[unsure] = 0.5
    given = Situation(proba, vectors, np.arange(60), np.empty(0, np.int64), np.empty((0, 2)), np.random.default_rng(0))
    assert set(select("smalltext_badge", given, 4).indices.tolist()) >= set(unsure)  # k-means++ begins anywhere


def test_discriminative_asks_for_what_looks_unlike_the_labelled() -> None:
    vectors = around([[1, 0, 0], [0, 1, 0]], [30, 30])
    labelled = np.arange(5)
    given = Situation(None, vectors, np.arange(5, 60), labelled, np.eye(2)[[0] * 5], np.random.default_rng(0))
    assert select("smalltext_discriminative", given, 1).indices[0] >= 30


def test_probcover_asks_first_for_the_densest_place() -> None:
    vectors = around([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [5, 25, 10])
    given = Situation(None, vectors, np.arange(40), np.empty(0, np.int64), np.empty((0, 3)), np.random.default_rng(0))
    assert [5 <= place < 30 for place in select("smalltext_probcover", given, 1).indices] == [True]


def test_the_radius_keeps_balls_within_one_cluster() -> None:
    angles = np.radians([0, 10, 20, 90, 100, 110])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    with seeded(np.random.default_rng(0)):
        every, half = purity_radius(vectors, 2, 1.0), purity_radius(vectors, 2, 0.5)
        assert purity_radius(vectors, 1) == 2
    assert every == pytest.approx(2 - 2 * np.cos(np.radians(70)), abs=1e-5)
    assert half == pytest.approx(2 - 2 * np.cos(np.radians(80)), abs=1e-5)


def test_seals_asks_only_near_what_is_labelled() -> None:
    given = situation(pool=300, labelled=1)
    near = np.argsort(-(given.vectors[given.pool] @ given.vectors[given.labelled[0]]))[:100]
    assert set(select("smalltext_seals", given, 20).indices.tolist()) <= set(given.pool[near].tolist())


def test_anchors_ask_only_near_labelled_items_of_each_class() -> None:
    given = situation(pool=700, labelled=3, targets=np.eye(3, dtype=np.float32))
    near = np.argsort(-(given.vectors[given.pool] @ given.vectors[given.labelled].T), axis=0)[:50]
    assert set(select("smalltext_anchors", given, 20).indices.tolist()) <= set(given.pool[near].ravel().tolist())


def test_the_index_finds_the_nearest_with_their_squared_distances() -> None:
    index = Exact()
    index.build(np.array([[1.0, 0], [0, 1], [0.6, 0.8]]), np.array([10, 11, 12]))
    ids, apart = index.search(np.array([[1.0, 0]]), k=2, return_distance=True)
    assert ids.tolist() == [[10, 12]]
    assert apart[0] == pytest.approx([0, 0.8], abs=1e-6)
    assert index.search(np.array([[0.0, 1]]), k=9).tolist() == [[11, 12, 10]]


def test_the_classifier_looks_stochastic_predictions_up_by_item() -> None:
    samples = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    given = situation(pool=3, labelled=1, samples=samples)
    found = Cached(given, False).predict_proba(Places(np.array([2, 0]), 3, False), dropout_sampling=10)
    assert found.tolist() == [[samples[0, 2].tolist(), samples[1, 2].tolist()], [samples[0, 0].tolist(), samples[1, 0].tolist()]]


def test_a_strategy_that_repeats_itself_or_picks_the_labelled_is_put_right() -> None:
    class Careless:
        def query(self, *_: object, n: int) -> list[int]:
            return [3, 41, 3, 0][:n]

    given = situation()
    assert query(Careless(), given, 4).tolist() == [given.pool[3], given.pool[0]]
