"""UST, AcTune, NeST and VERIPS held to what their papers say, on hand-made arrays, and the tempering they share."""

import dataclasses

import numpy as np
import pytest

from annot import passes as passes_of
from annot.selftraining import actune, base, choose, nest, tempering, ust, verips
from annot.selftraining.tempering import exponent, temper
from annot.situation import Situation

from .test_selftraining import clusters


def sure(likely: float = 0.98, **changes: object) -> Situation:
    """Return the three clusters of 40 with a model that is so sure of the right label."""
    label = np.repeat(np.arange(3), 40)
    proba = np.eye(3)[label] * (likely - (1 - likely) / 2) + (1 - likely) / 2
    return clusters(**({"proba": proba.astype(np.float32)} | changes))


def passes(given: Situation, spread: float = 0.0, count: int = 9) -> np.ndarray:
    """Return stochastic predictions that are now surer, now less sure, by ``spread``."""
    assert given.proba is not None
    power = np.where(np.arange(count) % 2, 1 + spread, 1 - spread)[:, None, None]
    found = given.proba[None] ** power
    return (found / found.sum(axis=2, keepdims=True)).astype(np.float32)


# --- tempering


def test_tempering_brings_the_likelihood_of_human_labels_to_its_mark() -> None:
    given = sure(0.5)
    power = exponent(given)
    assert power > 1
    assert temper(np.asarray(given.proba)[given.labelled], power).max(axis=1) == pytest.approx(tempering.LIKELIHOOD, abs=1e-3)


def test_a_model_that_is_sure_already_is_left_as_it_is() -> None:
    assert exponent(sure(0.98)) == pytest.approx(1)


def test_a_model_that_people_contradict_does_not_become_certain() -> None:
    given = sure(0.6, labelled=np.array([0, 1, 2, 3]), targets=np.eye(3, dtype=np.float32)[[0, 0, 1, 2]])
    assert exponent(given) == pytest.approx(1)


def test_tempering_keeps_the_order_and_makes_an_unknown_row_certain_of_nothing() -> None:
    found = temper(np.array([[0.5, 0.3, 0.2], [np.nan, 0.5, 0.5]]), 2)
    assert found[0] == pytest.approx(np.array([25, 9, 4]) / 38)
    assert found[1].tolist() == [0, 0, 0]


# --- UST


def test_ust_takes_as_many_of_each_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ust, "PER_CLASS", 10)
    label = np.repeat(np.arange(3), [80, 30, 10])
    proba = (np.eye(3)[label] * 0.7 + 0.1).astype(np.float32)
    given = dataclasses.replace(sure(), proba=proba)
    given = dataclasses.replace(given, samples=passes(given))
    assert choose("ust", given).labels.sum(axis=0).tolist() == [10, 10, 10]


def test_ust_prefers_what_the_passes_agree_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ust, "PER_CLASS", 5)
    given = sure(0.9)
    samples = passes(given)
    wavering = np.arange(120) % 2 == 1
    samples[::3, wavering] = np.roll(samples[::3, wavering], 1, axis=2)  # every third pass has another label
    chosen = [choose("ust", dataclasses.replace(given, samples=samples, rng=np.random.default_rng(seed))).indices for seed in range(40)]
    share = (np.concatenate(chosen) % 2).mean()
    easy = 1 - ust.bald(samples[:, [3, 4]].astype(np.float64))
    assert share == pytest.approx(easy[0] / easy.sum(), abs=0.06)
    assert share < 0.45


def test_bald_by_hand() -> None:
    agreeing, opposed = [[0.5, 0.5], [0.5, 0.5]], [[1.0, 0.0], [0.0, 1.0]]
    found = ust.bald(np.array([agreeing, opposed]).transpose(1, 0, 2))
    assert found == pytest.approx([0, np.log(2)])


def test_ust_weighs_a_label_less_the_more_its_probability_varies() -> None:
    given = sure(0.9)
    steady, shaky = (choose("ust", dataclasses.replace(given, samples=passes(given, spread))) for spread in (0.05, 0.5))
    assert steady.weights.min() > shaky.weights.max()
    assert ust.weights(np.array([0.01])) == pytest.approx(0.1 * np.log(100), abs=1e-6)
    assert ust.weights(np.array([0.0])).tolist() == [1]


