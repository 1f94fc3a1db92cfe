"""What every selector is given and what it answers, and the registry. Must not hold a strategy."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annot.records import Reason
from annot.registry import Registry


@dataclass(frozen=True, slots=True, eq=False)
class Situation:
    """All a selector may look at. ``pool`` and ``labelled`` are places in ``vectors`` (and ``proba``).

    ``proba`` (n, k) is None before the first model; ``targets`` (l, k) of 0/1 belong to ``labelled`` (l,). Where labels are not
    ``exclusive``, an item may have several, and the rows of ``proba`` need not sum to 1.
    """

    proba: NDArray[np.float32] | None
    vectors: NDArray[np.floating]  # (n, d), unit length
    pool: NDArray[np.int64]  # (p,)
    labelled: NDArray[np.int64]  # (l,)
    targets: NDArray[np.floating]  # (l, k)
    rng: np.random.Generator
    exclusive: bool = True


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
    need probabilities fall back to random draws while there are none.
    """
    selector = selectors.get(name)
    asked = np.zeros(len(situation.vectors), bool)
    asked[situation.pool] = True
    asked[situation.labelled] = False
    free = np.flatnonzero(asked)
    n = min(n, len(free))
    if n <= 0:
        return Picked(np.empty(0, np.int64), np.empty(0), Reason.RANDOM)
    return selector(replace(situation, pool=free), n)


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
