"""What every self-training method is given and what it answers, the registry, and `none`. Must not hold another method."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from annot.registry import Registry


class Situation(Protocol):
    """What a method may look at; the selectors' Situation is one. ``pool`` and ``labelled`` are places in the other arrays."""

    @property
    def proba(self) -> NDArray[np.float32] | None: ...  # (n, k), None before the first model

    @property
    def vectors(self) -> NDArray[np.floating]: ...  # (n, d), unit length

    @property
    def pool(self) -> NDArray[np.int64]: ...

    @property
    def labelled(self) -> NDArray[np.int64]: ...

    @property
    def targets(self) -> NDArray[np.floating]: ...  # (l, k) of 0/1

    @property
    def rng(self) -> np.random.Generator: ...

    @property
    def exclusive(self) -> bool: ...


@dataclass(frozen=True, slots=True, eq=False)
class PseudoLabels:
    """Pool items taken for labelled: rows belong together. A human label weighs 1."""

    indices: NDArray[np.int64]  # (m,) places, ascending, no repeats
    labels: NDArray[np.float32]  # (m, k) of 0/1, as targets are
    weights: NDArray[np.float32]  # (m,)

    def __len__(self) -> int:
        return len(self.indices)


Method = Callable[[Situation], PseudoLabels]

methods: Registry[Method] = Registry("self-training method")


def names() -> list[str]:
    """Return the registered names."""
    return list(methods)


def choose(name: str, situation: Situation) -> PseudoLabels:
    """Let the method ``name`` choose pseudo-labels; none before there is a model. Never a labelled item. Raises UnknownName."""
    method = methods.get(name)
    return nothing(situation) if situation.proba is None else method(situation)


@methods.register("none")
def nothing(situation: Situation) -> PseudoLabels:
    """Train on people's labels only."""
    return PseudoLabels(np.empty(0, np.int64), np.empty((0, situation.targets.shape[1]), np.float32), np.empty(0, np.float32))
