"""The trial of number formats and batch sizes: what may stand for full precision, and that it is made once a machine."""

import json
from pathlib import Path

import numpy as np
import pytest

from annot import encoders, probe
from annot.encoders import Setting


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return probe.kept_in()


def vectors(n: int = 60) -> np.ndarray:
    found = np.random.default_rng(0).standard_normal((n, 16)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def turned(exact: np.ndarray, by: float) -> np.ndarray:
    moved = exact + by * np.random.default_rng(1).standard_normal(exact.shape).astype(np.float32)
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)


def test_a_format_stands_for_another_only_if_vectors_and_neighbours_stay() -> None:
    exact = vectors()
    assert probe.faithful(turned(exact, 0.001), exact)
    assert not probe.faithful(turned(exact, 0.05), exact)
    one_off = exact.copy()
    one_off[7] = turned(exact, 0.2)[7]
    assert not probe.faithful(one_off, exact)


@pytest.mark.slow
def test_a_trial_on_the_real_encoder_finds_a_setting_that_encodes_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "TEXTS", 12)
    identity = encoders.identify("all-minilm-l6-v2")
    found = probe.probe(identity)
    assert found.dtype in ("float32", "bfloat16")
    assert found.batch_tokens in probe.BATCH_TOKENS
    texts = probe.made_up(8)
    exact, ours = (encoders.load(identity, "cpu", one).encode(texts).astype(np.float32) for one in (Setting("float32"), found))
    assert ((exact * ours).sum(axis=1) > probe.LEAST_COSINE).all()


@pytest.mark.parametrize("damage", [None, "nonsense", "{}", '{"another machine": {"dtype": "float32"}}'])
def test_the_trial_is_made_once_a_machine_and_again_where_its_file_is_damaged(
    cache: Path, monkeypatch: pytest.MonkeyPatch, damage: str | None
) -> None:
    made: list[str] = []
    monkeypatch.setattr(probe, "probe", lambda encoder: made.append(encoder.name) or Setting("float32", 4_096))
    identity = encoders.identify("all-minilm-l6-v2")
    if damage is not None:
        cache.parent.mkdir(parents=True)
        cache.write_text(damage)
    assert probe.setting_of(identity) == probe.setting_of(identity) == Setting("float32", 4_096)
    assert made == [identity.name]
    assert [path.name for path in cache.parent.iterdir()] == ["setting.json"]
    assert ("another machine" in json.loads(cache.read_text())) == (damage is not None and "another" in damage)


def test_where_nothing_can_be_kept_encoding_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    monkeypatch.setattr(probe, "probe", lambda encoder: Setting("float32"))
    assert probe.setting_of(encoders.identify("all-minilm-l6-v2")) == Setting("float32")
