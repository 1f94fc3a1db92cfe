"""One contract for every self-training method, and HAST held to its paper; test_selftraining_methods does so with the others."""

import numpy as np
import pytest

from annot.errors import UnknownName
from annot.selftraining import PseudoLabels, base, choose, hast, names
from annot.situation import Situation


def clusters(per_label: int = 40, labels: int = 3, seed: int = 0, **changes: object) -> Situation:
    """Return well separated clusters with a right model; the first item of each cluster is labelled."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(labels), per_label)
    vectors = np.eye(max(8, labels), dtype=np.float32)[label]
    vectors += rng.normal(0, 0.1, vectors.shape).astype(np.float32)
    labelled = np.arange(labels) * per_label
    facts: dict[str, object] = {
        "proba": (np.eye(labels, dtype=np.float32)[label] * 0.7 + 0.3 / labels).astype(np.float32),
        "vectors": vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        "pool": np.setdiff1d(np.arange(len(label)), labelled),
        "labelled": labelled,
        "targets": np.eye(labels, dtype=np.float32),
        "rng": np.random.default_rng(seed),
    } | changes
    return Situation(**facts)  # type: ignore[arg-type]


NOBODY = np.empty(0, np.int64)
CASES: dict[str, dict[str, object]] = {
    "plain": {},
    "no model yet": {"proba": None},
    "empty pool": {"pool": NOBODY},
    "one item": {"pool": np.array([5])},
    "nothing labelled": {"labelled": NOBODY, "targets": np.empty((0, 3), np.float32)},
    "ties": {"proba": np.full((120, 3), 1 / 3, np.float32)},
    "not a number": {"proba": np.full((120, 3), np.nan, np.float32)},
    "one class": {"proba": np.tile(np.array([[1, 0, 0]], np.float32), (120, 1))},
    "several labels": {"exclusive": False},
    "the labelled are in the pool too": {"pool": np.arange(120)},
    "one class seen": {"targets": np.eye(3, dtype=np.float32)[np.zeros(3, int)]},
    "a class never predicted": {"proba": np.tile(np.array([[0.7, 0.3, 0]], np.float32), (120, 1))},
    "some not a number": {"proba": np.where(np.arange(120)[:, None] % 2, np.nan, np.array([[0.98, 0.01, 0.01]])).astype(np.float32)},
    "certain": {"proba": np.eye(3, dtype=np.float32)[np.repeat(np.arange(3), 40)]},
    "identical texts": {"vectors": np.tile(np.eye(8, dtype=np.float32)[:1], (120, 1))},
    "half precision": {"vectors": np.random.default_rng(0).normal(size=(120, 8)).astype(np.float16)},
    "stochastic predictions": {"samples": np.random.default_rng(0).dirichlet(np.ones(3), (5, 120)).astype(np.float32)},
    "stochastic, not a number": {"samples": np.full((5, 120, 3), np.nan, np.float32)},
    "the round before": {"earlier": np.random.default_rng(0).dirichlet(np.ones(3), 120).astype(np.float32)},
    "the round before, not a number": {"earlier": np.full((120, 3), np.nan, np.float32)},
    "77 classes with one label each": {"labels": 77, "per_label": 4},
    "one column": {"proba": np.ones((120, 1), np.float32), "targets": np.ones((3, 1), np.float32)},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", names())
def test_chooses_unlabelled_pool_items_once_with_a_label_and_a_weight(name: str, case: str) -> None:
    given = clusters(**CASES[case])  # type: ignore[arg-type]
    chosen = choose(name, given)
    assert len(chosen) == len(chosen.labels) == len(chosen.weights)
    assert len(set(chosen.indices.tolist())) == len(chosen)
    assert set(chosen.indices.tolist()) <= set(given.pool.tolist()) - set(given.labelled.tolist())
    assert chosen.labels.shape == (len(chosen), given.targets.shape[1])
    assert chosen.indices.tolist() == sorted(chosen.indices.tolist())
    assert np.isin(chosen.labels, [0, 1]).all()
    assert ((chosen.weights > 0) & np.isfinite(chosen.weights)).all()


@pytest.mark.parametrize("name", [name for name in names() if name != "none"])
def test_a_sure_model_on_well_separated_clusters_is_believed(name: str) -> None:
    label = np.repeat(np.arange(3), 40)
    chosen = choose(name, clusters(proba=(np.eye(3)[label] * 0.985 + 0.005).astype(np.float32)))
    assert len(chosen) >= 20
    assert (chosen.labels.argmax(axis=1) == label[chosen.indices]).all()


@pytest.mark.parametrize("name", names())
def test_where_several_labels_may_hold_none_are_chosen(name: str) -> None:
    assert len(choose(name, clusters(exclusive=False))) == 0


@pytest.mark.parametrize("name", names())
def test_the_same_seed_chooses_the_same(name: str) -> None:
    first, second = (choose(name, clusters()) for _ in range(2))
    assert first.indices.tolist() == second.indices.tolist()
    assert first.weights.tolist() == second.weights.tolist()


def test_none_chooses_nothing() -> None:
    assert len(choose("none", clusters())) == 0


def test_an_unknown_method_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="hast"):
        choose("wishful", clusters())


def chosen_by_hast(given: Situation) -> PseudoLabels:
    return choose("hast", given)


def test_hast_takes_what_is_likely_and_shared_by_its_neighbours() -> None:
    given = clusters()
    chosen = chosen_by_hast(given)
    assert chosen.indices.tolist() == given.pool.tolist()
    assert (chosen.labels.argmax(axis=1) == chosen.indices // 40).all()


def test_hast_leaves_out_what_is_not_likelier_than_half() -> None:
    given = clusters()
    assert given.proba is not None
    given.proba[7] = [0.5, 0.3, 0.2]
    assert 7 not in chosen_by_hast(given).indices


def test_hast_leaves_out_what_its_neighbours_contradict() -> None:
    given = clusters()
    assert given.proba is not None
    given.proba[7] = [0.1, 0.8, 0.1]
    assert 7 not in chosen_by_hast(given).indices


def test_hast_looks_at_a_subsample_of_a_large_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "SUBSAMPLE", 30)
    assert 0 < len(chosen_by_hast(clusters())) <= 30


def test_agreement_by_hand() -> None:
    vectors = np.array([[1, 0], [0.99, 0.14], [0.95, 0.31], [0, 1]], np.float32)
    assert hast.agreement(vectors, np.array([0, 0, 1, 1]), np.arange(4), 2).tolist() == [0.5, 0.5, 0, 0.5]


def test_identical_texts_are_each_others_neighbours_but_not_their_own() -> None:
    vectors = np.repeat(np.array([[1, 0]], np.float32), 40, axis=0)
    predicted = np.array([1] + [0] * 39)
    assert hast.agreement(vectors, predicted, np.array([0, 39]))[0] == 0


def test_hast_weighs_rare_classes_more() -> None:
    weights = hast.class_weights(np.array([0] * 6 + [1] * 2 + [2] * 4), 3)
    assert weights[8] == pytest.approx(1)  # 4 is the mean
    assert weights[0] < 1 < weights[6] < 2
