"""Text to vector: naming an encoder by what it is (name and content hash), and running it fast on this machine.

Identifying imports no torch; loading does. Must not cache vectors or read the store. A text longer than the encoder takes is cut.
"""

import hashlib
import json
import os
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annot.errors import ModelError
from annot.settings import ROOT

CATALOGUE = ROOT / "models" / "encoders.toml"
WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")
SMALL = ("config.json", "tokenizer.json", "vocab.txt", "tokenizer_config.json", "sentence_bert_config.json", "modules.json")
POOLINGS = ("mean", "cls", "max")
# Models of these types number their positions from 2.
OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl")
# Tokens of a batch, padding included, for each CPU thread, and on CUDA. Texts of ag_news per CPU second, in bfloat16 on one core
# with avx512_bf16: 195 at 2,048 tokens, 180 at 8,192, 137 at 16,384; sentence-transformers' encode does 54 in fp32.
BATCH_TOKENS = 2_048
CUDA_BATCH_TOKENS = 65_536
# Cores left to the rest of the machine where OpenMP's threads spin while they wait, which is what they do unless told otherwise
# before torch is loaded (the worker tells its children). On 2 cores with another process on one of them: 170 texts/s with one thread,
# 50 to 74 with two that spin, 154 to 172 with two that sleep. OMP_NUM_THREADS overrules it.
SPARED_CORES = 1
# Texts tokenised and sorted by length at a time: bounds memory, and is how often progress is told.
BLOCK = 2_048
# A text is cut to this many characters per token the encoder takes before it is tokenised; words are shorter than that.
CHARACTERS_PER_TOKEN = 16


@dataclass(frozen=True, slots=True)
class Setting:
    """How an encoder is run: the number format (a torch dtype's name, empty for the device's cheapest), and on a CPU the tokens of a
    batch for each thread. See ``probe``.
    """

    dtype: str = ""
    batch_tokens: int = BATCH_TOKENS


@dataclass(frozen=True, slots=True)
class EncoderId:
    """What identifies an encoder: ``key`` is its short name with the hash of its files."""

    name: str
    path: Path
    key: str
    dimensions: int
    max_tokens: int
    pooling: str


def names() -> list[str]:
    """Return the names in the catalogue."""
    return sorted(_catalogue())


def identify(name: str) -> EncoderId:
    """Find the encoder ``name``: of the catalogue, a local folder, or a Hugging Face repository already on disk or in reach.

    Raises ModelError saying what to do when it cannot be had.
    """
    folder = _folder(name)
    model = transformer_folder(folder)
    weights = [path for pattern in WEIGHTS for path in sorted(model.glob(pattern))][:64]
    if not weights or not (model / "config.json").is_file():
        raise ModelError(f"{folder} holds no encoder: expected config.json and model.safetensors (or pytorch_model.bin) in it.")
    small = [path for path in (*(model / one for one in SMALL), *sorted(folder.glob("*/config.json"))) if path.is_file()]
    files = tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in dict.fromkeys([*weights, *small]))
    return _identify(name if name in _catalogue() or not Path(name).is_dir() else folder.name, folder, files)


@cache
def _identify(name: str, folder: Path, files: tuple[tuple[Path, int, int], ...]) -> EncoderId:
    """Hash the files; their sizes and times in ``files`` make the memory of it forget a replaced model."""
    digest = hashlib.sha256()
    for path, _, _ in files:
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    model = transformer_folder(folder)
    config = _json(model / "config.json")
    dimensions = config.get("hidden_size") or config.get("dim") or config.get("d_model")
    if not dimensions:
        raise ModelError(f"{model / 'config.json'} does not say how wide the encoder's vectors are (hidden_size). Is it a text encoder?")
    short = "".join(letter if letter.isalnum() or letter in "-._" else "-" for letter in name)[-60:]
    key = f"{short}-{digest.hexdigest()[:16]}"
    return EncoderId(name, folder, key, int(dimensions), _max_tokens(model, config), _pooling(folder))


def _max_tokens(model: Path, config: dict[str, Any]) -> int:
    positions = config.get("max_position_embeddings") or 512
    if config.get("model_type") in OFFSET_POSITIONS:
        positions -= 2
    stated = _json(model / "sentence_bert_config.json").get("max_seq_length")
    return int(min(positions, stated or 512))


