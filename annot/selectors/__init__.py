"""Which items to ask next, and why: given probabilities, vectors, what is labelled and a seeded generator. One registry.

Pure functions over arrays. Must not read the store, run a model or know of items beyond their places in the arrays.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annot.errors import BadInput
from annot.records import Reason
from annot.registry import Registry


@dataclass(frozen=True, slots=True, eq=False)
class Situation:
    """What a selector knows. ``pool`` and ``labelled`` are places in the rows of ``vectors`` and ``proba``."""

    proba: NDArray[np.float32] | None  # (n, k), None before there is a model
    vectors: NDArray[np.floating]  # (n, d), L2-normalised
    pool: NDArray[np.int64]  # (p,) what may be asked
    labelled: NDArray[np.int64]  # (l,)
    targets: NDArray[np.float32]  # (l, k), 1 where the label was given
    rng: np.random.Generator
    exclusive: bool = True  # one label an item, so that the rows of ``proba`` sum to 1


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """What to ask, first things first."""

    indices: NDArray[np.int64]  # (m,) places in the rows of ``vectors``
    scores: NDArray[np.float64]  # (m,) the higher the more worth asking; comparable within one answer only
    reason: Reason


Selector = Callable[[Situation, int], Picked]
registry: Registry[Selector] = Registry("selector")


def names() -> list[str]:
    """Return the registered names."""
    return list(registry)


def select(name: str, situation: Situation, n: int) -> Picked:
    """Pick ``n`` of the pool, all of it where it is smaller, best first.

    Never returns an item twice or a labelled one; the same situation with an equally seeded generator gives the same answer.
    Raises UnknownName, and BadInput where the selector needs probabilities and there are none.
    """
    selector = registry.get(name)
    free = np.unique(situation.pool)
    free = free[~np.isin(free, situation.labelled)]
    n = min(max(n, 0), len(free))
    if n == 0:
        return Picked(np.empty(0, np.int64), np.empty(0), Reason.DIVERSE if situation.proba is None else Reason.UNCERTAIN)
    return selector(
        Situation(situation.proba, situation.vectors, free, situation.labelled, situation.targets, situation.rng, situation.exclusive), n
    )


def probabilities(situation: Situation) -> NDArray[np.float32]:
    """Return the pool's probabilities (p, k). Raises BadInput where there is no model yet."""
    if situation.proba is None:
        raise BadInput("This selector needs a model, and there is none before labels of two classes. Use diversity until then.")
    return situation.proba[situation.pool]


def top(situation: Situation, scores: NDArray[np.floating], n: int, reason: Reason) -> Picked:
    """Return the ``n`` pool items with the highest ``scores`` (p,), best first; equal ones in the order of the pool.

    A score that is not a number counts as the highest: the model could not say anything of that item, so a person should.
    """
    keys = np.where(np.isnan(scores), np.inf, scores).astype(np.float64)
    if n < len(keys):
        bar = np.partition(keys, len(keys) - n)[len(keys) - n]
        above, level = np.flatnonzero(keys > bar), np.flatnonzero(keys == bar)
        best = np.concatenate([above, level[: n - len(above)]])
    else:
        best = np.arange(len(keys))
    best = best[np.argsort(-keys[best], kind="stable")]
    return Picked(situation.pool[best], np.minimum(keys[best], np.finfo(np.float64).max), reason)


from annot.selectors import confidence, diversity, random, smalltext  # noqa: E402, F401 - they register themselves
