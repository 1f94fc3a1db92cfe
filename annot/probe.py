"""Which number format and batch size encode fastest on this machine, found by a short trial and kept.

A format counts only if it hardly changes the vectors: see LEAST_COSINE and LEAST_SHARED. Must not encode a project.
"""

import json
import os
import platform
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annot import encoders
from annot.encoders import EncoderId, Setting
from annot.settings import machine_cache

# Against full precision: the cosine of every text's two vectors, and the mean share of its nearest texts that stay among its nearest.
# int8 (torch's dynamic quantisation of the linear maps) encoded ag_news 1.2 times as fast as bfloat16 here and had texts at a cosine of
# 0.90, by channel 0.96: it is not among the candidates.
LEAST_COSINE, LEAST_SHARED, NEAREST = 0.995, 0.9, 10
BATCH_TOKENS = (1_024, 2_048, 4_096)
TEXTS = 48
# So much faster has another batch size to be than the usual one: what else the machine does moves a timing by more than nothing.
GAIN = 1.1


def kept_in() -> Path:
    return machine_cache() / "setting.json"


def setting_of(encoder: EncoderId) -> Setting:
    """Return how to run ``encoder`` on this machine: as was found before, else as a trial of some seconds finds, which is then kept.

    Encoders of one shape share a setting, so that a fine-tuned one is not tried again.
    """
    file = kept_in()
    device = encoders.best_device()
    machine = f"{processor()}, {os.cpu_count()} cores, {device}; {shape_of(encoder)}"
    known: dict[str, Any] = {}
    with suppress(OSError, ValueError, KeyError, TypeError):  # none yet, none of this machine, or damaged: it is made again
        known = dict(json.loads(file.read_text("utf-8")))
        return Setting(**known[machine])
    found = Setting() if device.startswith("cuda") else probe(encoder)
    with suppress(OSError):  # a home that cannot be written costs the trial again, and nothing else
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps(known | {machine: asdict(found)}, indent=1), "utf-8")
        unfinished.replace(file)
    return found


def shape_of(encoder: EncoderId) -> str:
    """Name what decides how fast an encoder is and how it rounds: its kind, layers, width and length."""
    config = json.loads((encoders.transformer_folder(encoder.path) / "config.json").read_text("utf-8"))
    layers = config.get("num_hidden_layers") or config.get("n_layers") or config.get("num_layers")
    return f"{config.get('model_type')} of {layers} layers, {encoder.dimensions} wide, {encoder.max_tokens} tokens"


def probe(encoder: EncoderId) -> Setting:
    """Try the formats, then batch sizes with the better one, on made-up texts on this CPU."""
    texts = made_up(TEXTS)
    exact = encoders.load(encoder, "cpu", Setting("float32")).encode(texts).astype(np.float32)
    best, least = Setting("float32"), float("inf")
    for dtype in dict.fromkeys([encoders.dtype_name(encoders.fast_dtype("cpu")), "float32"]):
        seconds, vectors = _timed(encoder, Setting(dtype), texts)
        if seconds < least and faithful(vectors, exact):
            best, least = Setting(dtype), seconds
    least /= GAIN
    for tokens in BATCH_TOKENS:
        if tokens != best.batch_tokens:
            seconds, _ = _timed(encoder, Setting(best.dtype, tokens), texts)
            if seconds < least:
                best, least = Setting(best.dtype, tokens), seconds
    return best


def faithful(vectors: NDArray[np.floating], exact: NDArray[np.floating]) -> bool:
    """Tell whether ``vectors`` (n, d) can stand for ``exact`` (n, d): each is near its own, and nearly the same others are near it."""
    near, near_exact = (_nearest(np.asarray(one, np.float32)) for one in (vectors, exact))
    shared = np.mean([len(np.intersect1d(*pair)) / len(pair[0]) for pair in zip(near, near_exact, strict=True)])
    return bool((vectors * exact).sum(axis=1).min() >= LEAST_COSINE and shared >= LEAST_SHARED)


def made_up(count: int) -> list[str]:
    """Return texts of 5 to 90 words that are not alike."""
    rng = np.random.default_rng(0)
    words = [f"{first}{second}" for first in ("ba", "co", "di", "fu", "ge", "la", "mo", "ne") for second in ("r", "st", "ll", "nd", "ke")]
    return [" ".join(rng.choice(words, length)) for length in rng.integers(5, 90, count)]


def _timed(encoder: EncoderId, setting: Setting, texts: list[str]) -> tuple[float, NDArray[np.float32]]:
    loaded = encoders.load(encoder, "cpu", setting)
    loaded.encode(texts[:4])  # the first pass sets things up
    started = time.perf_counter()
    vectors = loaded.encode(texts).astype(np.float32)
    return time.perf_counter() - started, vectors


def _nearest(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -np.inf)
    k = min(NEAREST, len(vectors) - 1)
    found: NDArray[np.int64] = np.argpartition(likeness, -k, axis=1)[:, -k:]
    return found


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
