"""What selectors and self-training methods are given: a pool, what is labelled, what a model says of it. Must hold arrays only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class PartialLabels:
    """What is known of m items whose label is not: ``ruled_out`` labels do not hold, and one of ``one_of`` does, where a row has any."""

    rows: NDArray[np.int64]  # (m,) places; of people's answers, item ids
    ruled_out: NDArray[np.bool_]  # (m, k)
    one_of: NDArray[np.bool_]  # (m, k)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True, eq=False)
class Situation:
    """All that a selector or a self-training method may look at. ``pool`` and ``labelled`` are places in ``vectors`` and in every array
    of n rows.

    ``proba`` (n, k) is None before the first model; ``targets`` (l, k) of 0/1 belong to ``labelled`` (l,). Where labels are not
    ``exclusive``, an item may have several, and the rows of ``proba`` need not sum to 1. The rest is None where it is not known:
    ``samples`` (s, n, k) are s stochastic predictions of one model, ``earlier`` (n, k) what the model of the round before predicted,
    ``prior`` (n, k) what may be guessed without any label (see ``coldstart.zero_shot``). Items with the same value in ``groups`` (n,)
    are as good as identical; -1 stands alone. The items of ``partial`` are neither in ``pool`` nor ``labelled``.
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
    partial: PartialLabels | None = None
