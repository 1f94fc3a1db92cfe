"""The cheap classifier on cached vectors: a linear map with softmax, or a sigmoid per label where several may hold.

Scoring is numpy alone; fitting uses scikit-learn. Must not load torch or touch a text.
"""

import os
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annot.errors import BadInput

# The inverse strength of the L2 penalty, and whether rare labels weigh as much as common ones. Mean accuracy over five draws of
# 20, 100 and 500 random labels on ag_news, trec6, mr and dbpedia14: 0.530, 0.742, 0.824 balanced with 1; 0.505, 0.717, 0.800
# balanced with 100; 0.348, 0.638, 0.820 unbalanced with 1; 0.484, 0.705, 0.797 unbalanced with 100.
PENALTY = 1.0
BALANCED = True
# With examples of more labels than MANY_LABELS, a few each, that penalty holds a head back. Mean accuracy over five random draws of 130,
# 300 and 600 of trec50's training texts, judged on others: 0.334, 0.400, 0.449 with 1, 0.420, 0.500, 0.550 with 3; of 150, 300, 600 and
# 1,200 of clinc150's: 0.480, 0.667, 0.804, 0.883 and 0.484, 0.658, 0.816, 0.895. With the few labels of trec6 and ag_news 1 is as good.
MANY_LABELS, PENALTY_OF_MANY = 20, 3.0
# Rows scored at a time: what they widen to (3 MB at 384 dimensions) stays in the cache.
CHUNK = 2_048
# A fit of so many labelled rows times labels takes over 0.1 s from zero, and a tenth of that from the head before (5,000 rows of 50
# labels: 0.39 s and 0.02 s). Below, every fit begins at zero, and so does not depend on the ones before it.
WARM_FROM = 50_000
# From so many rows on several threads pay.
MANY = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A fitted head: ``weights`` (k, d) and ``bias`` (k,), float32; a bias of minus infinity marks a label never seen."""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    exclusive: bool

    def proba(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return probabilities (m, k) for vectors (m, d), read a chunk at a time, so a memory-mapped pool of any size will do.

        Exclusive: rows sum to 1. A label never seen in training has probability 0.
        """
        out = np.empty((len(vectors), len(self.bias)), np.float32)

        def score(block: Block) -> None:
            places, read = block
            logits = _widen(read()) @ self.weights.T + self.bias
            out[places] = _softmax(logits) if self.exclusive else _sigmoid(logits)

        if len(vectors) < MANY:
            for block in _blocks(vectors):
                score(block)
        else:  # numpy lets go of the interpreter meanwhile, so threads share the work
            with ThreadPoolExecutor(os.cpu_count()) as threads:
                list(threads.map(score, _blocks(vectors)))
        return out

    def to_arrays(self) -> dict[str, Any]:
        """Return the arrays ``np.savez`` stores."""
        return {"weights": self.weights, "bias": self.bias, "exclusive": np.array(self.exclusive)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> "Head":
        """Build from ``to_arrays`` or from the file it was saved to."""
        return cls(arrays["weights"].astype(np.float32), arrays["bias"].astype(np.float32), bool(arrays["exclusive"]))


def fit(
    vectors: NDArray[np.floating],
    targets: NDArray[np.floating],
    exclusive: bool,
    weights: NDArray[np.floating] | None = None,
    seed: int = 0,
    start: Head | None = None,
) -> Head:
    """Fit a regularised logistic regression.

    ``vectors`` (n, d) L2-normalised; ``targets`` (n, k) in 0..1, indicators or soft: a soft row counts as a share of an example for
    each label; ``weights`` (n,) at least 0, None for all 1. ``seed`` is kept for heads that draw; this one is deterministic. ``start`` is
    a head of nearly the same rows, to begin from where that saves much time; the optimum is the same, to the solver's tolerance.
    Raises BadInput where nothing can be learned: no rows, or no label on any.
    """
    x, y = np.asarray(vectors, np.float32), np.asarray(targets, np.float64)
    share = np.ones(len(x)) if weights is None else np.asarray(weights, np.float64)
    if not (x.ndim == y.ndim == 2 and len(x) == len(y) == len(share)):
        raise BadInput(f"Vectors {x.shape}, targets {y.shape} and weights {share.shape} do not belong together.")
    seen = (y * share[:, None]).sum(axis=0) > 0
    if not len(x) or (exclusive and not seen.any()):
        raise BadInput("A head needs at least one labelled item.")
    if start is not None and (len(x) * y.shape[1] < WARM_FROM or start.weights.shape != (y.shape[1], x.shape[1])):
        start = None
    return _fit_exclusive(x, y * share[:, None], seen, start) if exclusive else _fit_each(x, y, share, start)


def _fit_exclusive(x: NDArray[np.float32], mass: NDArray[np.float64], seen: NDArray[np.bool_], start: Head | None) -> Head:
    coef = np.zeros((len(seen), x.shape[1]), np.float32)
    bias = np.where(seen, 0, -np.inf).astype(np.float32)
    if seen.sum() > 1:
        row, label = np.nonzero(mass)
        begin = None
        if start is not None and np.array_equal(np.isfinite(start.bias), seen):
            begin = start.weights[seen], start.bias[seen]
            if seen.sum() == 2:
                begin = np.diff(begin[0], axis=0), np.diff(begin[1])
        penalty = PENALTY if seen.sum() <= MANY_LABELS else PENALTY_OF_MANY
        found, offset = _logistic(x[row], label, mass[row, label], penalty, begin)
        if seen.sum() == 2:  # scikit-learn gives one line for two classes: the odds of the second
            found, offset = np.vstack([-found / 2, found / 2]), np.concatenate([-offset / 2, offset / 2])
        coef[seen], bias[seen] = found, offset
    return Head(coef, bias, True)


def _fit_each(x: NDArray[np.float32], y: NDArray[np.float64], share: NDArray[np.float64], start: Head | None) -> Head:
    k = y.shape[1]
    coef, bias = np.zeros((k, x.shape[1]), np.float32), np.full(k, -np.inf, np.float32)
    for label in range(k):
        yes, no = y[:, label] * share, (1 - y[:, label]) * share
        if yes.sum() > 0 and no.sum() > 0:
            rows = np.concatenate([np.flatnonzero(yes), np.flatnonzero(no)])
            sides = np.repeat([1, 0], [np.count_nonzero(yes), np.count_nonzero(no)])
            begin = None
            if start is not None and np.isfinite(start.bias[label]):
                begin = start.weights[label : label + 1], start.bias[label : label + 1]
            found, offset = _logistic(x[rows], sides, np.where(sides == 1, yes[rows], no[rows]), PENALTY, begin)
            coef[label], bias[label] = found[0], offset[0]
        elif yes.sum() > 0:
            bias[label] = np.log((yes.sum() + 0.5) / 0.5)
    return Head(coef, bias, False)


def _logistic(
    x: NDArray[np.float32],
    classes: NDArray[np.integer],
    share: NDArray[np.float64],
    penalty: float,
    begin: tuple[NDArray[np.floating], NDArray[np.floating]] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=penalty, class_weight="balanced" if BALANCED else None, max_iter=300, tol=1e-3, warm_start=True)
    if begin is not None:
        model.coef_, model.intercept_ = (np.array(part, np.float64) for part in begin)
    with warnings.catch_warnings():
        # Many labels with few examples each is how labelling begins, not a regression by mistake.
        warnings.filterwarnings("ignore", message="The number of unique classes", category=UserWarning)
        model.fit(x, classes, share)
    return model.coef_, model.intercept_


# Places, and what reads the vectors there.
Block = tuple[Any, Callable[[], NDArray[np.floating]]]


def _blocks(vectors: Any) -> Iterable[Block]:
    """Return all vectors in blocks, in the order that is cheapest to read where they know one (``vectors.Rows``)."""
    if hasattr(vectors, "blocks"):
        blocks: Iterable[Block] = vectors.blocks(CHUNK)
        return blocks
    parts = (slice(start, start + CHUNK) for start in range(0, len(vectors), CHUNK))
    return ((part, partial(vectors.__getitem__, part)) for part in parts)


def _widen(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the vectors in float32. Halves are moved bit by bit, 3 times as fast as numpy's cast (0.2 s for a million x 384).

    They must be finite, as ``VectorCache`` keeps them.
    """
    if vectors.dtype != np.float16:
        return np.asarray(vectors, np.float32)
    bits = np.ascontiguousarray(vectors).view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= np.int32(-0x70000001)  # without the copies of the sign above the exponent
    widened = bits.view(np.float32)
    widened *= np.float32(2.0**112)  # the exponents' biases: 127 - 15
    return widened


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: NDArray[np.float32] = raised / raised.sum(axis=1, keepdims=True)
    return found


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.exp(-np.logaddexp(np.float32(0), -logits))
    return found
