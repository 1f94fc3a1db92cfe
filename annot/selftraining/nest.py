"""NeST: draw items on whose label the nearest labelled texts agree, with them and with each other, in this round and the one before.

Must not hold another method. Xu, Yu, Cui, Kan, Zhu, Ho, Zhang and Yang, "Neighborhood-Regularized Self-Training for Learning with Few
Labels", AAAI 2023 (https://ojs.aaai.org/index.php/AAAI/article/view/26260): an item's divergence is the mean Kullback-Leibler divergence
between its prediction and those of its nearest labelled neighbours, plus BETA x how much those neighbours disagree; how far it lies below
the largest divergence, averaged over rounds, is what it is drawn in proportion to; PER_LABEL times as many as there are human labels are
drawn, and used where the prediction exceeds a confidence; human and pseudo-labels share the loss equally. Differences: the neighbours'
disagreement is the Jensen-Shannon divergence of the labels people gave them (the published code takes the variance of their
predictions); one earlier round is averaged in, not all; hard labels; probabilities are tempered first (see ``tempering``).
"""

import numpy as np
from numpy.typing import NDArray

from annot.selftraining.base import PseudoLabels, equal_mass, methods, nearest, nothing, one_hot, predictions, subsample
from annot.selftraining.tempering import exponent, temper
from annot.situation import Situation

NEIGHBOURS = 7
BETA = 0.1
PER_LABEL = 10
CONFIDENCE = 0.9
# The share of this round's score; the rest is the earlier one's.
MOMENTUM = 0.5
# Added inside logarithms, as in the published code: bounds a divergence from a prediction of 0.
SOFT = 1e-10


@methods.register("nest", "Sure texts whose nearest labelled texts agree. Xu et al. 2023.")
def nest(situation: Situation) -> PseudoLabels:
    """Draw items with a low divergence from their labelled neighbours and keep those whose prediction exceeds CONFIDENCE."""
    sample = subsample(situation)
    power = exponent(situation)
    proba, known = (temper(predictions(situation, places), power) for places in (sample, situation.labelled))
    sample, proba = sample[proba.sum(axis=1) > 0], proba[proba.sum(axis=1) > 0]
    if not len(sample):
        return nothing(situation)
    near = nearest(situation.vectors[sample], situation.vectors[situation.labelled], NEIGHBOURS)
    targets = np.asarray(situation.targets, np.float64)
    score = _agreement(divergence(proba, known, targets, near))
    if situation.earlier is not None:
        past = temper(np.asarray(situation.earlier[sample]), power), temper(np.asarray(situation.earlier[situation.labelled]), power)
        score = MOMENTUM * score + (1 - MOMENTUM) * _agreement(divergence(*past, targets, near))
    rows = _draw(score, PER_LABEL * len(situation.labelled), situation.rng)
    rows = rows[proba[rows].max(axis=1, initial=0) > CONFIDENCE]
    labels = one_hot(proba[rows].argmax(axis=1), proba.shape[1])
    return PseudoLabels(sample[rows], labels, equal_mass(situation, len(rows)))


def divergence(
    proba: NDArray[np.float64], known: NDArray[np.float64], targets: NDArray[np.float64], near: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return (m,): the mean KL(neighbour || item) of predictions (m, k) and (l, k), plus BETA x the divergence of the neighbours' labels.

    ``targets`` (l, k) are what people said, ``near`` (m, j) the neighbours' rows among the l.
    """
    own = (known * np.log(known + SOFT)).sum(axis=1)
    apart = own[near].mean(axis=1) - (known[near].mean(axis=1) * np.log(proba + SOFT)).sum(axis=1)
    said = targets / np.maximum(targets.sum(axis=1, keepdims=True), 1)
    mean = said[near].mean(axis=1)
    mixed = (said * np.log(said + SOFT)).sum(axis=1)[near].mean(axis=1) - (mean * np.log(mean + SOFT)).sum(axis=1)
    found: NDArray[np.float64] = apart + BETA * mixed
    return found


def _agreement(found: NDArray[np.float64]) -> NDArray[np.float64]:
    agreement: NDArray[np.float64] = found.max() - found
    return agreement


def _draw(score: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw ``n`` rows in proportion to ``score``, all that have any where they are fewer; where all are equal, uniformly."""
    if not (score > 0).any():
        score = np.ones(len(score))
    possible = np.flatnonzero(score > 0)
    if len(possible) <= n:
        return possible
    return np.sort(rng.choice(possible, n, replace=False, p=score[possible] / score[possible].sum()))
