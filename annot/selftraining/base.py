"""What every self-training method is given and what it answers, the registry, and `none`. Must not hold another method."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annot.registry import Registry
from annot.situation import Situation


@dataclass(frozen=True, slots=True, eq=False)
class PseudoLabels:
    """Pool items taken for labelled: rows belong together. A human label weighs 1."""

    indices: NDArray[np.int64]  # (m,) places, ascending, no repeats
    labels: NDArray[np.float32]  # (m, k) of 0/1, as targets are
    weights: NDArray[np.float32]  # (m,)

    def __len__(self) -> int:
        return len(self.indices)


# Random pool items a method looks at, as in the papers of UST and HAST.
SUBSAMPLE = 16_384

Method = Callable[[Situation], PseudoLabels]

methods: Registry[Method] = Registry("self-training method")


def names() -> list[str]:
    """Return the registered names."""
    return list(methods)


def choose(name: str, situation: Situation) -> PseudoLabels:
    """Let the method ``name`` choose pseudo-labels, never a labelled item. Raises UnknownName.

    All rest on one predicted label of an item. So none is asked where several labels may hold, before there is a model, and before
    anything is labelled or there are two labels to tell apart; a method need not look.
    """
    method = methods.get(name)
    ready = situation.proba is not None and situation.proba.shape[1] > 1 and situation.exclusive and len(situation.labelled)
    return method(situation) if ready else nothing(situation)


@methods.register("none")
def nothing(situation: Situation) -> PseudoLabels:
    """Train on people's labels only."""
    return PseudoLabels(np.empty(0, np.int64), np.empty((0, situation.targets.shape[1]), np.float32), np.empty(0, np.float32))


def predictions(situation: Situation, places: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return what the model says (m, k) of the items at ``places`` (m,)."""
    assert situation.proba is not None, "choose() asks no method before there is a model"
    return np.asarray(situation.proba[places])


def subsample(situation: Situation) -> NDArray[np.int64]:
    """Return at most SUBSAMPLE random unlabelled pool items (m,), ascending."""
    free = np.setdiff1d(situation.pool, situation.labelled)
    return np.sort(situation.rng.permutation(free)[:SUBSAMPLE])


def equal_mass(situation: Situation, chosen: int) -> NDArray[np.float32]:
    """Return the weight (m,) with which ``chosen`` pseudo-labels count together as much as all human labels, each at most as one.

    What a loss of one mean over human labels plus one over pseudo-labels amounts to (AcTune, NeST, VERIPS).
    """
    return np.full(chosen, min(1.0, len(situation.labelled) / max(chosen, 1)), np.float32)


def one_hot(predicted: NDArray[np.integer], labels: int) -> NDArray[np.float32]:
    """Return labels (m, k) of 0/1 for predicted classes (m,)."""
    hot: NDArray[np.float32] = np.eye(labels, dtype=np.float32)[predicted]
    return hot


def entropy(proba: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the entropy (...) of predictions (..., k), in nats."""
    found: NDArray[np.float64] = -(proba * np.log(np.maximum(proba, np.finfo(np.float32).tiny))).sum(axis=-1)
    return found


def nearest(vectors: NDArray[np.float32], among: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the rows (m, k) of the ``k`` nearest of ``among`` (l, d) to each of ``vectors`` (m, d) by cosine, all where there are fewer.

    Exact. All of 4,096 x 384 among themselves take 0.16 s on one core, of 13,600 1.6 s; numpy 2.5 times as long.
    """
    import faiss

    known, asked = (np.ascontiguousarray(np.nan_to_num(one), np.float32) for one in (among, vectors))
    found: NDArray[np.int64] = faiss.knn(asked, known, min(k, len(known)), metric=faiss.METRIC_INNER_PRODUCT)[1]
    return found
