"""What every selector is given and what it answers, and the registry. Must not hold a strategy."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annot.records import Reason
from annot.registry import Registry
from annot.situation import Situation


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """Places in the order to ask them, each with the score it was picked by (higher first), and the reason they share."""

    indices: NDArray[np.int64]  # (m,)
    scores: NDArray[np.float64]  # (m,), comparable within one answer only
    reason: Reason


Selector = Callable[[Situation, int], Picked]

selectors: Registry[Selector] = Registry("selector")


_ask_a_model: set[str] = set()


def register(name: str, says: str = "", *, asks_a_model: bool = False) -> Callable[[Selector], Selector]:
    """Return a decorator that registers a selector. One that ``asks_a_model`` is no cold start: without ``proba`` it can only draw."""
    if asks_a_model:
        _ask_a_model.add(name)
    return selectors.register(name, says)


def names(*, before_a_model: bool = False) -> list[str]:
    """Return the registered names; only of those that need no model, where asked."""
    return [name for name in selectors if not (before_a_model and name in _ask_a_model)]


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
