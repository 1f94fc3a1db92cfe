"""Pseudo-labels for a run: what the present model may teach the next one. Must not train, or decide whether that helps.

Whether it helps is found out by ``learning.check`` after labels came in; a run takes pseudo-labels only while the newest check says so.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annot.loop import learning
from annot.loop.encoding import cache_of, serving_encoder
from annot.loop.targets import Labelled
from annot.records import Project, Split
from annot.selectors import Situation
from annot.selftraining import PseudoLabels
from annot.settings import ProjectSettings, Workspace
from annot.store import Store


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """Unlabelled pool items and the labelled ones, as the present encoder sees them."""

    settings: ProjectSettings
    exclusive: bool
    labelled: Labelled
    known: NDArray[np.bool_]  # (n,) which rows of the labelled have a vector
    unlabelled: NDArray[np.int64]  # (u,) item ids
    vectors: NDArray[np.float16]  # (u + known, d), the unlabelled first

    def pseudo_labels(self, rows: NDArray[np.bool_], seed: int) -> tuple[NDArray[np.int64], PseudoLabels] | None:
        """Return item ids (m,) with their pseudo-labels, chosen by a head that knows only ``rows`` (n,) of the labelled.

        So a model that is to be judged on the other rows has learned nothing of their labels. None where it cannot tell labels apart.
        """
        use = rows & self.known
        place = len(self.unlabelled) + np.cumsum(self.known) - 1
        situation = Situation(
            proba=None,
            vectors=self.vectors,
            pool=np.arange(len(self.unlabelled)),
            labelled=place[use],
            targets=self.labelled.targets[use],
            rng=np.random.default_rng([self.settings.seed, seed]),
            exclusive=self.exclusive,
        )
        head = learning.fit(situation, self.settings.seed)
        if head is None:
            return None
        found = learning.pseudo_labels(replace(situation, proba=head.proba(self.vectors)), self.settings.self_training)
        return self.unlabelled[found.indices], found


def teacher(workspace: Workspace, store: Store, project: Project, labelled: Labelled) -> Teacher | None:
    """Return who a run may take pseudo-labels from; None unless self-training was last found to help."""
    settings, check = ProjectSettings.parse(project.settings), store.runs.newest_check(project.id)
    if not learning.uses(check, settings.self_training):
        return None
    cache = cache_of(workspace, serving_encoder(workspace, project))
    pairs = list(store.items.hashes(project.id, Split.POOL))
    items, rows = np.array([item for item, _ in pairs], np.int64), cache.rows([key for _, key in pairs])
    free = np.flatnonzero((rows >= 0) & ~np.isin(items, labelled.items))
    free = np.sort(np.random.default_rng(settings.seed).permutation(free)[: learning.PSEUDO_FROM])
    at = np.minimum(np.searchsorted(items, labelled.items), len(items) - 1)
    known = (items[at] == labelled.items) & (rows[at] >= 0)
    vectors = np.asarray(cache.matrix[rows[np.concatenate([free, at[known]])]])
    return Teacher(settings, project.exclusive, labelled, known, items[free], vectors)
