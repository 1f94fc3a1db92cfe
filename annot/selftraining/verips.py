"""VERIPS: trust a nearly certain prediction that a second model, trained on people's labels only, shares.

Must not hold another method. Gilhuber, Jahn, Ma and Seidl, "VERIPS: Verified Pseudo-label Selection for Deep Active Learning", ICDM 2022
(abstract: https://epub.ub.uni-muenchen.de/109958): predictions of low entropy are proposed, and those a verifier disagrees with are
dropped; the verifier is a network trained only on what people labelled, while the task model also saw pseudo-labels. Differences: the
verifier is the nearest class mean (Rocchio 1971; Snell et al. 2017) of the labelled vectors, as a second head of the same kind would agree
with the first by construction; the entropy threshold is that of Schröder and Heyer, EMNLP 2024; probabilities are tempered first (see
``tempering``).
"""

import numpy as np
from numpy.typing import NDArray

from annot.selftraining.base import PseudoLabels, entropy, equal_mass, methods, one_hot, predictions, subsample
from annot.selftraining.tempering import exponent, temper
from annot.situation import Situation

# The entropy of a prediction, as a share of the most it can be, must be at most this.
ENTROPY = 0.1


@methods.register("verips", "Nearly certain labels that a second model shares. Gilhuber et al. 2022.")
def verips(situation: Situation) -> PseudoLabels:
    """Choose what both the model and the verifier say, and the model nearly for certain."""
    sample = subsample(situation)
    proba = temper(predictions(situation, sample), exponent(situation))
    doubt = entropy(proba) / np.log(proba.shape[1])
    proposed = np.flatnonzero((doubt <= ENTROPY) & (proba.sum(axis=1) > 0))
    predicted = proba[proposed].argmax(axis=1)
    vectors, known = (np.asarray(situation.vectors[places], np.float32) for places in (sample[proposed], situation.labelled))
    same = verifier(known, np.asarray(situation.targets, np.float32), vectors) == predicted
    rows = proposed[same]
    return PseudoLabels(sample[rows], one_hot(predicted[same], proba.shape[1]), equal_mass(situation, len(rows)))


def verifier(known: NDArray[np.float32], targets: NDArray[np.float32], vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the class (m,) whose labelled vectors ``known`` (l, d), with ``targets`` (l, k), have the mean direction nearest to each of
    ``vectors`` (m, d); never a class nobody has labelled."""
    sums = targets.T @ known
    means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), np.float32(1e-12))
    near = np.where(targets.sum(axis=0) > 0, vectors @ means.T, -np.inf)
    found: NDArray[np.int64] = near.argmax(axis=1)
    return found
