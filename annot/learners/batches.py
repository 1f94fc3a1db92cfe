"""Which examples a training step sees, and what each then weighs in the loss.

An example's weight acts here and only here: it is drawn in proportion to it. Weighting the loss as well would count it twice, and
weighting the loss alone would spend the steps on what counts least: 400 pseudo-labels of weight 0.1 beside 10 people's labels are 40
against 10, yet would fill 98 of 100 places, each with a tenth of a gradient.

Labels are evened out by weight too, but never beyond it: one whose examples together weigh less than 1, a person's label, takes part
only that much. Otherwise the one doubtful pseudo-label of a rare label would be as loud as all people's labels of another. Numpy only.
Must not know texts or models.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BALANCES = ("batches", "loss", "none")


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """How rows are drawn. A row of several labels stands in the group of each, its pull divided among them."""

    groups: tuple[NDArray[np.int64], ...]  # the rows of each label that has any; those with no label are a group of their own
    pulls: tuple[NDArray[np.float64], ...]  # what each of these rows weighs in its group
    shares: NDArray[np.float64]  # (g,) how often each group is drawn, relative to the others
    loss_weights: NDArray[np.float32]  # (n,) what a drawn row weighs in the loss

    def rows(self, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw ``size`` rows, two and two of one label: a contrastive loss learns nothing from a row without its like.

        A label with one row gives that row twice, which dropout tells apart (as SimCSE does: Gao et al., EMNLP 2021).
        """
        twos = np.bincount(spread(self.shares, -(-size // 2), rng), minlength=len(self.groups))
        drawn = [
            group[spread(pulls, 2 * count, rng)]
            for group, pulls, count in zip(self.groups, self.pulls, twos.tolist(), strict=True)
            if count
        ]
        return np.concatenate(drawn)[:size]


def plan(truth: NDArray[np.float32], weights: NDArray[np.float32], balance: str) -> Drawing:
    """Plan drawing from rows with label sets ``truth`` (n, k) of 0/1 and ``weights`` (n,): 1 for a person's label, not all 0.

    ``balance`` "batches": every label is drawn about equally often. "loss": rows come as often as their weight says, and weigh in
    the loss by how rare their label is (the mean over several). "none": as their weight says, and all alike in the loss.
    """
    share = np.asarray(weights, np.float64)
    member = np.column_stack([truth > 0, ~(truth > 0).any(axis=1)])
    pull = member * (share / member.sum(axis=1))[:, None]
    mass = (member * share[:, None]).sum(axis=0)
    seen = np.flatnonzero(mass)
    rare = 1 / np.maximum(mass, 1)
    groups = tuple(np.flatnonzero(pull[:, label]) for label in seen)
    return Drawing(
        groups,
        tuple(pull[rows, label] for label, rows in zip(seen, groups, strict=True)),
        np.minimum(mass, 1)[seen] if balance == "batches" else pull.sum(axis=0)[seen],
        (member @ rare / member.sum(axis=1) if balance == "loss" else np.ones(len(truth))).astype(np.float32),
    )


def spread(pulls: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw ``count`` places in proportion to ``pulls``, as evenly as whole numbers allow (systematic sampling: Madow, 1949).

    A place with the share p comes ``count`` * p times, rounded up or down, and exactly so on average; so none comes twice while
    another of the same pull has not come at all.
    """
    order = rng.permutation(len(pulls))
    reached = np.cumsum(pulls[order])
    marks = (rng.random() + np.arange(count)) / count * reached[-1]
    # Rounding can put the last mark on the end itself.
    found: NDArray[np.int64] = order[np.minimum(np.searchsorted(reached, marks, side="right"), len(order) - 1)]
    return found
