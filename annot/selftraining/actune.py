"""AcTune: trust sure predictions in the regions where the model is sure, remembering what it predicted before.

Must not hold another method. Yu, Kong, Zhang, Zhang and Zhang, "AcTune: Uncertainty-Based Active Self-Training for Active Fine-Tuning of
Pretrained Language Models", NAACL 2022 (https://aclanthology.org/2022.naacl-main.102): predictions are averaged with those of earlier
rounds (its memory bank), k-means weighted by uncertainty makes regions, a region's uncertainty is the mean entropy plus BETA x the
entropy of its predicted labels, and from the surest regions the surest items above a confidence are taken; human and pseudo-labels
share the loss equally. Differences: only its self-training half is here, selectors ask; one earlier round is remembered, with the weight
the paper's schedule begins with; the number of regions and items is fixed and does not grow with the rounds; the confidence applies
before regions are made, as in Schröder and Heyer, EMNLP 2024; probabilities are tempered first (see ``tempering``).
"""

import warnings

import numpy as np
from numpy.typing import NDArray

from annot.selftraining.base import PseudoLabels, entropy, equal_mass, methods, nothing, one_hot, predictions, subsample
from annot.selftraining.tempering import exponent, temper
from annot.situation import Situation

REGIONS = 25
# Of them the surest, about half, give so many items each at most.
SURE_REGIONS = 12
PER_REGION = 25
# A prediction must exceed it (the paper's gamma).
CONFIDENCE = 0.6
# How much a region's mixture of labels counts against its entropy.
BETA = 0.5
# The share of the present prediction in the average; the rest is the earlier one's.
MOMENTUM = 0.8


@methods.register("actune", "The surest texts of the regions where the model is sure. Yu et al. 2022.")
def actune(situation: Situation) -> PseudoLabels:
    """Choose the surest items of the surest regions."""
    sample = subsample(situation)
    power = exponent(situation)
    proba = temper(predictions(situation, sample), power)
    if situation.earlier is not None:
        before = temper(np.asarray(situation.earlier[sample]), power)
        known = before.sum(axis=1, keepdims=True) > 0
        proba = np.where(known, MOMENTUM * proba + (1 - MOMENTUM) * before, proba)
    sure = np.flatnonzero(proba.max(axis=1, initial=0) > CONFIDENCE)
    if not len(sure):
        return nothing(situation)
    proba, sample = proba[sure], sample[sure]
    predicted, uncertainty = proba.argmax(axis=1), entropy(proba)
    seed = int(situation.rng.integers(2**31))
    rows = surest(regions(np.asarray(situation.vectors[sample], np.float32), uncertainty, seed), predicted, uncertainty)
    return PseudoLabels(sample[rows], one_hot(predicted[rows], proba.shape[1]), equal_mass(situation, len(rows)))


def regions(vectors: NDArray[np.float32], uncertainty: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """Return the region (m,) of each of ``vectors`` (m, d): k-means in which uncertain items pull more."""
    from sklearn.cluster import KMeans

    count = min(REGIONS, len(vectors))
    with warnings.catch_warnings(action="ignore"):  # fewer distinct texts than regions
        found = KMeans(count, n_init=1, random_state=seed).fit_predict(np.nan_to_num(vectors), sample_weight=uncertainty + 1e-6)
    return np.asarray(found, np.int64)


def surest(region: NDArray[np.int64], predicted: NDArray[np.integer], uncertainty: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the rows, ascending, of at most PER_REGION items with the lowest uncertainty from each of the SURE_REGIONS surest regions."""
    there = np.unique(region)
    labels = int(predicted.max()) + 1
    doubt = [uncertainty[region == one].mean() + BETA * _mixture(predicted[region == one], labels) for one in there]
    chosen = []
    for one in there[np.argsort(doubt, kind="stable")][:SURE_REGIONS]:
        rows = np.flatnonzero(region == one)
        chosen.append(rows[np.argsort(uncertainty[rows], kind="stable")][:PER_REGION])
    return np.sort(np.concatenate(chosen))


def _mixture(predicted: NDArray[np.integer], labels: int) -> float:
    return float(entropy((np.bincount(predicted, minlength=labels) / len(predicted))[None, :])[0])