def test_ust_takes_the_label_most_passes_lean_to() -> None:
    given = sure(0.9)
    samples = passes(given)
    samples[:, 7] = [0.1, 0.8, 0.1]
    chosen = choose("ust", dataclasses.replace(given, samples=samples))
    assert (7 not in chosen.indices) or chosen.labels[chosen.indices.tolist().index(7)].tolist() == [0, 1, 0]
    assert (chosen.labels.argmax(axis=1) == np.where(chosen.indices == 7, 1, chosen.indices // 40)).all()


def test_dropout_on_a_linear_head_is_what_leaving_inputs_out_would_give() -> None:
    rng = np.random.default_rng(0)
    vectors, weights = rng.normal(size=(50, 6)).astype(np.float32), rng.normal(size=(3, 6))
    bias = np.array([0.3, -0.2, 0.1])

    def head(inputs: np.ndarray) -> np.ndarray:
        raised = np.exp(inputs @ weights.T + bias)
        return np.asarray(raised / raised.sum(axis=-1, keepdims=True))

    found = passes_of.dropout(head(vectors), vectors, np.random.default_rng(1))
    masks = np.random.default_rng(1).random((passes_of.PASSES, 6)) >= passes_of.DROPOUT
    wanted = np.stack([head(vectors * mask / (1 - passes_of.DROPOUT)) for mask in masks])
    assert found == pytest.approx(wanted, abs=1e-5)


# --- AcTune


def test_actune_leaves_out_what_is_not_confident() -> None:
    given = sure(0.9)
    assert given.proba is not None
    given.proba[7] = [0.55, 0.4, 0.05]
    chosen = choose("actune", given)
    assert len(chosen)
    assert 7 not in chosen.indices


def test_actune_takes_the_surest_items_of_the_surest_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actune, "SURE_REGIONS", 2)
    monkeypatch.setattr(actune, "PER_REGION", 3)
    region = np.repeat(np.arange(3), 5)
    uncertainty = np.concatenate([np.full(5, 0.6), np.linspace(0.1, 0.5, 5), np.linspace(0.5, 0.1, 5)])
    assert actune.surest(region, np.zeros(15, int), uncertainty).tolist() == [5, 6, 7, 12, 13, 14]


def test_actune_mistrusts_regions_of_mixed_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actune, "SURE_REGIONS", 1)
    region, predicted = np.repeat([0, 1], 4), np.array([0, 1, 2, 0, 1, 1, 1, 1])
    uncertainty = np.repeat([0.1, 0.3], 4)
    assert actune.surest(region, predicted, uncertainty).tolist() == [4, 5, 6, 7]
    assert actune.surest(region, np.zeros(8, int), uncertainty).tolist() == [0, 1, 2, 3]


def test_uncertain_items_pull_the_regions_more(monkeypatch: pytest.MonkeyPatch) -> None:
    line = np.array([[0.0], [4], [7]], np.float32)  # what lies between goes with the one that weighs less
    monkeypatch.setattr(actune, "REGIONS", 2)
    left, right = actune.regions(line, np.array([0.01, 1, 9]), 0), actune.regions(line, np.array([9, 1, 0.01]), 0)
    assert left.tolist() in ([0, 0, 1], [1, 1, 0])
    assert right.tolist() in ([0, 1, 1], [1, 0, 0])


def test_there_are_no_more_regions_than_items() -> None:
    assert len(set(actune.regions(np.array([[0.0], [1], [10]], np.float32), np.ones(3), 0).tolist())) == 3


def test_actune_remembers_the_round_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actune, "SURE_REGIONS", actune.REGIONS)
    given = sure(0.65)
    assert given.proba is not None
    given.proba[7] = [0.6, 0.3, 0.1]
    otherwise = np.array(given.proba)
    otherwise[7] = [0.01, 0.98, 0.01]

    def chosen(earlier: np.ndarray | None) -> list[int]:
        return choose("actune", dataclasses.replace(given, earlier=earlier, rng=np.random.default_rng(0))).indices.tolist()

    assert 7 in chosen(None)
    assert chosen(given.proba) == chosen(None)
    assert chosen(otherwise) == [place for place in chosen(None) if place != 7]


