"""The packaged encoder for real: what it is called, and that any text becomes one vector of length 1, the same every time."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from annot import encoders
from annot.encoders import Encoder, EncoderId
from annot.errors import ModelError

SENTENCES = ["The striker scored twice in the final.", "A late goal won the cup match.", "Shares fell after the bank's warning."]


@pytest.fixture(scope="module")
def identity() -> EncoderId:
    return encoders.identify("all-minilm-l6-v2")


@pytest.fixture(scope="module")
def encoder(identity: EncoderId) -> Encoder:
    return encoders.load(identity, "cpu")


@pytest.fixture
def copy(identity: EncoderId, tmp_path: Path) -> Path:
    return Path(shutil.copytree(identity.path, tmp_path / "copy"))


def rewrite(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_packaged_encoder_is_known_by_what_it_is(identity: EncoderId) -> None:
    assert encoders.names() == ["all-minilm-l6-v2"]
    assert (identity.dimensions, identity.max_tokens, identity.pooling) == (384, 256, "mean")
    assert identity.key.startswith("all-minilm-l6-v2-")


def test_naming_an_encoder_loads_no_torch() -> None:
    code = "import sys; from annot import encoders; encoders.identify('all-minilm-l6-v2'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=encoders.ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_key_follows_the_content_of_the_folder(identity: EncoderId, copy: Path) -> None:
    same = encoders.identify(str(copy))
    assert same.name == "copy"
    assert same.key.split("-")[-1] == identity.key.split("-")[-1]
    rewrite(copy / "sentence_bert_config.json", max_seq_length=100)
    assert encoders.identify(str(copy)).max_tokens == 100
    assert encoders.identify(str(copy)).key != same.key


def test_pooling_is_read_from_the_folder(copy: Path) -> None:
    rewrite(copy / "1_Pooling" / "config.json", pooling_mode_cls_token=True, pooling_mode_mean_tokens=False)
    assert encoders.identify(str(copy)).pooling == "cls"
    rewrite(copy / "1_Pooling" / "config.json", pooling_mode="max")
    assert encoders.identify(str(copy)).pooling == "max"
    (copy / "modules.json").unlink()
    shutil.rmtree(copy / "1_Pooling")
    assert encoders.identify(str(copy)).pooling == "mean"


def test_a_pooling_annot_does_not_run_is_refused(copy: Path) -> None:
    rewrite(copy / "1_Pooling" / "config.json", pooling_mode="weightedmean")
    with pytest.raises(ModelError, match="weightedmean"):
        encoders.identify(str(copy))


def test_a_model_with_more_parts_is_refused(copy: Path) -> None:
    modules = json.loads((copy / "modules.json").read_text())
    (copy / "modules.json").write_text(json.dumps([*modules, {"type": "sentence_transformers.models.Dense", "path": "3_Dense"}]))
    with pytest.raises(ModelError, match="Dense"):
        encoders.identify(str(copy))


def test_a_name_nobody_has_is_answered_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"all-minilm-l6-v2.*hf download nobody/nothing"):
        encoders.identify("nobody/nothing")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        encoders.identify(str(tmp_path / "gone"))
    with pytest.raises(ModelError, match="holds no encoder"):
        encoders.identify(str(tmp_path))


def test_damaged_weights_are_said_in_words(copy: Path) -> None:
    (copy / "model.safetensors").write_bytes(b"not a model")
    with pytest.raises(ModelError, match="cannot be loaded"):
        encoders.load(encoders.identify(str(copy)), "cpu")


def test_texts_of_like_meaning_are_near(encoder: Encoder) -> None:
    vectors = encoder.encode(SENTENCES)
    assert vectors.dtype == np.float16
    assert vectors.shape == (3, 384)
    likeness = vectors.astype(np.float32) @ vectors.T.astype(np.float32)
    assert np.diag(likeness) == pytest.approx(1, abs=2e-3)
    assert likeness[0, 1] > likeness[0, 2] + 0.2


def test_vectors_are_those_of_sentence_transformers_in_full_precision(encoder: Encoder, identity: EncoderId) -> None:
    from sentence_transformers import SentenceTransformer

    texts = [*SENTENCES, "word " * 400, "short", "Ünïcödé 🤷 text"]
    theirs = SentenceTransformer(str(identity.path), device="cpu").encode(texts, normalize_embeddings=True)
    assert ((encoder.encode(texts) * theirs).sum(axis=1) >= 0.995).all()


def test_order_is_kept_whatever_the_lengths(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{'long ' * (n * 7 % 23)}number {n}" for n in range(30)]
    whole = encoder.encode(texts).astype(np.float32)
    monkeypatch.setattr(encoders, "BATCH_TOKENS", 64)
    monkeypatch.setattr(encoders, "BLOCK", 11)
    told: list[int] = []
    pieces = encoder.encode(texts, told.append).astype(np.float32)
    assert ((whole * pieces).sum(axis=1) > 0.998).all()
    assert told == [11, 22, 30]


def test_the_same_texts_get_the_same_vectors(encoder: Encoder) -> None:
    assert np.array_equal(encoder.encode(SENTENCES), encoder.encode(SENTENCES))


@pytest.mark.parametrize(
    "text", ["", " ", "\0", "a\0b", "🤷🏽‍♀️", "\u202eright to left", "\ud800 alone", "x" * 100_000, "word " * 20_000, "\n" * 100_000]
)
def test_any_string_has_a_vector(encoder: Encoder, text: str) -> None:
    (vector,) = encoder.encode([text]).astype(np.float32)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=2e-3)


def test_no_texts_have_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, 384)
