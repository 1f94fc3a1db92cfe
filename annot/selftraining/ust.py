"""UST: for each class draw items on whose label stochastic passes agree, and trust a label the less its probability varies.

Must not hold another method. Mukherjee and Awadallah, "Uncertainty-aware Self-training for Few-shot Text Classification", NeurIPS 2020
(https://proceedings.neurips.cc/paper/2020/hash/f23d125da1e29e34c552f448610ff25f-Abstract.html): from a random subsample the same
number of each class is drawn, in proportion to 1 - BALD (its "easiness"; Houlsby et al. 2011), over passes with dropout (Gal and
Ghahramani 2016), and weighs ALPHA x log(1 / variance). Differences: the number a class is fixed, and smaller (PER_CLASS is that of
Schröder and Heyer, EMNLP 2024); no item is drawn twice where a class has too few; passes are tempered first (see ``tempering``); a
weight is at most 1; human labels stay in the training data. Where no stochastic predictions are given they are made by dropout on the
inputs of the linear model that explains the predictions, which recovers a linear head.
"""

import numpy as np
from numpy.typing import NDArray

from annot.passes import dropout
from annot.selftraining.base import PseudoLabels, entropy, methods, nothing, one_hot, predictions, subsample
from annot.selftraining.tempering import exponent, temper
from annot.situation import Situation

PER_CLASS = 30
ALPHA = 0.1
# Keeps a variance of 0 from weighing without bound.
LEAST_VARIANCE = 1e-10


@methods.register("ust", "Evenly from each predicted class, those on which stochastic predictions agree. Mukherjee and Awadallah 2020.")
def ust(situation: Situation) -> PseudoLabels:
    """Draw at most PER_CLASS items of each predicted class, sure ones rather."""
    sample = subsample(situation)
    if not len(sample):
        return nothing(situation)
    if situation.samples is None:
        passes = dropout(predictions(situation, sample), np.asarray(situation.vectors[sample], np.float32), situation.rng)
    else:
        passes = np.asarray(situation.samples[:, sample])
    passes = temper(passes, exponent(situation))
    known = (passes.sum(axis=-1) > 0).all(axis=0)
    sample, passes = sample[known], passes[:, known]
    predicted = passes.mean(axis=0).argmax(axis=1)
    easy = np.maximum(1 - bald(passes), 0)
    drawn = [_draw(np.flatnonzero((predicted == one) & (easy > 0)), easy, situation.rng) for one in range(passes.shape[2])]
    rows = np.sort(np.concatenate(drawn))
    spread = passes.var(axis=0)[rows, predicted[rows]]
    return PseudoLabels(sample[rows], one_hot(predicted[rows], passes.shape[2]), weights(spread))


def bald(passes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the mutual information (n,) of label and model, in nats: entropy of the mean less mean entropy of ``passes`` (s, n, k)."""
    mean = passes.mean(axis=0)
    found: NDArray[np.float64] = entropy(mean) - entropy(passes).mean(axis=0)
    return found


def weights(variance: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return ALPHA x log(1 / variance) (m,), at most 1."""
    found: NDArray[np.float32] = np.minimum(-ALPHA * np.log(variance + LEAST_VARIANCE), 1).astype(np.float32)
    return found


def _draw(rows: NDArray[np.int64], easy: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    if len(rows) <= PER_CLASS:
        return rows
    return rng.choice(rows, PER_CLASS, replace=False, p=easy[rows] / easy[rows].sum())
