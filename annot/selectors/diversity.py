"""The cold start: texts that are typical of the pool and unlike each other, before any label tells what matters.

Must not look at probabilities or labels.
"""

import heapq

import numpy as np
from numpy.typing import NDArray

from annot.records import Reason
from annot.selectors.base import Picked, register
from annot.situation import Situation

# The choice is made on so many randomly drawn items, however large the pool.
SAMPLE = 2_048


@register("diversity", "What stands for most of the pool that no label covers yet (facility location).")
def diversity(situation: Situation, n: int) -> Picked:
    """Cover the pool: each pick is the item that adds most to how near every item is to its nearest picked or labelled one.

    Greedy facility location (Wei, Iyer and Bilmes, "Submodularity in Data Subset Selection and Active Learning", ICML 2015), with
    lazy evaluation (Minoux 1978). The score is the mean gain in cosine similarity. What goes beyond the sample is drawn at random,
    with score 0.
    """
    pool = situation.rng.permutation(situation.pool)
    sample = pool[:SAMPLE]
    vectors = np.asarray(situation.vectors[sample], np.float32)
    order, gains = cover(vectors @ vectors.T, covered(vectors, situation), min(n, len(sample)))
    rest = pool[SAMPLE:][: n - len(order)]
    return Picked(np.concatenate([sample[order], rest]), np.concatenate([gains, np.zeros(len(rest))]), Reason.DIVERSE)


def covered(vectors: NDArray[np.float32], situation: Situation) -> NDArray[np.float32]:
    """Return how near each of ``vectors`` (m, d) is to its nearest labelled item (m,), 0 at least."""
    if not len(situation.labelled):
        return np.zeros(len(vectors), np.float32)
    near: NDArray[np.float32] = (vectors @ np.asarray(situation.vectors[situation.labelled], np.float32).T).max(axis=1).clip(0)
    return near


def cover(similarity: NDArray[np.float32], reached: NDArray[np.float32], n: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the picks (n,) in order and their gains, given ``similarity`` (m, m).

    ``reached`` (m,) is how near each item is to one picked already; it is brought up to date. A gain only ever shrinks, so one that
    still leads after an update is the best.
    """
    similarity = np.nan_to_num(similarity, copy=False, nan=0.0)
    heap = [(-float(gain), place) for place, gain in enumerate(np.maximum(similarity - reached, 0).sum(axis=1))]
    heapq.heapify(heap)
    order: list[int] = []
    gains: list[float] = []
    while len(order) < n:
        _, place = heap[0]
        gain = float(np.maximum(similarity[place] - reached, 0).sum())
        if len(heap) > 1 and (-gain, place) > min(heap[1:3]):
            heapq.heapreplace(heap, (-gain, place))
            continue
        heapq.heappop(heap)
        order.append(place)
        gains.append(gain / len(reached))
        np.maximum(reached, similarity[place], out=reached)
    return np.array(order, np.int64), np.array(gains)
