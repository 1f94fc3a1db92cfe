"""What a head is judged on: the audit labels with all that is known of the pool, and the test split.

Over arrays; the ranker, the report and `simulate` judge alike. Must not fit anything, nor read the store.
"""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annot import quality
from annot.loop.item_vectors import Vectors
from annot.loop.learning import Learned, predict
from annot.loop.targets import Labelled
from annot.quality import PoolSample, confidence
from annot.records import Estimate

# Of the items nobody labelled, a random part of so many tells what the model expects: to a fifth of a point at worst.
REST_FROM = 50_000
# A test split of so many labels stands for itself; a smaller one only where the audit is smaller still.
ENOUGH = 30


def pool_sample(
    proba: NDArray[np.float32],
    exclusive: bool,
    labelled: NDArray[np.int64],
    targets: NDArray[np.float32],
    audit: NDArray[np.bool_],
    *,
    rest: int | None = None,
    seed: int = 0,
) -> PoolSample:
    """Return what estimates of the pool rest on. ``proba`` (n, k) is what one model says of the pool's items, ``labelled`` (l,) the places
    of those with a settled label set, ``targets`` (l, k) what people said of them, ``audit`` (l,) which of them are audit items.

    ``rest`` is the number of items nobody labelled, where ``proba`` is of a part of the pool only.
    """
    free = np.ones(len(proba), bool)
    free[labelled] = False
    others = np.flatnonzero(free)
    if len(others) > REST_FROM:
        others = np.sort(np.random.default_rng(seed).choice(others, REST_FROM, replace=False, shuffle=False))
    theirs, said = proba[others], predict(proba[labelled], exclusive)
    predicted, expected = _expectation(theirs, exclusive)
    held = targets > 0
    return PoolSample(
        truth=targets[audit],
        predicted=said[audit],
        confidence=confidence(proba[labelled[audit]], exclusive),
        known=np.stack([(held & (said > 0)).sum(axis=0), (~held & (said > 0)).sum(axis=0), (held & (said == 0)).sum(axis=0)]),
        known_items=len(labelled),
        known_right=int(np.all(targets == said, axis=1).sum()),
        rest=len(proba) - len(labelled) if rest is None else rest,
        rest_confidence=confidence(theirs, exclusive),
        rest_predicted=predicted,
        rest_expected=expected,
    )


def labelled_sample(pool: Vectors, labelled: Labelled, proba: NDArray[np.float32], exclusive: bool, *, whole: int, seed: int) -> PoolSample:
    """Return what estimates of a project's pool rest on: ``pool`` is all or a part of its ``whole`` items, ``proba`` what a head says of
    them, and ``labelled`` what people said."""
    places = pool.places(labelled.items)
    mine = ~labelled.test & (places >= 0)
    rest = whole - int(mine.sum())
    return pool_sample(proba, exclusive, places[mine], labelled.targets[mine], labelled.audit[mine], rest=rest, seed=seed)


def _expectation(proba: NDArray[np.float32], exclusive: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the share of items each label is predicted for (k,), and its mean probability where it is not, and where it is, (2, k)."""
    guessed = predict(proba, exclusive) > 0
    counts = guessed.sum(axis=0)
    missed, found = np.where(guessed, 0, proba).sum(axis=0), np.where(guessed, proba, 0).sum(axis=0)
    return counts / max(len(proba), 1), np.stack([missed / np.maximum(len(proba) - counts, 1), found / np.maximum(counts, 1)])


def split_sample(proba: NDArray[np.float32], exclusive: bool, targets: NDArray[np.float32]) -> PoolSample:
    """Return the test split as a sample of texts like it, none of them known: what ``label_quality`` asks for."""
    predicted, expected = _expectation(proba, exclusive)
    return PoolSample(
        truth=targets,
        predicted=predict(proba, exclusive),
        confidence=confidence(proba, exclusive),
        known=np.zeros((3, proba.shape[1]), np.int64),
        known_items=0,
        known_right=0,
        rest=len(proba),
        rest_confidence=confidence(proba, exclusive),
        rest_predicted=predicted,
        rest_expected=expected,
    )


def prefers_test(test: int, audit: int) -> bool:
    """Tell whether quality is to be told from so many test labels rather than from so many audit labels."""
    return test >= ENOUGH or test > audit


@dataclass(frozen=True, slots=True)
class Judge:
    """What a fitted head is judged on: ``pool`` with all that is known of it, and the test split. ``whole`` counts the encoded pool."""

    pool: Vectors
    learned: Learned
    labelled: Labelled
    exclusive: bool
    whole: int
    seed: int

    def estimates(self, test: Vectors, *, spent: int, model: int) -> list[Estimate]:
        """Return accuracy and macro-F1 (where several labels may hold: micro-F1) on the pool from audit labels, and on the test split."""
        found = [*self._on_pool().items(), *self._on_test(test).items()]
        return [Estimate(spent, source, metric, one.value, one.low, one.high, one.n, model, time.time()) for (source, metric), one in found]

    def _on_pool(self) -> dict[tuple[str, str], quality.Interval]:
        sample = labelled_sample(self.pool, self.labelled, self.learned.proba, self.exclusive, whole=self.whole, seed=self.seed)
        if not len(sample.truth):
            return {}
        labels = quality.label_quality(sample, seed=self.seed)
        found = {("audit", "accuracy"): quality.pool_accuracy(sample)}
        # Where several labels may hold, the mean over labels of which most have no audit item is a guess: its 90 % interval held the
        # truth in 10 to 46 % of simulated projects (28 labels; docs/estimates.md). Each label's own, and micro-F1's, do hold.
        return found | ({("audit", "macro_f1"): labels.macro_f1} if self.exclusive else {("audit", "micro_f1"): labels.micro_f1})

    def _on_test(self, test: Vectors) -> dict[tuple[str, str], quality.Interval]:
        use = self.labelled.test & (test.places(self.labelled.items) >= 0)
        if not use.any():
            return {}
        truth, proba = self.labelled.targets[use], self.learned.head.proba(test.of(self.labelled.items[use]))
        predicted = predict(proba, self.exclusive)
        found = {("test", "accuracy"): quality.accuracy(truth, predicted), ("test", "macro_f1"): quality.macro_f1(truth, predicted)}
        if self.exclusive:
            return found
        labels = quality.label_quality(split_sample(proba, self.exclusive, truth), seed=self.seed)
        return found | {("test", "micro_f1"): labels.micro_f1}
