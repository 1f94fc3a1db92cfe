"""The first labels: typical texts of every region, or of every class that the labels' own names suggest.

Must not look at a model's probabilities: there is no model yet. `diversity` is the cold start that needs neither clusters nor names.
"""

import warnings

import numpy as np
from numpy.typing import NDArray

from annot.errors import BadInput
from annot.records import Reason
from annot.selectors.base import Picked, register
from annot.selectors.diversity import cover, covered
from annot.situation import Situation

# Clusters and neighbours are looked for among so many randomly drawn items, however large the pool.
SAMPLE = 2_048
# TypiClust's numbers: neighbours that tell how typical an item is, clusters at most, and below how many items a cluster counts for
# noise. Annot's queue is rewritten after every label, so the budget B it clusters for is the front of the queue.
NEIGHBOURS = 20
MOST_CLUSTERS = 500
SMALL = 5
FRONT = 20
# Cosines with label names lie close together (0.0 to 0.4 with sentence encoders): divided by this before the softmax.
TEMPERATURE = 0.05
CHUNK = 65_536


@register("typiclust", "Typical texts of the largest clusters nobody has labelled. Hacohen et al. 2022.")
def typiclust(situation: Situation, n: int) -> Picked:
    """Ask for the most typical item of each cluster, clusters without a label first, the larger first.

    Hacohen, Dekel and Weinshall, "Active Learning on a Budget: Opposite Strategies Suit High and Low Budgets", ICML 2022: as many
    clusters as labels there are and are asked for, typicality the inverse mean distance to the nearest neighbours in the cluster, small
    clusters left out. Differences: the vectors are the encoder's, not self-supervised; a random sample is clustered; where more is
    asked for than there are clusters, each gives its next typical item in turn; small clusters come last. What goes beyond the sample is
    drawn at random. The score only tells the order.
    """
    pool = situation.rng.permutation(situation.pool)
    labelled = situation.rng.permutation(situation.labelled)[:SAMPLE]
    sample = np.sort(pool[:SAMPLE])
    vectors = np.nan_to_num(np.asarray(situation.vectors[np.concatenate([sample, labelled])], np.float32))
    count = min(len(labelled) + min(n, FRONT), MOST_CLUSTERS, len(vectors))
    cluster = _clusters(vectors, count, int(situation.rng.integers(2**31)))
    size, known = np.bincount(cluster, minlength=count), np.bincount(cluster[len(sample) :], minlength=count)
    turn = np.empty(len(sample), np.int64)
    for one in np.unique(cluster[: len(sample)]):
        mine, whole = np.flatnonzero(cluster[: len(sample)] == one), vectors[cluster == one]
        turn[mine[np.argsort(-typicality(vectors[mine], whole), kind="stable")]] = np.arange(len(mine))
    at = cluster[: len(sample)]
    order = np.lexsort((-size[at], known[at] + turn, size[at] < SMALL))
    return _ranked(sample[order], pool[SAMPLE:], n)


@register("label_names", "Typical texts of each class that the labels' names suggest; for names that mean something.")
def label_names(situation: Situation, n: int) -> Picked:
    """Ask for typical items of each class that the prior predicts, class by class in turn, those with the fewest labels first.

    Within a class the order is that of `diversity`: the item most typical of what no label covers, then of the rest. A class gives
    way in as many turns as it has labels. Without a prior this is `typiclust`. What goes beyond the sample is drawn at random. The
    score only tells the order.
    """
    if situation.prior is None:
        return typiclust(situation, n)
    pool = situation.rng.permutation(situation.pool)
    guess = np.nan_to_num(situation.prior[pool], nan=0.0).argmax(axis=1)
    classes = np.unique(guess)
    most = max(1, SAMPLE // len(classes))
    labels = situation.targets.sum(axis=0)
    picks: list[NDArray[np.int64]] = []
    turns: list[NDArray[np.floating]] = []
    for one in classes:
        mine = pool[guess == one][:most]
        vectors = np.asarray(situation.vectors[mine], np.float32)
        order, _ = cover(vectors @ vectors.T, covered(vectors, situation), len(mine))
        picks.append(mine[order])
        turns.append(np.arange(len(mine)) + float(labels[one]))
    ranked = np.concatenate(picks)[np.argsort(np.concatenate(turns), kind="stable")]
    return _ranked(ranked, pool[~np.isin(pool, ranked)], n)


def zero_shot(vectors: NDArray[np.floating], label_vectors: NDArray[np.floating], temperature: float = TEMPERATURE) -> NDArray[np.float32]:
    """Guess probabilities (n, k) from how near each vector (n, d) is to those of the label names or descriptions (k, d).

    A softmax of cosines over ``temperature`` (Yin, Hay and Roth, "Benchmarking Zero-shot Text Classification", EMNLP 2019, compare texts
    with label names so; the temperature is CLIP's, Radford et al., ICML 2021). Rows of ``vectors`` are read a chunk at a time.
    """
    if temperature <= 0 or len(label_vectors) == 0:
        raise BadInput("A guess from label names needs at least one label and a temperature above 0.")
    names = _unit(label_vectors)
    out = np.empty((len(vectors), len(names)), np.float32)
    for start in range(0, len(vectors), CHUNK):
        near = _unit(vectors[start : start + CHUNK]) @ names.T / np.float32(temperature)
        raised = np.exp(near - near.max(axis=1, keepdims=True))
        out[start : start + CHUNK] = raised / raised.sum(axis=1, keepdims=True)
    return out


def typicality(vectors: NDArray[np.float32], among: NDArray[np.float32], k: int = NEIGHBOURS) -> NDArray[np.float64]:
    """Return (m,): the inverse of the mean distance of each of ``vectors`` (m, d) to its ``k`` nearest others ``among`` (c, d).

    ``among`` holds the vectors themselves too; an item alone has typicality 0.
    """
    k = min(k, len(among) - 1)
    if k < 1:
        return np.zeros(len(vectors))
    squares = (vectors**2).sum(axis=1)[:, None] + (among**2).sum(axis=1) - 2 * (vectors @ among.T)
    nearest = np.partition(squares.astype(np.float64).clip(0), k, axis=1)[:, : k + 1]  # itself is the nearest, at 0
    found: NDArray[np.float64] = k / np.maximum(np.sqrt(nearest).sum(axis=1), 1e-12)
    return found


def _clusters(vectors: NDArray[np.float32], count: int, seed: int) -> NDArray[np.int64]:
    """Return each vector's cluster (n,) by k-means."""
    from sklearn.cluster import KMeans

    with warnings.catch_warnings(action="ignore"):  # fewer distinct texts than clusters
        found: NDArray[np.int64] = KMeans(count, n_init=1, random_state=seed).fit_predict(vectors).astype(np.int64)
    return found


def _ranked(order: NDArray[np.int64], rest: NDArray[np.int64], n: int) -> Picked:
    front, rest = order[:n], rest[: max(0, n - len(order))]
    scores = np.concatenate([np.linspace(1, 0, len(front), endpoint=False), np.zeros(len(rest))])
    return Picked(np.concatenate([front, rest]), scores, Reason.DIVERSE)


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    wide = np.nan_to_num(np.asarray(vectors, np.float32))
    unit: NDArray[np.float32] = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), np.float32(1e-12))
    return unit
