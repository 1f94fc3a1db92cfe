"""What this machine could do at most, and how much work a text is: the measure that benchmarks of encoding and training share.

Must not know how Annot encodes: counts come from the model's own layers.
"""

import csv
import gzip
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from annot.probe import processor

# A matrix product of the shape an encoder spends its time in: tokens of a batch by width by four times the width.
TOKENS, WIDTH = 2_048, 384
CEILING_S = 0.5
WORDS = ("the", "match", "profits", "of", "rain", "engine", "a", "court", "delayed", "new", "market", "was", "signed", "by", "virus")


def gflops(device: str, dtype: Any) -> float:
    """Measure the multiplications and additions per second, in thousand millions, of matrix products in ``dtype`` (a torch dtype)."""
    import torch

    left = torch.randn(TOKENS, WIDTH, device=device).to(dtype)
    right = torch.randn(WIDTH, 4 * WIDTH, device=device).to(dtype)

    def products(count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            left @ right
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        return time.perf_counter() - started

    with torch.inference_mode():
        products(3)
        count = max(3, round(CEILING_S / (products(3) / 3)))
        return 2 * TOKENS * WIDTH * 4 * WIDTH * count / products(count) / 1e9


def work(model: Any, lengths: list[int]) -> float:
    """Return the multiplications and additions of one forward pass over texts of these token counts, without padding."""
    import torch

    linear = sum(part.weight.numel() for name, part in model.named_modules() if isinstance(part, torch.nn.Linear) and "pooler" not in name)
    tokens, squares = sum(lengths), sum(length**2 for length in lengths)
    # Each token meets every weight; attention compares each token with each, and adds up as many values.
    return float(2 * linear * tokens + 4 * squares * model.config.hidden_size * model.config.num_hidden_layers)


def texts(path: Path | None, count: int) -> list[str]:
    """Return texts of a data set's train.csv.gz in a seeded order, or as many made-up ones of like lengths (about 50 tokens)."""
    rng = np.random.default_rng(0)
    if path is None:
        words = rng.choice(WORDS, 60 * count)
        lengths = rng.lognormal(3.7, 0.35, count).clip(5, 60).astype(int)
        return [f"{n} " + " ".join(words[60 * n : 60 * n + length]) for n, length in enumerate(lengths)]
    with gzip.open(path / "train.csv.gz", "rt", encoding="utf-8", newline="") as rows:
        found = [row["text"] for row in csv.DictReader(rows)]
    return [found[place] for place in rng.permutation(len(found))[:count]]


def machine(device: str) -> dict[str, object]:
    """Describe what the figures were measured on."""
    import os

    import torch

    name = torch.cuda.get_device_name() if device.startswith("cuda") else processor()
    return {"device": name, "cores": os.cpu_count(), "threads": torch.get_num_threads(), "torch": torch.__version__}


def interleaved(rounds: int, *timed: Callable[[], object]) -> list[float]:
    """Time each once a round, in turn, so that what else the machine does falls on all alike; return each one's median seconds."""
    seconds: list[list[float]] = [[] for _ in timed]
    for _ in range(rounds):
        for one, found in zip(timed, seconds, strict=True):
            started = time.perf_counter()
            one()
            found.append(time.perf_counter() - started)
    return [float(np.median(found)) for found in seconds]
