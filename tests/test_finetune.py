"""Fine-tuning the real encoder for a few steps: it learns, repeats itself under a seed, and never leaves half a model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annot import encoders
from annot.encoders import EncoderId
from annot.errors import ModelError
from annot.learners.finetune import OBJECTIVES, Recipe, finetune

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


def test_the_same_seed_trains_the_same_model(base: EncoderId, tmp_path: Path) -> None:
    first, second = (train(base, tmp_path / name) for name in ("first", "second"))
    other = train(base, tmp_path / "other", recipe=Recipe(steps=4, batch=6, max_tokens=16, seed=1, device="cpu"))
    assert first.key.removeprefix("first") == second.key.removeprefix("second")
    assert first.key.removeprefix("first") != other.key.removeprefix("other")


def test_frozen_layers_stay_as_they_are(base: EncoderId, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    recipe = Recipe(steps=2, batch=4, max_tokens=16, learning_rate=1e-3, device="cpu")
    before, after = (load_file(one.path / "model.safetensors") for one in (base, train(base, tmp_path / "run", recipe=recipe)))
    moved = {name for name in after if not np.array_equal(after[name], before[name])}
    assert {name.split(".")[2] for name in moved if name.startswith("encoder.layer")} == {"3", "4", "5"}
    assert not any(name.startswith("embeddings") for name in moved)


def test_several_labels_an_item_and_none_can_be_trained_on(base: EncoderId, tmp_path: Path) -> None:
    several = LABELS.copy()
    several[0] = 1
    several[1] = 0
    for objective in OBJECTIVES:
        recipe = Recipe(objective, steps=2, batch=6, max_tokens=16, device="cpu")
        tuned = train(base, tmp_path / objective, targets=several, recipe=recipe)
        assert np.isfinite(vectors_of(tuned)).all()


def test_an_example_without_weight_is_not_trained_on(base: EncoderId, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="two labels"):
        train(base, tmp_path / "run", weights=LABELS[:, 0])
    train(base, tmp_path / "run", weights=np.array([1, 0.1, 1, 0.1, 0, 0]))


def test_one_label_is_not_enough(base: EncoderId, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="at least two labels"):
        train(base, tmp_path / "run", targets=np.ones((6, 1)))
    assert not (tmp_path / "run").exists()


def test_a_run_cut_short_leaves_the_old_model(base: EncoderId, tmp_path: Path) -> None:
    old = train(base, tmp_path / "run")

    def stop(step: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(base, tmp_path / "run", on_progress=stop)
    assert encoders.identify(str(tmp_path / "run")) == old
    new = train(base, tmp_path / "run", recipe=Recipe(steps=1, batch=4, max_tokens=16, device="cpu"))
    assert new.key != old.key
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_sentence_transformers_loads_the_result(base: EncoderId, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    tuned = train(base, tmp_path / "run")
    theirs = SentenceTransformer(str(tuned.path), device="cpu").encode(TEXTS)
    assert ((theirs * vectors_of(tuned)).sum(axis=1) > 0.995).all()


def test_an_unknown_objective_is_answered_with_the_known_ones(base: EncoderId, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="objective"):
        train(base, tmp_path / "run", recipe=Recipe(objective="wishing"))
