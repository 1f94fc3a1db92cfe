"""The fast tier on arrays: fit a head on people's labels, add pseudo-labels where they help, and find out whether they do.

The ranker goes through here after every label and `simulate` after every query, so both learn alike. Must not read the store, load
torch or choose what is asked.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annot import quality, selftraining
from annot.learners import head as heads
from annot.loop.completing import complete
from annot.records import Check
from annot.selftraining import PseudoLabels
from annot.situation import Situation

# Pool items a method chooses from after a label, and while it is being checked. HAST's neighbour search took 0.2 s over 4,096 and
# 2.1 s over 13,600 (one core).
PSEUDO_FROM = 4_096
CHECK_FROM = 2_048
FOLDS = 5
# New labels after which a check is repeated.
CHECK_EVERY = 10


Score = Callable[[heads.Head, NDArray[np.floating]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A head, what it says of every row (n, k), and the pseudo-labels it learned from beside people's labels."""

    head: heads.Head
    proba: NDArray[np.float32]
    pseudo: PseudoLabels


def learn(situation: Situation, method: str, seed: int, start: heads.Head | None = None, score: Score = heads.Head.proba) -> Learned | None:
    """Fit on the labelled rows of ``situation``, then again with what ``method`` chose; None while fewer than two labels occur.

    ``start`` is the head of the label before, which a large fit begins from; ``score`` says what a head makes of all vectors.
    """
    head = fit(situation, seed, start=start)
    if head is None:
        return None
    pseudo = selftraining.choose("none", situation)
    if method != "none":
        pseudo = pseudo_labels(situation, head, method, PSEUDO_FROM)
        head = fit(situation, seed, pseudo, start=head) or head
    return Learned(head, score(head, situation.vectors), pseudo)


def fit(situation: Situation, seed: int, pseudo: PseudoLabels | None = None, start: heads.Head | None = None) -> heads.Head | None:
    """Fit a head on the labelled rows, pseudo-labels with their weights, and what partial labels come to by a head without them.

    None while fewer than two labels occur. Partial labels teach nothing where several labels may hold: "not" answers are given where the
    model was wrong, so a head that hears of those alone takes the label back where it does hold (goemotions: 1.6 points of micro-F1 less).
    """
    targets = np.asarray(situation.targets, np.float32)
    if (targets.sum(axis=0) > 0).sum() < 2:
        return None
    places, weights = situation.labelled, np.ones(len(targets), np.float32)
    if pseudo is not None and len(pseudo):
        places, targets = np.concatenate([places, pseudo.indices]), np.concatenate([targets, pseudo.labels])
        weights = np.concatenate([weights, pseudo.weights])
    head = _fit(situation, places, targets, weights, seed, start)
    known = situation.partial
    if known is None or not len(known) or not situation.exclusive:
        return head
    places, targets = np.concatenate([places, known.rows]), np.concatenate([targets, complete(situation, head)])
    return _fit(situation, places, targets, np.concatenate([weights, np.ones(len(known), np.float32)]), seed, head)


def _fit(
    situation: Situation,
    places: NDArray[np.int64],
    targets: NDArray[np.floating],
    weights: NDArray[np.floating],
    seed: int,
    start: heads.Head | None,
) -> heads.Head:
    return heads.fit(np.asarray(situation.vectors[places], np.float32), targets, situation.exclusive, weights, seed, start)


def pseudo_labels(situation: Situation, head: heads.Head, method: str, most: int) -> PseudoLabels:
    """Let ``method`` choose by ``head`` from a random part of the pool, small enough to do after every label.

    Only that part and the labelled rows are scored and looked at; the result names places of ``situation``.
    """
    part = np.sort(situation.rng.choice(situation.pool, min(most, len(situation.pool)), replace=False, shuffle=False))
    kept = np.concatenate([part, situation.labelled])
    vectors = np.asarray(situation.vectors[kept])
    small = replace(
        situation,
        proba=head.proba(vectors),
        vectors=vectors,
        pool=np.arange(len(part)),
        labelled=np.arange(len(part), len(kept)),
        samples=None,
        earlier=None,
        prior=None,
        groups=None,
        partial=None,
    )
    found = selftraining.choose(method, small)
    return replace(found, indices=kept[found.indices])


def predict(proba: NDArray[np.float32], exclusive: bool) -> NDArray[np.float32]:
    """Return the label sets (n, k) of 0/1 that the probabilities stand for."""
    if not exclusive:
        return (proba > 0.5).astype(np.float32)
    chosen: NDArray[np.float32] = np.eye(proba.shape[1], dtype=np.float32)[proba.argmax(axis=1)]
    return chosen


def method_of(chosen: str, exclusive: bool) -> str:
    """Return the method to use: none where several labels may hold, as all methods rest on one predicted label."""
    return chosen if exclusive else "none"


def uses(check: Check | None, method: str) -> bool:
    """Tell whether ``method`` was last found to help; none never does."""
    return check is not None and check.method == method and check.helps


def check(situation: Situation, method: str, seed: int) -> Check | None:
    """Compare heads with and without pseudo-labels on labels they have not seen; None where there is nothing to compare them on.

    Each of FOLDS folds of the labelled rows is predicted by a head fitted on the rest, with pseudo-labels chosen by that head alone.
    Audit labels are left out: they are what quality is estimated from, and must not choose what is estimated.
    """
    rows = np.random.default_rng(seed).permutation(len(situation.labelled))
    before, after, found = [np.empty(0, bool)], [np.empty(0, bool)], []
    for fold in np.array_split(rows, min(FOLDS, max(1, len(rows)))):
        rest = np.setdiff1d(rows, fold)
        known = replace(situation, labelled=situation.labelled[rest], targets=situation.targets[rest])
        head = fit(known, seed)
        if head is None:
            continue
        pseudo = pseudo_labels(known, head, method, CHECK_FROM)
        taught = fit(known, seed, pseudo) if len(pseudo) else head
        assert taught is not None
        found.append(len(pseudo))
        for one, right in ((head, before), (taught, after)):
            said = predict(one.proba(situation.vectors[situation.labelled[fold]]), situation.exclusive)
            right.append(np.all(said == situation.targets[fold], axis=1))
    judged = np.concatenate(before), np.concatenate(after)
    if not len(judged[0]):
        return None
    gain, error = quality.paired_difference(*judged)
    return Check(method, int(np.mean(found)), gain, error, len(judged[0]))
