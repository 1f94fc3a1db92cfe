"""HAST: trust a prediction that is likely and that its neighbourhood shares. Must not hold another method.

Schröder and Heyer, "Self-Training for Sample-Efficient Active Learning for Text Classification with Pre-Trained Language Models",
EMNLP 2024 (https://aclanthology.org/2024.emnlp-main.669). Differences: an item does not count among its own neighbours; the class
weight keeps the paper's shape but is 1, not 5, for a class of average size, so that WEIGHT alone sets the ratio to human labels;
neighbours are found exactly, not by an index.
"""

import numpy as np
from numpy.typing import NDArray

from annot.selftraining.base import PseudoLabels, methods, nearest, nothing, one_hot, predictions, subsample
from annot.situation import Situation

NEIGHBOURS = 15
# A prediction and the share of neighbours that make it must each exceed this.
THRESHOLD = 0.5
# What a pseudo-label of an average class weighs against a human label.
WEIGHT = 0.1


@methods.register("hast", "Likely labels that most near texts share. Schröder and Heyer 2024.")
def hast(situation: Situation) -> PseudoLabels:
    """Choose from at most SUBSAMPLE random pool items those whose likely label most of their NEIGHBOURS nearest ones share.

    Rarer classes weigh more.
    """
    sample = subsample(situation)
    if len(sample) < 2:  # no neighbours
        return nothing(situation)
    proba = np.nan_to_num(predictions(situation, sample))
    predicted = proba.argmax(axis=1)
    likely = np.flatnonzero(proba.max(axis=1) > THRESHOLD)
    agreeing = agreement(np.asarray(situation.vectors[sample], np.float32), predicted, likely)
    sure = likely[agreeing > THRESHOLD]
    labels = one_hot(predicted[sure], proba.shape[1])
    return PseudoLabels(sample[sure], labels, WEIGHT * class_weights(predicted[sure], proba.shape[1]))


def agreement(
    vectors: NDArray[np.float32], predicted: NDArray[np.integer], rows: NDArray[np.integer], k: int = NEIGHBOURS
) -> NDArray[np.float64]:
    """Return, for each of ``rows`` (m,), the share of its ``k`` nearest other vectors by cosine that have its prediction."""
    near = nearest(vectors[rows], vectors, k + 1)
    own = near == rows[:, None]
    own[~own.any(axis=1), -1] = True  # among enough identical texts it need not find itself
    near = near[~own].reshape(len(rows), near.shape[1] - 1)
    shares: NDArray[np.float64] = (predicted[near] == predicted[rows][:, None]).mean(axis=1)
    return shares


def class_weights(predicted: NDArray[np.integer], labels: int) -> NDArray[np.float32]:
    """Return 2 / (1 + exp(-(mean - count) / count)) for each row's class: 1 at the mean count, towards 2 for rare, 0.54 at least."""
    count = np.bincount(predicted, minlength=labels).astype(np.float64)
    distance = (len(predicted) / labels - count) / np.maximum(count, 1)
    weights: NDArray[np.float32] = (2 / (1 + np.exp(-distance)))[predicted].astype(np.float32)
    return weights
