"""The fast tier on arrays: fit a head on people's labels, add pseudo-labels where they help, and find out whether they do.

The ranker goes through here after every label and `simulate` after every query, so both learn alike. Must not read the store, load
torch or choose what is asked.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annot import quality, selftraining
from annot.learners import head as heads
from annot.records import Check
from annot.selectors import Situation
from annot.selftraining import PseudoLabels

# Pool items a method chooses from after a label, and while it is being checked. HAST's neighbour search took 0.2 s over 4,096 and
# 2.1 s over 13,600 (one core).
PSEUDO_FROM = 4_096
CHECK_FROM = 2_048
FOLDS = 5
# New labels after which a check is repeated.
CHECK_EVERY = 10


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A head, what it says of every row (n, k), and the pseudo-labels it learned from beside people's labels."""

    head: heads.Head
    proba: NDArray[np.float32]
    pseudo: PseudoLabels


def learn(situation: Situation, method: str, seed: int) -> Learned | None:
    """Fit on the labelled rows of ``situation``, then again with what ``method`` chose; None while fewer than two labels occur."""
    head = fit(situation, seed)
    if head is None:
        return None
    proba = head.proba(situation.vectors)
    pseudo = pseudo_labels(replace(situation, proba=proba), method)
    if not len(pseudo):
        return Learned(head, proba, pseudo)
    head = fit(situation, seed, pseudo)
    assert head is not None
    return Learned(head, head.proba(situation.vectors), pseudo)


def fit(situation: Situation, seed: int, pseudo: PseudoLabels | None = None) -> heads.Head | None:
    """Fit a head on the labelled rows and, with their weights, pseudo-labels; None while fewer than two labels occur."""
    targets = np.asarray(situation.targets, np.float32)
    if (targets.sum(axis=0) > 0).sum() < 2:
        return None
    places, weights = situation.labelled, np.ones(len(targets), np.float32)
    if pseudo is not None and len(pseudo):
        places, targets = np.concatenate([places, pseudo.indices]), np.concatenate([targets, pseudo.labels])
        weights = np.concatenate([weights, pseudo.weights])
    return heads.fit(np.asarray(situation.vectors[places], np.float32), targets, situation.exclusive, weights, seed)


def pseudo_labels(situation: Situation, method: str, most: int = PSEUDO_FROM) -> PseudoLabels:
    """Let ``method`` choose from a random part of the pool, small enough to do after every label."""
    part = np.sort(situation.rng.permutation(situation.pool)[:most])
    return selftraining.choose(method, replace(situation, pool=part))


def predict(proba: NDArray[np.float32], exclusive: bool) -> NDArray[np.float32]:
    """Return the label sets (n, k) of 0/1 that the probabilities stand for."""
    if not exclusive:
        return (proba > 0.5).astype(np.float32)
    chosen: NDArray[np.float32] = np.eye(proba.shape[1], dtype=np.float32)[proba.argmax(axis=1)]
    return chosen


def uses(check: Check | None, method: str) -> bool:
    """Tell whether ``method`` was last found to help; none never does."""
    return check is not None and check.method == method and check.helps


def check(situation: Situation, method: str, seed: int, audit: NDArray[np.int64], audit_targets: NDArray[np.floating]) -> Check:
    """Compare heads with and without pseudo-labels, on labels they have not seen.

    Each of FOLDS folds of the labelled rows is predicted by a head fitted on the rest, with pseudo-labels chosen by that head alone;
    the rows ``audit`` (a,), with ``audit_targets`` (a, k), are never trained on and predicted by the heads fitted on all labels.
    """
    part = np.sort(situation.rng.permutation(situation.pool)[:CHECK_FROM])
    small = _only(situation, part, audit)
    held = np.arange(len(small.vectors) - len(audit), len(small.vectors))
    rows = np.random.default_rng(seed).permutation(len(small.labelled))
    before, after = [], []
    for fold in np.array_split(rows, min(FOLDS, len(rows))):
        rest = np.setdiff1d(rows, fold)
        fewer = replace(small, labelled=small.labelled[rest], targets=small.targets[rest])
        plain, taught, _ = _both(fewer, method, seed, small.labelled[fold], small.targets[fold])
        before.append(plain)
        after.append(taught)
    plain, taught, found = _both(small, method, seed, held, audit_targets)
    right = np.concatenate([*before, plain]), np.concatenate([*after, taught])
    gain, error = quality.paired_difference(*right)
    return Check(method, found, gain, error, len(right[0]))


def _only(situation: Situation, part: NDArray[np.int64], audit: NDArray[np.int64]) -> Situation:
    """Return the situation with no rows but ``part`` of the pool, the labelled and, last, the audit ones."""
    kept = np.concatenate([part, situation.labelled, audit])
    earlier = None if situation.earlier is None else situation.earlier[kept]
    pool, labelled = np.arange(len(part)), np.arange(len(part), len(part) + len(situation.labelled))
    return replace(
        situation,
        vectors=np.asarray(situation.vectors[kept], np.float32),
        pool=pool,
        labelled=labelled,
        earlier=earlier,
        proba=None,
        samples=None,
        prior=None,
        groups=None,
    )


def _both(
    situation: Situation, method: str, seed: int, judged: NDArray[np.int64], truth: NDArray[np.floating]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], int]:
    """Return which of the rows ``judged`` a head without and one with pseudo-labels gets right, and the number of those."""
    head = fit(situation, seed)
    if head is None:
        return np.empty(0, bool), np.empty(0, bool), 0
    pseudo = pseudo_labels(replace(situation, proba=head.proba(situation.vectors)), method)
    taught = fit(situation, seed, pseudo)
    assert taught is not None
    return _right(head, situation, judged, truth), _right(taught, situation, judged, truth), len(pseudo)


def _right(head: heads.Head, situation: Situation, judged: NDArray[np.int64], truth: NDArray[np.floating]) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = np.all(predict(head.proba(situation.vectors[judged]), situation.exclusive) == truth, axis=1)
    return right
