"""What every selector is given and what it answers, and the registry. Must not hold a strategy."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annot.records import Reason
from annot.registry import Registry


@dataclass(frozen=True, slots=True, eq=False)
class Situation:
    """All a selector may look at. ``pool`` and ``labelled`` are places in ``vectors`` (and in every array of n rows).

    ``proba`` (n, k) is None before the first model; ``targets`` (l, k) of 0/1 belong to ``labelled`` (l,). Where labels are not
    ``exclusive``, an item may have several, and the rows of ``proba`` need not sum to 1. The rest is None where it is not known:
    ``samples`` (s, n, k) are s stochastic predictions of one model, ``earlier`` (n, k) what the model of the round before predicted,
    ``prior`` (n, k) what may be guessed without any label (see ``coldstart.zero_shot``). Items with the same value in ``groups`` (n,)
    are as good as identical; -1 stands alone.
    """

    proba: NDArray[np.float32] | None
    vectors: NDArray[np.floating]  # (n, d), unit length
    pool: NDArray[np.int64]  # (p,)
    labelled: NDArray[np.int64]  # (l,)
    targets: NDArray[np.floating]  # (l, k)
    rng: np.random.Generator
    exclusive: bool = True
    samples: NDArray[np.float32] | None = None
    earlier: NDArray[np.float32] | None = None
    prior: NDArray[np.float32] | None = None
    groups: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """Places in the order to ask them, each with the score it was picked by (higher first), and the reason they share."""

    indices: NDArray[np.int64]  # (m,)
    scores: NDArray[np.float64]  # (m,), comparable within one answer only
    reason: Reason


Selector = Callable[[Situation, int], Picked]

selectors: Registry[Selector] = Registry("selector")


def names() -> list[str]:
    """Return the registered names."""
    return list(selectors)


def select(name: str, situation: Situation, n: int) -> Picked:
    """Let the selector ``name`` pick ``n`` of the pool, all of it where it is smaller, best first. Raises UnknownName.

    Never returns an item twice or a labelled one; equal situations with equally seeded generators get equal answers. Selectors that
    need probabilities fall back to random draws while there are none. Of a group a selector sees one item, of a group with a labelled
    item none: the others come last, with the lowest score.
    """
    selector = selectors.get(name)
    asked = np.zeros(len(situation.vectors), bool)
    asked[situation.pool] = True
    asked[situation.labelled] = False
    single, others = _one_of_each(np.flatnonzero(asked), situation.groups, situation.labelled)
    picked = Picked(np.empty(0, np.int64), np.empty(0), Reason.RANDOM)
    if n > 0 and len(single):
        picked = selector(replace(situation, pool=single), min(n, len(single)))
    if n <= len(single) or not len(others):
        return picked
    last = others[: n - len(single)]
    lowest = picked.scores.min() if len(single) else 0.0
    scores = np.concatenate([picked.scores, np.full(len(last), lowest)])
    return Picked(np.concatenate([picked.indices, last]), scores, picked.reason)


def _one_of_each(
    free: NDArray[np.int64], groups: NDArray[np.int64] | None, labelled: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split ``free`` into the first of each group, with what stands alone, and the others: seconds before thirds, known groups last."""
    if groups is None:
        return free, free[:0]
    member = np.flatnonzero(groups[free] >= 0)
    order = member[np.argsort(groups[free[member]], kind="stable")]
    _, starts, sizes = np.unique(groups[free[order]], return_index=True, return_counts=True)
    turn = np.arange(len(order)) - np.repeat(starts, sizes)
    known = np.isin(groups[free[order]], groups[labelled])
    wait = known | (turn > 0)
    keep = np.ones(len(free), bool)
    keep[order[wait]] = False
    return free[keep], free[order[wait][np.lexsort((order[wait], turn[wait], known[wait]))]]


def draw(situation: Situation, n: int) -> Picked:
    """Draw uniformly without replacement; all scores are 0."""
    return Picked(situation.rng.choice(situation.pool, n, replace=False), np.zeros(n), Reason.RANDOM)


def top(situation: Situation, scores: NDArray[np.floating], n: int, reason: Reason) -> Picked:
    """Return the ``n`` pool items with the highest ``scores`` (p,), best first; equal ones in the order of the pool.

    A score that is not a number counts as the highest: the model could not say anything of that item, so a person should.
    """
    keys = np.where(np.isnan(scores), np.finfo(np.float32).max, scores).astype(np.float64)
    best = np.arange(len(keys))
    if n < len(keys):
        bar = np.partition(keys, len(keys) - n)[len(keys) - n]
        above = np.flatnonzero(keys > bar)
        best = np.sort(np.concatenate([above, np.flatnonzero(keys == bar)[: n - len(above)]]))
    best = best[np.argsort(-keys[best], kind="stable")]
    return Picked(situation.pool[best], keys[best], reason)