def _pooling(folder: Path) -> str:
    """Read how a sentence-transformers model pools; a plain transformer is pooled by its mean. Raises ModelError on other modules."""
    kinds = {str(module["type"]).rsplit(".", 1)[-1]: str(module["path"]) for module in _modules(folder)}
    if unknown := sorted(set(kinds) - {"Transformer", "Pooling", "Normalize"}):
        raise ModelError(f"The encoder in {folder} has a part Annot does not run ({unknown[0]}). Choose another.")
    config = _json(folder / kinds.get("Pooling", "1_Pooling") / "config.json")
    flags = {"cls": "pooling_mode_cls_token", "max": "pooling_mode_max_tokens"}
    found = str(config.get("pooling_mode") or next((kind for kind, flag in flags.items() if config.get(flag)), "mean"))
    if config.get("pooling_mode_lasttoken"):
        found = "lasttoken"
    if found not in POOLINGS:
        raise ModelError(f"The encoder in {folder} pools by {found}; Annot runs {', '.join(POOLINGS)}. Choose another.")
    return found


def transformer_folder(folder: Path) -> Path:
    """Return where a sentence-transformers folder keeps the transformer itself: mostly the folder, in old ones 0_Transformer."""
    return folder / next((str(module["path"]) for module in _modules(folder) if str(module["type"]).endswith("Transformer")), "")


def _modules(folder: Path) -> list[dict[str, Any]]:
    path = folder / "modules.json"
    found: list[dict[str, Any]] = json.loads(path.read_text("utf-8")) if path.is_file() else []
    return found


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return found


def _catalogue() -> dict[str, dict[str, str]]:
    return tomllib.loads(CATALOGUE.read_text("utf-8"))


def _folder(name: str) -> Path:
    entry = _catalogue().get(name, {})
    if "package" in entry:
        spec = find_spec(entry["package"])
        if spec is None or spec.origin is None:
            raise ModelError(f"The encoder {name!r} comes with the package {entry['package']}: pip install -r requirements.txt.")
        return Path(spec.origin).parent / "model"
    path = Path(entry.get("path", name)).expanduser()
    if path.is_dir():
        return path.resolve()
    if entry or path.is_absolute() or name.startswith("."):
        raise ModelError(f"The encoder {name!r} should be in the folder {path}, which does not exist.")
    return _from_hub(name)


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    patterns = ["*.json", "*.txt", "*.safetensors", "*/config.json", "*.model"]
    try:
        return Path(snapshot_download(name, allow_patterns=patterns, ignore_patterns=["onnx/*", "openvino/*"]))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError):
        raise ModelError(
            f"The encoder {name!r} is neither in models/encoders.toml ({', '.join(names())}), nor a local folder, nor in this disk's "
            "Hugging Face cache, and the hub could not be reached for it. Check the name, or download it where there is a network "
            f"(hf download {name}) and give the folder's path."
        ) from None


