"""One contract for every registered selector, and the whole-pool scores held equal to small-text's."""

import dataclasses
import time

import numpy as np
import pytest

from annot.errors import UnknownName
from annot.selectors import confidence, names, select
from annot.selectors.smalltext.adapter import query
from annot.situation import Situation


def situation(pool: int = 40, labelled: int = 6, labels: int = 3, seed: int = 0, **changes: object) -> Situation:
    rng = np.random.default_rng(seed)
    n = pool + labelled
    vectors = rng.normal(size=(n, 8)).astype(np.float32)
    places = rng.permutation(n)
    facts: dict[str, object] = {
        "proba": rng.dirichlet(np.ones(labels), n).astype(np.float32),
        "vectors": vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        "pool": np.sort(places[:pool]),
        "labelled": places[pool:],
        "targets": np.eye(labels, dtype=np.float32)[rng.integers(labels, size=labelled)],
        "rng": np.random.default_rng(seed + 1),
    } | changes
    return Situation(**facts)  # type: ignore[arg-type]


CASES = {
    "plain": {},
    "no model yet": {"proba": None},
    "ties": {"proba": np.full((46, 3), 1 / 3, np.float32)},
    "one class": {"proba": np.tile(np.array([[1, 0, 0]], np.float32), (46, 1)), "targets": np.eye(3, dtype=np.float32)[np.zeros(6, int)]},
    "one column": {"proba": np.ones((46, 1), np.float32), "targets": np.ones((6, 1), np.float32)},
    "identical texts": {"vectors": np.tile(np.eye(8, dtype=np.float32)[:1], (46, 1))},
    "nothing labelled": {"labelled": 0},
    "not a number": {"proba": np.full((46, 3), np.nan, np.float32)},
    "several labels": {"exclusive": False, "proba": np.random.default_rng(3).random((46, 3)).astype(np.float32)},
    "half precision": {"vectors": np.random.default_rng(3).normal(size=(46, 8)).astype(np.float16)},
    "a class never predicted": {"proba": np.random.default_rng(3).dirichlet([1, 1, 0.0001], 46).astype(np.float32) * [1, 1, 0]},
    "one class seen": {"targets": np.eye(3, dtype=np.float32)[np.ones(6, int)]},
    "77 classes with one label each": {"labelled": 77, "labels": 77, "targets": np.eye(77, dtype=np.float32)},
    "a pool as small as the question": {"pool": 10},
    "stochastic predictions": {"samples": np.random.default_rng(3).dirichlet(np.ones(3), (5, 46)).astype(np.float32)},
    "several labels, stochastic": {"exclusive": False, "samples": np.random.default_rng(3).random((5, 46, 3)).astype(np.float32)},
    "stochastic, not a number": {"samples": np.full((5, 46, 3), np.nan, np.float32)},
    "stochastic, one column": {"proba": np.ones((46, 1), np.float32), "targets": np.ones((6, 1)), "samples": np.ones((5, 46, 1))},
    "a prior": {"prior": np.random.default_rng(3).dirichlet(np.ones(3), 46).astype(np.float32)},
    "a prior, not a number": {"prior": np.full((46, 3), np.nan, np.float32)},
    "the round before": {"earlier": np.random.default_rng(3).dirichlet(np.ones(3), 46).astype(np.float32)},
    "groups": {"groups": np.arange(46) // 3},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", names())
def test_picks_n_pool_items_without_repeats(name: str, case: str) -> None:
    given = situation(**CASES[case])  # type: ignore[arg-type]
    picked = select(name, given, 10)
    assert len(picked.indices) == len(picked.scores) == 10
    assert len(set(picked.indices.tolist())) == 10
    assert set(picked.indices.tolist()) <= set(given.pool.tolist())


@pytest.mark.parametrize("n", [5, 12, 30, 46])
@pytest.mark.parametrize("name", names())
def test_near_duplicates_wait_until_nothing_else_is_left(name: str, n: int) -> None:
    groups = np.where(np.arange(46) < 36, np.arange(46) // 4, -1)  # nine of four, and ten that stand alone
    given = situation(groups=groups)
    picked = select(name, given, n).indices
    known = set(groups[given.labelled].tolist()) - {-1}
    fresh = [int(group) for group in groups[picked] if group >= 0 and group not in known]
    distinct = len(set(groups[given.pool].tolist()) - known - {-1})
    alone = int((groups[given.pool] == -1).sum())
    first = groups[picked[: distinct + alone]]
    assert len(picked) == min(n, len(given.pool)) == len(set(picked.tolist()))
    assert len(set(first[first >= 0].tolist())) == (first >= 0).sum()
    assert not known & set(first.tolist())
    late = [int(group) in known for group in groups[picked]]
    assert late == sorted(late)
    assert set(fresh[:distinct]) == set(fresh) or n < distinct + alone


@pytest.mark.parametrize("name", names())
def test_what_is_labelled_is_not_asked_again_even_if_it_is_in_the_pool(name: str) -> None:
    given = dataclasses.replace(situation(), pool=np.arange(46))
    picked = select(name, given, 1000)
    assert sorted(picked.indices.tolist()) == sorted(set(range(46)) - set(given.labelled.tolist()))


@pytest.mark.parametrize("name", names())
def test_scores_fall(name: str) -> None:
    assert (np.diff(select(name, situation(), 40).scores) <= 1e-6).all()


@pytest.mark.parametrize("name", names())
def test_the_global_generator_is_left_alone(name: str) -> None:
    before = np.random.get_state()[1].tolist()  # type: ignore[union-attr]
    select(name, situation(), 10)
    assert np.random.get_state()[1].tolist() == before  # type: ignore[union-attr]


@pytest.mark.parametrize("name", names())
def test_the_same_seed_gives_the_same_answer(name: str) -> None:
    first, second = (select(name, situation(rng=np.random.default_rng(7)), 10) for _ in range(2))
    assert first.indices.tolist() == second.indices.tolist()


@pytest.mark.parametrize("name", names())
def test_asking_for_more_than_the_pool_gives_the_whole_pool(name: str) -> None:
    given = situation()
    assert sorted(select(name, given, 1000).indices.tolist()) == given.pool.tolist()


@pytest.mark.parametrize("name", names())
def test_an_empty_pool_gives_nothing(name: str) -> None:
    assert len(select(name, situation(pool=0), 10).indices) == 0


def test_seconds_come_before_thirds_and_known_groups_last() -> None:
    given = situation(
        pool=8,
        labelled=1,
        labels=2,
        proba=np.array([[0.5, 0.5], *([0.6 + step / 20, 0.4 - step / 20] for step in range(8))], np.float32),
        groups=np.array([4, 2, 2, 2, -1, 1, 1, -1, 4]),
    )
    given = dataclasses.replace(given, pool=np.arange(8), labelled=np.array([8]))
    picked = select("breaking_ties", given, 8)
    assert picked.indices.tolist() == [1, 4, 5, 7, 2, 6, 3, 0]
    assert (np.diff(picked.scores) <= 0).all()
    assert select("breaking_ties", given, 2).indices.tolist() == [1, 4]


def test_where_every_group_is_known_their_other_members_are_still_asked() -> None:
    given = situation(groups=np.zeros(46, np.int64))
    assert select("breaking_ties", given, 40).indices.tolist() == given.pool.tolist()


@pytest.mark.parametrize("name", ["breaking_ties", "least_confidence", "prediction_entropy"])
def test_what_the_model_cannot_say_anything_about_is_asked_first(name: str) -> None:
    given = situation()
    assert given.proba is not None
    given.proba[given.pool[3]] = np.nan
    assert select(name, given, 5).indices[0] == given.pool[3]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("name", "theirs"),
    [("breaking_ties", "BreakingTies"), ("least_confidence", "LeastConfidence"), ("prediction_entropy", "PredictionEntropy")],
)
def test_the_whole_pool_path_picks_what_small_text_picks(name: str, theirs: str, seed: int) -> None:
    import small_text

    given = situation(pool=200, seed=seed)
    assert set(select(name, given, 20).indices.tolist()) == set(query(getattr(small_text, theirs)(), given, 20).tolist())


def test_breaking_ties_by_hand() -> None:
    proba = np.array([[0.5, 0.5, 0.0], [0.9, 0.1, 0.0], [0.6, 0.0, 0.4]], np.float32)
    assert confidence.breaking_ties(proba) == pytest.approx([0.0, 0.8, 0.2])


def test_diversity_visits_every_cluster_before_it_repeats_one() -> None:
    vectors = np.repeat(np.eye(8, dtype=np.float32), 10, axis=0)
    nothing = np.empty(0, np.int64)
    given = Situation(None, vectors, np.arange(80), nothing, np.empty((0, 3)), np.random.default_rng(0))
    assert {int(place) // 10 for place in select("diversity", given, 8).indices} == set(range(8))


def test_an_unknown_selector_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="breaking_ties"):
        select("clairvoyance", situation(), 1)


def test_equal_scores_are_asked_in_the_order_of_the_pool() -> None:
    given = situation(proba=np.full((46, 3), 1 / 3, np.float32))
    assert select("breaking_ties", given, 10).indices.tolist() == given.pool[:10].tolist()


def test_where_labels_may_hold_together_the_least_clear_one_counts() -> None:
    proba = np.array([[0.9, 0.9, 0.0], [0.9, 0.55, 0.0], [1.0, 1.0, 1.0]], np.float32)
    assert confidence.breaking_ties(proba, exclusive=False) == pytest.approx([0.8, 0.1, 1.0])
    assert confidence.least_confidence(proba, exclusive=False) == pytest.approx([0.81, 0.495, 1.0])
    assert confidence.prediction_entropy(proba, exclusive=False).argmin() == 1


def test_diversity_is_quick_on_a_large_pool() -> None:
    vectors = np.random.default_rng(0).normal(size=(20_000, 384)).astype(np.float32)
    nothing = np.empty(0, np.int64)
    given = Situation(None, vectors, np.arange(20_000), nothing, np.empty((0, 3)), np.random.default_rng(0))
    started = time.process_time()
    assert len(select("diversity", given, 1000).indices) == 1000
    assert time.process_time() - started < 1.5  # 0.3 s when measured


def test_diversity_keeps_away_from_what_is_labelled() -> None:
    vectors = np.repeat(np.eye(4, dtype=np.float32), 10, axis=0)
    labelled = np.array([0, 10, 20])
    given = Situation(None, vectors, np.setdiff1d(np.arange(40), labelled), labelled, np.eye(3), np.random.default_rng(0))
    assert select("diversity", given, 1).indices[0] >= 30
