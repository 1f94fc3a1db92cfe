"""small-text on cached arrays: one adapter that presents them as its classifier, its dataset and its vector index.

No strategy runs a model: probabilities, stochastic predictions and embeddings are looked up. Must not name a strategy: see
``strategies``. small-text is imported inside functions, as it brings torch along (3 s the first time). See Schröder et al.,
"Small-Text: Active Learning for Text Classification in Python", EACL 2023.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annot.passes import dropout
from annot.situation import Situation

CHUNK = 512


class Places:
    """A dataset of small-text that holds nothing but places in the cached arrays, and ``y`` where a strategy writes labels to it."""

    def __init__(self, places: NDArray[np.int64], labels: int, is_multi_label: bool) -> None:
        self.places = places
        self.target_labels = np.arange(labels)
        self.is_multi_label = is_multi_label
        self.y: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, key: Any) -> "Places":
        return Places(np.atleast_1d(self.places[np.asarray(key, np.int64)]), len(self.target_labels), self.is_multi_label)

    def clone(self) -> "Places":
        return self[np.arange(len(self))]


class Cached:
    """A classifier of small-text that looks everything up."""

    def __init__(self, situation: Situation, multi_label: bool) -> None:
        self._situation = situation
        self.multi_label = multi_label
        self.num_classes = labels_of(situation)

    def predict_proba(self, dataset: Places, dropout_sampling: int = 1) -> NDArray[np.float64]:
        """Return (n, k); where the model says nothing (NaN, or no model), all labels are equally likely.

        With ``dropout_sampling`` the cached stochastic predictions (n, s, k), however many there are; where there are none, by dropout
        on the vectors.
        """
        if dropout_sampling > 1:
            if self._situation.samples is None:
                passes = dropout(self.predict_proba(dataset), self.embed(dataset), self._situation.rng)
            else:
                passes = np.asarray(self._situation.samples[:, dataset.places], np.float64)
            return _filled(passes.transpose(1, 0, 2))
        if self._situation.proba is None:
            return np.full((len(dataset), self.num_classes), 1 / self.num_classes)
        return _filled(np.asarray(self._situation.proba[dataset.places], np.float64))

    def predict(self, dataset: Places) -> NDArray[np.int64]:
        """Return the likeliest label (n,)."""
        likeliest: NDArray[np.int64] = self.predict_proba(dataset).argmax(axis=1)
        return likeliest

    def embed(self, dataset: Places, return_proba: bool = False, **_: object) -> Any:
        """Return (n, d), and with ``return_proba`` also (n, k)."""
        vectors = np.asarray(self._situation.vectors[dataset.places], np.float32)
        return (vectors, self.predict_proba(dataset)) if return_proba else vectors


class Exact:
    """A vector index of small-text that compares with every vector; distances are squared, as those of its default are.

    That default needs hnswlib, which is not installed: a sample of thousands needs no approximation.
    """

    def build(self, vectors: NDArray[np.floating], ids: NDArray[np.int64] | None = None) -> None:
        self._vectors = np.asarray(vectors, np.float32)
        self._squares = (self._vectors**2).sum(axis=1)
        self._ids = np.arange(len(vectors)) if ids is None else np.asarray(ids)

    def search(self, vectors: NDArray[np.floating], k: int = 10, return_distance: bool = False) -> Any:
        """Return the ids (m, k) of the ``k`` nearest, fewer if there are not so many, nearest first, and their squared distances."""
        k = min(k, len(self._ids))
        found, apart = np.empty((len(vectors), k), np.int64), np.empty((len(vectors), k))
        for start in range(0, len(vectors), CHUNK):
            chunk = np.asarray(vectors[start : start + CHUNK], np.float32)
            squares = (chunk**2).sum(axis=1)[:, None] + self._squares - 2 * (chunk @ self._vectors.T)
            near = np.argpartition(squares, k - 1, axis=1)[:, :k]
            near = np.take_along_axis(near, np.take_along_axis(squares, near, axis=1).argsort(axis=1, kind="stable"), axis=1)
            found[start : start + CHUNK] = self._ids[near]
            apart[start : start + CHUNK] = np.take_along_axis(squares, near, axis=1).clip(0)
        return (found, apart) if return_distance else found


def query(strategy: Any, situation: Situation, n: int, several: bool | None = None) -> NDArray[np.int64]:
    """Return what a small-text strategy picks as places in the arrays: at most ``n`` of the pool, without repeats.

    ``several`` tells whether it is shown labels of which several may hold; by default as the situation has it.
    """
    several = not situation.exclusive if several is None else several
    places = np.concatenate([situation.pool, situation.labelled]).astype(np.int64)
    pool, labelled = np.arange(len(situation.pool)), np.arange(len(situation.pool), len(places))
    targets = _two_columns(np.asarray(situation.targets, np.float64))
    dataset = Places(places, labels_of(situation), several)
    with seeded(situation.rng):
        labels = _sparse(targets) if several else targets.argmax(axis=1)
        picked = np.asarray(strategy.query(Cached(situation, several), dataset, pool, labelled, labels, n=n), np.int64)
    picked = picked[picked < len(situation.pool)]
    _, first = np.unique(picked, return_index=True)
    return places[picked[np.sort(first)]]


def labels_of(situation: Situation) -> int:
    """Return the number of labels as strategies see it: two at least, as they compare two."""
    return max(2, int(situation.targets.shape[1]))


@contextmanager
def seeded(rng: np.random.Generator) -> Iterator[None]:
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


def _filled(proba: NDArray[np.float64]) -> NDArray[np.float64]:
    proba = _two_columns(proba)
    return np.where(np.isnan(proba).any(axis=-1, keepdims=True), 1 / proba.shape[-1], proba)


def _two_columns(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([values, 1 - values], axis=-1) if values.shape[-1] == 1 else values


def _sparse(targets: NDArray[np.float64]) -> Any:
    from scipy.sparse import csr_matrix

    return csr_matrix(targets.astype(np.int64))