class Encoder:
    """A loaded encoder. Made by ``load``."""

    def __init__(self, identity: EncoderId, model: Any, tokenizer: Any, batch_tokens: int = BATCH_TOKENS) -> None:
        self.identity = identity
        self._batch_tokens = batch_tokens
        self._model, self._tokenizer = model, tokenizer

    def encode(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> NDArray[np.float16]:
        """Return L2-normalised vectors (n, d) in the order of ``texts``; tell ``on_progress`` how many are done.

        The same list always gives the same vectors on one machine. A text's vector may differ in its last bit with the company it
        is padded with.
        """
        import torch

        room = CUDA_BATCH_TOKENS if self._model.device.type == "cuda" else self._batch_tokens * torch.get_num_threads()
        out = np.empty((len(texts), self.identity.dimensions), np.float16)
        with torch.inference_mode():
            for start in range(0, len(texts), BLOCK):
                tokens = tokenize(self._tokenizer, texts[start : start + BLOCK], self.identity.max_tokens)
                for places in _batches([len(one) for one in tokens], room):
                    vectors = embed(self._model, [tokens[place] for place in places], self.identity.pooling)
                    out[[start + place for place in places]] = vectors.cpu().numpy()
                if on_progress:
                    on_progress(min(start + BLOCK, len(texts)))
        return out


def tokenize(tokenizer: Any, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
    """Return the token ids of each text, at most ``max_tokens`` with the special ones; any string will do, however long or odd."""
    backend = tokenizer.backend_tokenizer
    backend.enable_truncation(max_tokens)
    backend.no_padding()
    # A lone surrogate is no Unicode text, and the tokenizer refuses it.
    cut = [text[: max_tokens * CHARACTERS_PER_TOKEN].encode("utf-8", "replace").decode() for text in texts]
    return [encoding.ids for encoding in backend.encode_batch(cut)]


def embed(model: Any, tokens: list[list[int]], pooling: str) -> Any:
    """Return L2-normalised sentence vectors (n, d), a torch tensor in fp32 on the model's device, for texts given as token ids."""
    import torch

    width = max(len(one) for one in tokens)
    ids = torch.full((len(tokens), width), model.config.pad_token_id or 0)
    mask = torch.zeros((len(tokens), width), dtype=torch.long)
    for row, one in enumerate(tokens):
        ids[row, : len(one)] = torch.tensor(one)
        mask[row, : len(one)] = 1
    ids, mask = ids.to(model.device), mask.to(model.device)
    return pool(model(input_ids=ids, attention_mask=mask).last_hidden_state, mask, pooling)


def pool(hidden: Any, mask: Any, pooling: str) -> Any:
    """Return L2-normalised sentence vectors (n, d) in fp32 from token vectors (n, t, d) and their mask (n, t)."""
    import torch

    hidden, mask = hidden.float(), mask.unsqueeze(-1)
    if pooling == "cls":
        found = hidden[:, 0]
    elif pooling == "max":
        found = hidden.masked_fill(mask == 0, float("-inf")).max(dim=1).values
    else:
        found = (hidden * mask).sum(1) / mask.sum(1)
    return torch.nn.functional.normalize(found, dim=1)


def _batches(lengths: list[int], room: int) -> Iterator[list[int]]:
    """Group places of similar length, so that little is spent on padding; a group takes up at most ``room`` tokens."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda one: (-lengths[one], one)):
        if batch and (len(batch) + 1) * lengths[batch[0]] > room:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def load(identity: EncoderId, device: str | None = None, setting: Setting | None = None) -> Encoder:
    """Load an encoder on CUDA where present, else the CPU; in half precision where the hardware computes in it, or as ``setting`` says.

    Raises ModelError.
    """
    import torch

    device, setting = device or best_device(), setting or Setting()
    model, tokenizer = load_parts(identity)
    dtype = getattr(torch, setting.dtype) if setting.dtype else fast_dtype(device)
    return Encoder(identity, model.to(device=device, dtype=dtype).eval(), tokenizer, setting.batch_tokens)


def dtype_name(dtype: Any) -> str:
    """Return the name a ``Setting`` has for a torch dtype."""
    return str(dtype).removeprefix("torch.")


def best_device() -> str:
    """Return "cuda" where there is one, else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def fast_dtype(device: str) -> Any:
    """Return the cheapest number format this device computes in natively, a torch dtype."""
    import torch

    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if native else torch.float32


def load_parts(identity: EncoderId) -> tuple[Any, Any]:
    """Return (transformers model in fp32 on the CPU, fast tokenizer). Raises ModelError when the files are damaged."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    if "OMP_NUM_THREADS" not in os.environ:
        spinning = os.environ.get("OMP_WAIT_POLICY", "").upper() != "PASSIVE"
        torch.set_num_threads(max(1, (os.cpu_count() or 1) - (SPARED_CORES if spinning else 0)))
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    folder = transformer_folder(identity.path)
    try:
        model = AutoModel.from_pretrained(folder, local_files_only=True, dtype="float32")
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, use_fast=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as fault:
        raise ModelError(f"The encoder in {identity.path} cannot be loaded ({fault}). Is the folder complete?") from None
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise ModelError(f"The encoder in {identity.path} has no fast tokenizer (tokenizer.json). Choose one that has.")
    return model, tokenizer