def test_actune_lets_pseudo_labels_weigh_together_as_much_as_people(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose("actune", sure()).weights.sum() == pytest.approx(3)
    monkeypatch.setattr(actune, "PER_REGION", 1)
    monkeypatch.setattr(actune, "SURE_REGIONS", 2)
    assert choose("actune", sure()).weights.tolist() == [1, 1]  # never more than a person's each


# --- NeST


def neighbourhood(likely: float = 0.98) -> Situation:
    """Return the clusters with eight labelled items in each, so that all neighbours of an item are of its own cluster."""
    labelled = np.concatenate([np.arange(8) + start for start in (0, 40, 80)])
    return sure(likely, labelled=labelled, pool=np.setdiff1d(np.arange(120), labelled), targets=np.eye(3, dtype=np.float32)[labelled // 40])


def test_nest_never_takes_what_contradicts_its_labelled_neighbours_most() -> None:
    given = neighbourhood()
    assert given.proba is not None
    given.proba[20] = [0.01, 0.98, 0.01]
    for seed in range(5):
        chosen = choose("nest", dataclasses.replace(given, rng=np.random.default_rng(seed)))
        assert len(chosen)
        assert 20 not in chosen.indices


def test_nest_draws_agreeing_items_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nest, "PER_LABEL", 1)
    monkeypatch.setattr(nest, "CONFIDENCE", 0.4)
    given = neighbourhood()
    assert given.proba is not None
    doubtful = given.pool[::2]
    given.proba[doubtful] = np.eye(3)[doubtful // 40] * 0.25 + 0.25
    given.proba[given.pool[0]] = [0.01, 0.01, 0.98]
    chosen = [choose("nest", dataclasses.replace(given, rng=np.random.default_rng(seed))).indices for seed in range(20)]
    assert np.isin(np.concatenate(chosen), doubtful).mean() < 0.47  # half of the pool is doubtful


def test_divergence_is_low_where_neighbours_agree_with_the_item_and_with_each_other() -> None:
    known = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9]])
    said = np.array([[1.0, 0], [1, 0], [0, 1]])
    item = np.array([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1]])
    found = nest.divergence(item, known, said, np.array([[0, 1], [0, 1], [0, 2]]))
    assert found[0] == pytest.approx(0, abs=1e-6)
    assert found[1] == pytest.approx(0.8 * np.log(9), abs=1e-6)
    assert found[2] == pytest.approx(0.4 * np.log(9) + 0.1 * np.log(2), abs=1e-6)


def test_nest_uses_only_confident_predictions() -> None:
    given = neighbourhood()
    assert given.proba is not None
    given.proba[20] = [0.85, 0.1, 0.05]
    assert 20 not in choose("nest", given).indices
    assert len(choose("nest", neighbourhood(0.85))) == 0


def test_nest_remembers_the_round_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nest, "PER_LABEL", 1)
    given = neighbourhood()
    before = np.array(given.proba)
    before[given.pool[:36]] = [0.01, 0.01, 0.98]  # then wrong on the first cluster, and on some of the second

    def share(earlier: np.ndarray | None) -> float:
        drawn = [choose("nest", dataclasses.replace(given, earlier=earlier, rng=np.random.default_rng(seed))).indices for seed in range(20)]
        return float(np.isin(np.concatenate(drawn), given.pool[:36]).mean())

    assert share(before) < 0.05 < 0.25 < share(None)


def test_the_nearest_labelled_are_the_neighbours() -> None:
    labelled = np.array([[1, 0], [0, 1], [0.8, 0.6]], np.float32)
    items = np.array([[0.9, 0.1], [0, 1]], np.float32)
    assert base.nearest(items, labelled, 2).tolist() == [[0, 2], [1, 2]]
    assert base.nearest(items, labelled, 7).shape == (2, 3)


# --- VERIPS


def test_verips_takes_what_is_nearly_certain_and_verified() -> None:
    given = sure(0.99)
    chosen = choose("verips", given)
    assert chosen.indices.tolist() == given.pool.tolist()
    assert (chosen.labels.argmax(axis=1) == chosen.indices // 40).all()


def test_verips_drops_what_the_verifier_contradicts() -> None:
    given = sure(0.99)
    assert given.proba is not None
    given.proba[7] = [0.005, 0.99, 0.005]
    assert choose("verips", given).indices.tolist() == [place for place in given.pool.tolist() if place != 7]


def test_verips_proposes_only_low_entropy() -> None:
    given = sure(0.99)
    assert given.proba is not None
    given.proba[7] = [0.95, 0.04, 0.01]
    assert 7 not in choose("verips", given).indices


def test_the_verifier_knows_only_what_people_labelled() -> None:
    known, items = np.eye(2, dtype=np.float32), np.array([[0.9, 0.1], [0.1, 0.9]], np.float32)
    assert verips.verifier(known, np.array([[1, 0, 0], [0, 0, 1]], np.float32), items).tolist() == [0, 2]
    assert verips.verifier(known[:1], np.array([[0, 1, 0]], np.float32), items).tolist() == [1, 1]
