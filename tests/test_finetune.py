"""Fine-tuning the real encoder for a few steps: it learns, repeats itself under a seed, and never leaves half a model."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annot import encoders
from annot.encoders import EncoderId
from annot.errors import ModelError
from annot.learners import tuning
from annot.learners.finetune import OBJECTIVES, Plateau, Recipe, finetune
from annot.loop import projects
from annot.loop.targets import with_ancestors
from annot.loop.training import Trial
from annot.settings import Workspace
from annot.store import Store
from tests.conftest import Small

TEXTS = ["the match was lost", "a late goal won it", "shares fell again", "the bank cut rates", "she ran the race", "profits rose"]
LABELS = np.eye(2, dtype=np.float32)[[0, 0, 1, 1, 0, 1]]
TINY = Recipe(steps=4, batch=6, max_tokens=16, device="cpu")


@pytest.fixture(scope="module")
def base() -> EncoderId:
    return encoders.identify("all-minilm-l6-v2")


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield
    torch.set_num_threads(before)


def train(base: EncoderId, out: Path, **changes: Any) -> EncoderId:
    facts = {"texts": TEXTS, "targets": LABELS, "weights": None, "recipe": TINY} | changes
    return finetune(base, **facts, out=out)


def tiny(**changes: Any) -> Recipe:
    return dataclasses.replace(TINY, **changes)


def moved(before: EncoderId, after: EncoderId) -> dict[str, float]:
    """Return how far each tensor moved, the mean over its numbers; tensors that stayed are left out."""
    from safetensors.numpy import load_file

    old, new = (load_file(one.path / "model.safetensors") for one in (before, after))
    # Transformers stopped saving a buffer that the base still has.
    assert new.keys() == old.keys() - {"embeddings.position_ids"}
    return {name: float(np.abs(new[name] - old[name]).mean()) for name in new if not np.array_equal(new[name], old[name])}


def vectors_of(identity: EncoderId) -> np.ndarray:
    return encoders.load(identity, "cpu").encode(TEXTS).astype(np.float32)


def gap(vectors: np.ndarray) -> float:
    """Return how much nearer texts of one label are to each other than to the others."""
    likeness, same = vectors @ vectors.T, LABELS @ LABELS.T > 0
    return float(likeness[same].mean() - likeness[~same].mean())


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_training_brings_texts_of_one_label_together(base: EncoderId, tmp_path: Path, objective: str) -> None:
    told: list[int] = []
    recipe = Recipe(objective, steps=8, batch=6, learning_rate=1e-4, frozen_share=0, max_tokens=16, device="cpu")
    tuned = train(base, tmp_path / "run", recipe=recipe, on_progress=told.append)
    assert told == list(range(1, 9))
    assert tuned.path == (tmp_path / "run").resolve()
    assert (tuned.dimensions, tuned.max_tokens, tuned.pooling) == (base.dimensions, base.max_tokens, base.pooling)
    assert tuned.key != base.key
    assert gap(vectors_of(tuned)) > gap(vectors_of(base)) + 0.05


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("how", tuning.TUNINGS)
def test_the_same_seed_trains_the_same_model(base: EncoderId, tmp_path: Path, how: str, objective: str) -> None:
    recipe = tiny(objective=objective, tuning=how, layer_decay=0.8, balance="loss", patience=2)
    first, second = (train(base, tmp_path / name, recipe=recipe) for name in ("first", "second"))
    other = train(base, tmp_path / "other", recipe=dataclasses.replace(recipe, seed=1))
    assert first.key.removeprefix("first") == second.key.removeprefix("second")
    assert first.key.removeprefix("first") != other.key.removeprefix("other")


def test_frozen_layers_stay_as_they_are(base: EncoderId, tmp_path: Path) -> None:
    changed = moved(base, train(base, tmp_path / "run", recipe=tiny(steps=2, batch=4, learning_rate=1e-3)))
    assert {name.split(".")[2] for name in changed if name.startswith("encoder.layer")} == {"3", "4", "5"}
    assert not any(name.startswith("embeddings") for name in changed)


def test_lora_leaves_a_plain_model_whose_linear_maps_moved(base: EncoderId, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    tuned = train(base, tmp_path / "run", recipe=tiny(tuning="lora", learning_rate=1e-3))
    changed = moved(base, tuned)
    assert {name.split(".")[2] for name in changed} == {"3", "4", "5"}
    assert all(name.endswith(".weight") and "LayerNorm" not in name for name in changed)
    assert len(changed) == 3 * 6
    assert not list(tuned.path.glob("*adapter*"))
    ours, plain = vectors_of(tuned), vectors_of(base)
    theirs = SentenceTransformer(str(tuned.path), device="cpu").encode(TEXTS)
    assert ((theirs * ours).sum(axis=1) > 0.995).all()
    assert ((plain * ours).sum(axis=1) < 0.98).all()


@pytest.mark.slow
def test_lora_brings_texts_of_one_label_together(base: EncoderId, tmp_path: Path) -> None:
    tuned = train(base, tmp_path / "run", recipe=tiny(tuning="lora", steps=8))
    assert gap(vectors_of(tuned)) > gap(vectors_of(base)) + 0.05


def test_lora_without_peft_says_what_to_install(base: EncoderId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ModelError, match=r"pip install -c constraints\.txt peft"):
        train(base, tmp_path / "run", recipe=tiny(tuning="lora"))
    assert not (tmp_path / "run").exists()


def test_lora_with_every_layer_frozen_is_refused(base: EncoderId, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="freeze fewer layers"):
        train(base, tmp_path / "run", recipe=tiny(tuning="lora", frozen_share=1.0))


def test_a_layer_that_learns_slower_moves_less(base: EncoderId, tmp_path: Path) -> None:
    changed = moved(base, train(base, tmp_path / "run", recipe=tiny(layer_decay=0.3)))
    third, fifth = (np.mean([far for name, far in changed.items() if name.startswith(f"encoder.layer.{n}.")]) for n in (3, 5))
    assert third < 0.2 * fifth


def test_a_plateau_is_reached_after_patience_steps_without_a_new_low() -> None:
    falling = [1 / (step + 1) for step in range(50)]
    assert not any(map(Plateau(3).reached, falling))
    flat = Plateau(3)
    assert [flat.reached(1.0) for _ in range(4)] == [False, False, False, True]
    after_all = Plateau(3)
    assert [after_all.reached(loss) for loss in (1, 1, 1, 0.1, 0.1, 0.1)] == [False] * 6


def test_without_patience_no_plateau_is_ever_reached() -> None:
    assert not any(Plateau(0).reached(1.0) for _ in range(500))


def test_training_ends_early_where_nothing_is_gained(base: EncoderId, tmp_path: Path) -> None:
    told: list[int] = []
    train(base, tmp_path / "run", recipe=tiny(steps=100, learning_rate=1e-9, patience=3), on_progress=told.append)
    assert 4 <= len(told) < 50
    assert told == list(range(1, len(told) + 1))


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("how", tuning.TUNINGS)
def test_several_labels_an_item_and_none_can_be_trained_on(base: EncoderId, tmp_path: Path, how: str, objective: str) -> None:
    several = LABELS.copy()
    several[0] = 1
    several[1] = 0
    tuned = train(base, tmp_path / "run", targets=several, recipe=tiny(objective=objective, tuning=how, steps=2))
    assert np.isfinite(vectors_of(tuned)).all()


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_in_a_tree_siblings_end_up_nearer_than_strangers(base: EncoderId, tmp_path: Path, objective: str) -> None:
    # Sport (football, running) and money (shares, banks), spread over the texts so that no likeness of words does the work.
    leaves, parents = np.array([2, 4, 3, 5, 2, 4]), np.array([-1, -1, 0, 0, 1, 1])
    targets = with_ancestors(np.eye(6, dtype=np.float32)[leaves], parents)
    tuned = train(base, tmp_path / "run", targets=targets, recipe=tiny(objective=objective, steps=16, batch=12, learning_rate=3e-4))
    vectors = vectors_of(tuned)
    likeness = vectors @ vectors.T
    sibling, stranger = likeness[[0, 4, 1, 5], [2, 2, 3, 3]].mean(), likeness[[0, 4, 2, 0], [1, 5, 3, 3]].mean()
    assert sibling > stranger + 0.3


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("how", tuning.TUNINGS)
def test_77_labels_with_one_item_each_can_be_trained_on(base: EncoderId, tmp_path: Path, how: str, objective: str) -> None:
    texts = [f"question {n} about {TEXTS[n % 6]}" for n in range(77)]
    recipe = tiny(objective=objective, tuning=how, batch=32, steps=6)
    tuned = train(base, tmp_path / "run", texts=texts, targets=np.eye(77), recipe=recipe)
    before, after = (encoders.load(one, "cpu").encode(texts).astype(np.float32) for one in (base, tuned))
    assert np.isfinite(after).all()
    assert ((before * after).sum(axis=1) < 0.99).all()
    if objective == "contrastive":
        apart = ~np.eye(77, dtype=bool)
        assert (after @ after.T)[apart].mean() < (before @ before.T)[apart].mean() - 0.02


@pytest.mark.slow
def test_weight_decides_between_two_labels_of_the_same_text(base: EncoderId, tmp_path: Path) -> None:
    texts, targets = [*TEXTS, *TEXTS], np.vstack([LABELS, 1 - LABELS[[0, 2, 1, 3, 5, 4]]])
    trusted = np.repeat([1.0, 0.01], 6)
    tuned = train(base, tmp_path / "run", texts=texts, targets=targets, weights=trusted, recipe=tiny(steps=8, frozen_share=0, batch=12))
    assert gap(vectors_of(tuned)) > gap(vectors_of(base)) + 0.05


def test_an_example_without_weight_is_not_trained_on(base: EncoderId, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="two labels"):
        train(base, tmp_path / "run", weights=LABELS[:, 0])
    weights = np.array([1, 0.1, 1, 0.1, 0, 0])
    whole = train(base, tmp_path / "whole", weights=weights, recipe=tiny(steps=1))
    fewer = train(base, tmp_path / "fewer", texts=TEXTS[:4], targets=LABELS[:4], weights=weights[:4], recipe=tiny(steps=1))
    assert whole.key.removeprefix("whole") == fewer.key.removeprefix("fewer")


def test_one_label_is_not_enough(base: EncoderId, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="at least two labels"):
        train(base, tmp_path / "run", targets=np.ones((6, 1)))
    with pytest.raises(ModelError, match="at least two labels"):
        train(base, tmp_path / "run", targets=with_ancestors(np.tile([[0, 1]], (6, 1)), np.array([-1, 0])))
    assert not (tmp_path / "run").exists()


def test_a_training_that_diverges_is_given_up(base: EncoderId, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="diverged at step"):
        train(base, tmp_path / "run", recipe=tiny(steps=8, learning_rate=1e30))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("facts", "complaint"), [({"weights": np.full(6, -1.0)}, "at least 0"), ({"targets": LABELS / 2}, "0 and 1")])
def test_weights_below_0_and_soft_targets_are_refused(base: EncoderId, tmp_path: Path, facts: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint):
        train(base, tmp_path / "run", **facts)


def test_a_run_cut_short_leaves_the_old_model(base: EncoderId, tmp_path: Path) -> None:
    old = train(base, tmp_path / "run")

    def stop(step: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(base, tmp_path / "run", on_progress=stop)
    assert encoders.identify(str(tmp_path / "run")) == old
    new = train(base, tmp_path / "run", recipe=tiny(steps=1, batch=4))
    assert new.key != old.key
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_sentence_transformers_loads_the_result(base: EncoderId, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    tuned = train(base, tmp_path / "run")
    theirs = SentenceTransformer(str(tuned.path), device="cpu").encode(TEXTS)
    assert ((theirs * vectors_of(tuned)).sum(axis=1) > 0.995).all()


@pytest.mark.parametrize("what", ["objective", "tuning", "balance"])
def test_an_unknown_choice_is_answered_with_the_known_ones(what: str) -> None:
    with pytest.raises(ModelError, match=f"no {what} named 'wishing'. Known: "):
        Recipe(**{what: "wishing"})


@pytest.mark.parametrize("changes", [{"layer_decay": 0.0}, {"layer_decay": 1.1}, {"patience": -1}, {"steps": 0}, {"batch": 3}])
def test_a_recipe_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="needs"):
        Recipe(**changes)


def test_a_projects_settings_reach_its_recipe(home: Workspace, store: Store, small: Small) -> None:
    chosen = {"run_tuning": "lora", "run_layer_decay": 0.8, "run_balance": "loss", "run_patience": 7, "run_steps": 9, "seed": 3}
    changed = projects.change_settings(store, small.project, {**chosen, "run_objective": "cross_entropy"})
    plain, set_by_lead = (
        Trial(**dict.fromkeys((field.name for field in dataclasses.fields(Trial)), None) | {"project": project}).recipe(1.0)  # type: ignore[arg-type]
        for project in (small.project, changed)
    )
    assert plain == Recipe(seed=1)
    expected = Recipe("cross_entropy", steps=9, seed=3, tuning="lora", layer_decay=0.8, balance="loss", patience=7)
    assert set_by_lead == expected
