"""Worlds like a project's: a model of all labels so far draws the others, and both arms, active and random, are done again in each.

Must not read the store, and must not judge a head by labels that it was trained on: heads are judged by the law of the draws.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from annot.errors import BadInput
from annot.learners import head as heads
from annot.loop import learning
from annot.selectors import select
from annot.situation import Situation

# Of a larger pool a random part is looked at; and fewer worlds where labels times classes are many, as a world costs more then.
PART = 5_000
WORLDS, LEAST_WORLDS, CELLS = 8, 3, 40_000
# The random curve is told at these multiples of the labels so far.
MULTIPLES = (0.25, 0.5, 1.0, 2.0, 4.0)
# Each world begins with the items that were asked first, before there was a model; then come so many queries, of so many at least.
FIRST, QUERIES, LEAST_QUERY = 10, 12, 10
# How much surer than a head the law behind the labels is: by how much its logits are multiplied. A head learns to be surer with more
# labels; USUAL is for AT labels, with SPREAD the standard deviation of its logarithm.
SHARPNESS = tuple(np.geomspace(1, 8, 13))
USUAL, AT, FALLS, SPREAD = 3.0, 468, 0.3, 0.35
# What the share of each label in the pool weighs against audit labels, in audit labels.
SHARES_WEIGH = 20

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What is known of a project. ``pool`` (p,) and ``labelled`` (l,) are places in ``vectors`` (n, d) of the plain encoder.

    ``labelled`` is in the order of the answers; ``targets`` (l, k) of 0/1 and ``audit`` (l,) belong to it. ``pool`` holds the items that
    nobody has labelled. ``selector`` chose what is not an audit item, after a first few.
    """

    vectors: NDArray[np.floating]
    pool: NDArray[np.int64]
    labelled: NDArray[np.int64]
    targets: NDArray[np.floating]
    audit: NDArray[np.bool_]
    exclusive: bool = True
    selector: str = "breaking_ties"


@dataclass(frozen=True, slots=True, eq=False)
class Worlds:
    """Accuracies in w worlds: of the active arm at present, ``active`` (w,), and of random draws, ``random`` (w, m) at ``counts`` (m,).

    ``easier`` (w,) is by how much the active arm is better on the items it has not asked for than on all: it took the hard ones.
    """

    counts: NDArray[np.int64]
    active: Floats
    random: Floats
    easier: Floats = field(default_factory=lambda: np.zeros(1))


def small(arms: Material, seed: int) -> Material:
    """Return the material with its labelled items first, then a part of its pool, as a finite array of their own."""
    labelled, pool = np.asarray(arms.labelled, np.int64), np.asarray(arms.pool, np.int64)
    targets, audit = np.asarray(arms.targets, np.float32), np.asarray(arms.audit, bool)
    if targets.ndim != 2 or not len(labelled) == len(targets) == len(audit):
        raise BadInput(f"{len(labelled)} labelled items, targets {targets.shape} and audit {audit.shape} do not belong together.")
    if not np.isfinite(targets).all() or len(np.intersect1d(labelled, pool)):
        raise BadInput("Targets must be 0 or 1, and the pool must hold no labelled item.")
    if len(pool) > PART:
        pool = np.sort(np.random.default_rng([seed, 1]).choice(pool, PART, replace=False))
    kept = np.concatenate([labelled, pool])
    if len(kept) and not 0 <= kept.min() <= kept.max() < len(arms.vectors):
        raise BadInput(f"Places must lie within the {len(arms.vectors)} vectors.")
    vectors = np.nan_to_num(np.asarray(arms.vectors[kept], np.float32), posinf=0.0, neginf=0.0)
    first, pool = np.split(np.arange(len(kept)), [len(labelled)])
    return replace(arms, vectors=vectors, labelled=first, pool=pool, targets=targets, audit=audit)


def audit_right(arms: Material) -> NDArray[np.bool_]:
    """Tell of each audit item whether a head of the others, which is the active arm's, gets its label set right."""
    said = learning.predict(_active_head(arms).proba(arms.vectors[arms.labelled[arms.audit]]), arms.exclusive)
    return np.asarray(np.all(said == arms.targets[arms.audit], axis=1))


def _active_head(arms: Material) -> heads.Head:
    return heads.fit(arms.vectors[arms.labelled[~arms.audit]], arms.targets[~arms.audit], arms.exclusive)


