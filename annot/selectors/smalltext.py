"""small-text's query strategies on cached arrays: one adapter that presents them as its classifier and its dataset.

No strategy runs a model: probabilities and embeddings are looked up. Must not reimplement a strategy. small-text is imported inside
functions, as it brings torch along (3 s the first time). See Schröder et al., "Small-Text: Active Learning for Text Classification
in Python", EACL 2023.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annot.records import Reason
from annot.selectors.base import Picked, Situation, draw, selectors

# These strategies cost what they see times what they pick. They see a random part of the pool and choose the front of the queue,
# which is rewritten after every label; what follows is drawn at random.
SAMPLE = 1_024
FRONT = 20


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """A dataset of small-text that holds nothing but places in the cached arrays."""

    places: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, key: Any) -> "Places":
        return Places(np.atleast_1d(self.places[np.asarray(key, np.int64)]))


class Cached:
    """A classifier of small-text that looks everything up."""

    def __init__(self, situation: Situation) -> None:
        self._vectors = situation.vectors
        self._proba = situation.proba

    def predict_proba(self, dataset: Places) -> NDArray[np.float64]:
        """Return (n, k); where the model says nothing (NaN, or no model), all labels are equally likely."""
        if self._proba is None:
            return np.full((len(dataset), 2), 0.5)
        proba = np.asarray(self._proba[dataset.places], np.float64)
        if proba.shape[1] == 1:  # strategies compare two labels
            proba = np.hstack([proba, 1 - proba])
        return np.where(np.isnan(proba).any(axis=1, keepdims=True), 1 / proba.shape[1], proba)

    def embed(self, dataset: Places, return_proba: bool = False, **_: object) -> Any:
        """Return (n, d), and with ``return_proba`` also (n, k)."""
        vectors = np.asarray(self._vectors[dataset.places], np.float32)
        return (vectors, self.predict_proba(dataset)) if return_proba else vectors


def query(strategy: Any, situation: Situation, n: int) -> NDArray[np.int64]:
    """Return what a small-text strategy picks (n,), as places in the arrays."""
    places = np.concatenate([situation.pool, situation.labelled]).astype(np.int64)
    pool, labelled = np.arange(len(situation.pool)), np.arange(len(situation.pool), len(places))
    labels = situation.targets.argmax(axis=1) if situation.exclusive and situation.targets.size else _sparse(situation.targets)
    with _seeded(situation.rng):
        picked = strategy.query(Cached(situation), Places(places), pool, labelled, labels, n=n)
    return places[np.asarray(picked, np.int64)]


def _sparse(targets: NDArray[np.floating]) -> Any:
    from scipy.sparse import csr_matrix

    return csr_matrix(targets.astype(np.int64))


@contextmanager
def _seeded(rng: np.random.Generator) -> Iterator[None]:
    """small-text and scikit-learn draw from numpy's global generator: seed it for the call and put it back.

    What they warn of (identical texts, mostly) is nothing a person could act on.
    """
    before = np.random.get_state()
    np.random.seed(int(rng.integers(2**32)))
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        np.random.set_state(before)


def _register(name: str, make: Callable[[int], Any], reason: Reason, needs_labels: bool = False, see: int = SAMPLE) -> None:
    @selectors.register(f"smalltext_{name}")
    def pick(situation: Situation, n: int) -> Picked:
        if situation.proba is None and reason is Reason.UNCERTAIN:
            return draw(situation, n)
        if needs_labels and not len(situation.labelled):
            return draw(situation, n)
        shuffled = situation.rng.permutation(situation.pool)
        sample = np.sort(shuffled[:see])
        if not np.ptp(np.asarray(situation.vectors[sample], np.float32), axis=0).any():  # identical texts: nothing to tell them by
            return draw(situation, n)
        front = query(make(len(sample)), replace(situation, pool=sample), min(n, FRONT, len(sample)))
        rest = shuffled[~np.isin(shuffled, front)][: n - len(front)]
        scores = np.concatenate([np.linspace(1, 0, len(front), endpoint=False), np.zeros(len(rest))])
        return Picked(np.concatenate([front, rest]), scores, reason)


def _strategy(name: str, **settings: Any) -> Any:
    import small_text

    return getattr(small_text, name)(**settings)


_register("breaking_ties", lambda _: _strategy("BreakingTies"), Reason.UNCERTAIN, see=16_384)
_register("kmeans", lambda _: _strategy("EmbeddingKMeans"), Reason.DIVERSE)
# Its batches of 100 would each give n items, drawn with the first batch's odds: one batch.
_register("lightweight_coreset", lambda size: _strategy("LightweightCoreset", batch_size=size), Reason.DIVERSE)
_register("greedy_coreset", lambda _: _strategy("GreedyCoreset"), Reason.DIVERSE, needs_labels=True)
_register("contrastive", lambda _: _strategy("ContrastiveActiveLearning", pbar=None), Reason.UNCERTAIN, see=512)
