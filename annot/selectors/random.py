"""Uniform draws: the baseline every other selector is measured against. Must not look at anything but the pool."""

import numpy as np

from annot.records import Reason
from annot.selectors import Picked, Situation, registry


@registry.register("random")
def random(situation: Situation, n: int) -> Picked:
    """Draw without replacement; all scores are 0."""
    return Picked(situation.rng.choice(situation.pool, n, replace=False), np.zeros(n), Reason.RANDOM)
