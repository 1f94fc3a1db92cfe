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

from annot.selftraining.base import PseudoLabels, Situation, entropy, methods, nothing, one_hot, subsample
from annot.selftraining.tempering import TINY, exponent, temper

PER_CLASS = 30
ALPHA = 0.1
# Keeps a variance of 0 from weighing without bound.
LEAST_VARIANCE = 1e-10
# Passes and dropout rate where none are given; the paper's are 30 passes, 0.3 inside the network and 0.5 before its last layer.
PASSES = 10
DROPOUT = 0.3
# The linear model is fitted to so many items.
EXPLAINED = 1_024
# Of the squares' sum, so that fewer items than dimensions can be explained too.
RIDGE = 1e-9


@methods.register("ust")
def ust(situation: Situation) -> PseudoLabels:
    """Draw at most PER_CLASS items of each predicted class, sure ones rather.

    Where labels are not exclusive there are no classes to balance, and none are chosen.
    """
    sample = subsample(situation)
    if situation.proba is None or not situation.exclusive or not len(sample) or situation.proba.shape[1] < 2:
        return nothing(situation)
    if situation.samples is None:
        passes = dropout(situation.proba[sample], np.asarray(situation.vectors[sample], np.float32), situation.rng)
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


def dropout(proba: NDArray[np.floating], vectors: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return PASSES predictions (PASSES, n, k): what ``proba`` (n, k) changes to as DROPOUT of the inputs (n, d) are left out.

    Least squares explain the log-probabilities by the vectors; of a softmax on a linear map nothing remains unexplained.
    """
    logs = np.log(np.maximum(np.asarray(proba, np.float64), TINY**0.5))
    logs -= logs.mean(axis=1, keepdims=True)
    known = np.flatnonzero(~np.isnan(logs).any(axis=1))[:EXPLAINED]
    inputs = np.asarray(vectors, np.float64)
    linear = np.zeros((inputs.shape[1] + 1, logs.shape[1]))
    if len(known):
        with_bias = np.hstack([inputs[known], np.ones((len(known), 1))])
        gram = with_bias.T @ with_bias
        # Normal equations: 20 times as fast as an orthogonal solver, and exact enough for what is linear to begin with.
        linear = np.linalg.solve(gram + RIDGE * np.trace(gram) * np.eye(len(gram)), with_bias.T @ logs[known])
    kept = rng.random((PASSES, inputs.shape[1])) >= DROPOUT
    # What a mask changes is added to what was predicted, so that a part no linear map explains stays as it was.
    change = np.stack([inputs @ ((mask / (1 - DROPOUT) - 1)[:, None] * linear[:-1]) for mask in kept])
    raised = np.exp(logs + change - (logs + change).max(axis=-1, keepdims=True))
    passes: NDArray[np.float64] = raised / raised.sum(axis=-1, keepdims=True)
    return passes


def _draw(rows: NDArray[np.int64], easy: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    if len(rows) <= PER_CLASS:
        return rows
    return rng.choice(rows, PER_CLASS, replace=False, p=easy[rows] / easy[rows].sum())
