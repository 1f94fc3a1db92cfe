"""What every selector is given and what it answers, and the registry. Must not hold a strategy."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annot.records import Reason
from annot.registry import Registry


@dataclass(frozen=True, slots=True)
class Situation:
    """All a selector may look at. ``pool`` and ``labelled`` are places in ``vectors`` (and ``proba``) and never overlap.

    ``proba`` (n, k) is None before the first model; ``targets`` (l, k) of 0/1 belong to ``labelled`` (l,).
    """

    proba: NDArray[np.float32] | None
    vectors: NDArray[np.floating]  # (n, d), unit length
    pool: NDArray[np.int64]  # (p,)
    labelled: NDArray[np.int64]  # (l,)
    targets: NDArray[np.floating]  # (l, k)
    rng: np.random.Generator


@dataclass(frozen=True, slots=True)
class Picked:
    """Places in the order to ask them, each with the score it was picked by, and the reason they share."""

    indices: NDArray[np.int64]  # (n,)
    scores: NDArray[np.float32]  # (n,)
    reason: Reason


Selector = Callable[[Situation, int], Picked]

selectors: Registry[Selector] = Registry("selector")


def names() -> list[str]:
    return list(selectors)


def select(name: str, situation: Situation, n: int) -> Picked:
    """Let the selector ``name`` pick at most n pool items. Raises UnknownName.

    A selector that needs probabilities falls back to random while there are none.
    """
    n = min(n, len(situation.pool))
    if n <= 0:
        return Picked(np.empty(0, np.int64), np.empty(0, np.float32), Reason.RANDOM)
    return selectors.get(name)(situation, n)


@selectors.register("random")
def random(situation: Situation, n: int) -> Picked:
    """Draw uniformly without replacement."""
    picked = situation.rng.choice(situation.pool, n, replace=False)
    return Picked(picked, np.zeros(n, np.float32), Reason.RANDOM)
