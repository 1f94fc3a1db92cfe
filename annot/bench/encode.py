"""Texts to vectors against sentence-transformers' plain ``encode`` of the same texts, and against what the machine could do at most.

The ceiling is a matrix product of the same number format in the same run; the work of a text is counted without padding.
"""

import argparse
import os
from pathlib import Path

import numpy as np

from annot import encoders
from annot.bench import _ceiling
from annot.bench import _command as command


def main(arguments: list[str]) -> int:
    parser = command.parser("encode", __doc__)
    parser.add_argument("--data", type=Path, help="folder with train.csv.gz (default: made-up texts of about 50 tokens)")
    parser.add_argument("--texts", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3, help="times each is measured, in turn; the median counts")
    parser.add_argument("--encoder", default="all-minilm-l6-v2")
    options = parser.parse_args(arguments)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the worker starts its children, and before torch is loaded
    result = measure(options)
    return command.report(result, options)


def measure(options: argparse.Namespace) -> dict[str, object]:
    from sentence_transformers import SentenceTransformer

    device = encoders.best_device()
    texts = _ceiling.texts(options.data, options.texts)
    identity = encoders.identify(options.encoder)
    ours, theirs = encoders.load(identity, device), SentenceTransformer(str(identity.path), device=device)
    model, tokenizer = encoders.load_parts(identity)
    lengths = [len(one) for one in encoders.tokenize(tokenizer, texts, identity.max_tokens)]
    vectors = ours.encode(texts).astype(np.float32)
    exact = theirs.encode(texts, show_progress_bar=False, normalize_embeddings=True)
    ceilings: list[float] = []
    ours_s, theirs_s, _ = _ceiling.interleaved(
        options.rounds,
        lambda: ours.encode(texts),
        lambda: theirs.encode(texts, show_progress_bar=False),
        lambda: ceilings.append(_ceiling.gflops(device, encoders.fast_dtype(device))),
    )
    ceiling = float(np.median(ceilings))
    done = _ceiling.work(model, lengths) / ours_s / 1e9
    return {
        "texts": len(texts),
        "tokens_per_text": round(float(np.mean(lengths)), 1),
        "texts_per_s": round(len(texts) / ours_s, 1),
        "baseline_texts_per_s": round(len(texts) / theirs_s, 1),
        "ratio_to_baseline": round(theirs_s / ours_s, 2),
        "gflops": round(done, 1),
        "ceiling_gflops": round(ceiling, 1),
        "share_of_ceiling": round(done / ceiling, 3),
        "min_cosine": round(float((vectors * exact).sum(axis=1).min()), 5),
        **_ceiling.machine(device),
    }