def label_law(arms: Material) -> Floats:
    """Return how likely each label of each item is (n, k): a head of all labels, as sure as the audit labels are likeliest under.

    How sure is found with a head that has not seen them, with USUAL as the prior.
    """
    logits, truth = _logits(_active_head(arms), arms.vectors), arms.targets[arms.audit].astype(float)
    usual = USUAL * (max(1, int((~arms.audit).sum())) / AT) ** -FALLS

    def likely(sharpness: float) -> float:
        law = _law(logits, sharpness, truth, arms.exclusive)[arms.labelled[arms.audit]]
        chance = (law * truth).sum(axis=1) if arms.exclusive else np.where(truth > 0, law, 1 - law)
        return float(np.log(np.maximum(chance, 0.01)).sum() - (np.log(sharpness / usual) / SPREAD) ** 2 / 2)

    best = max(SHARPNESS, key=likely)
    return _law(_logits(heads.fit(arms.vectors[arms.labelled], arms.targets, arms.exclusive), arms.vectors), best, truth, arms.exclusive)


def _law(logits: Floats, sharpness: float, audits: Floats, exclusive: bool) -> Floats:
    """Return probabilities whose mean over all items is each label's share among the ``audits`` (a, k), drawn towards the head's own.

    A head weighs rare labels as much as common ones, and so expects too many of them.
    """
    sharp, shift = logits * sharpness, np.zeros(logits.shape[1])
    own = _squash(sharp, exclusive).mean(axis=0)
    share = ((audits.sum(axis=0) + SHARES_WEIGH * own) / (len(audits) + SHARES_WEIGH)).clip(1e-6, 1 - 1e-6)
    for _ in range(10):
        mean = _squash(sharp + shift, exclusive).mean(axis=0).clip(1e-6, 1 - 1e-6)
        shift += np.log(share / mean) - (0 if exclusive else np.log((1 - share) / (1 - mean)))
    return _squash(sharp + shift, exclusive)


def _logits(head: heads.Head, vectors: NDArray[np.floating]) -> Floats:
    return np.clip(np.asarray(vectors @ head.weights.T + head.bias, np.float64), -30, 30)  # minus infinity: a label never seen


def _squash(logits: Floats, exclusive: bool) -> Floats:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True) if exclusive else 1 / (1 + np.exp(-logits)))


def replay(arms: Material, law: Floats, rng: np.random.Generator) -> Worlds:
    """Do both arms in worlds whose unknown labels are drawn from ``law`` (n, k)."""
    labels, texts = len(arms.labelled), len(arms.vectors)
    counts = np.unique([min(texts, round(multiple * labels)) for multiple in MULTIPLES])
    active, random, easier = [], [], []
    for _ in range(int(np.clip(CELLS // (labels * law.shape[1]), LEAST_WORLDS, WORLDS))):
        targets = _drawn(law, arms.exclusive, rng)
        targets[arms.labelled] = arms.targets
        rows = _active_rows(arms, targets, rng)
        right = _expected(arms, targets, rows, law)
        active.append(right.mean())
        easier.append(np.delete(right, rows).mean() - right.mean())
        order = rng.permutation(texts)
        random.append([_expected(arms, targets, order[:count], law).mean() for count in counts])
    return Worlds(counts, np.array(active), np.array(random), np.array(easier))


def _drawn(law: Floats, exclusive: bool, rng: np.random.Generator) -> NDArray[np.float32]:
    if not exclusive:
        return (rng.random(law.shape) < law).astype(np.float32)
    column = (law.cumsum(axis=1) < rng.random(len(law))[:, None]).sum(axis=1).clip(0, law.shape[1] - 1)
    return np.asarray(np.eye(law.shape[1], dtype=np.float32)[column])


def _active_rows(arms: Material, targets: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return what the active arm labels in a world: the project's first items, then what its selector asks for there."""
    own = arms.labelled[~arms.audit]
    rows, step = own[:FIRST], max(LEAST_QUERY, -(-len(own) // QUERIES))
    while len(rows) < len(own):
        free = np.setdiff1d(np.arange(len(targets)), rows)
        now = Situation(None, arms.vectors, free, rows, targets[rows], rng, arms.exclusive)
        head = learning.fit(now, 0)
        if head is None:  # no model yet, so the project's own cold start goes on
            rows = own[: len(rows) + step]
            continue
        asked = select(arms.selector, replace(now, proba=head.proba(arms.vectors)), min(step, len(own) - len(rows)))
        rows = np.concatenate([rows, asked.indices])
    return rows


def _expected(arms: Material, targets: NDArray[np.float32], rows: NDArray[np.int64], law: Floats) -> Floats:
    """Return how likely a head of the ``rows`` is right on each item (n,), over fresh draws of its labels.

    The arms are compared on all items, not on those left: the active one has taken the hard ones out (it looked 2 points better so, on
    trec6, mr and ag_news).
    """
    if not targets[rows].any():
        return np.asarray((1 - law).prod(axis=1))  # nothing to learn from, so no label is ever given
    said = learning.predict(heads.fit(arms.vectors[rows], targets[rows], arms.exclusive).proba(arms.vectors), arms.exclusive)
    chance = np.where(said > 0, law, 1.0 if arms.exclusive else 1 - law)
    return np.asarray(chance.prod(axis=1))
