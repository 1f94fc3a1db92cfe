"""A project's texts as its present encoder sees them, brought up to date for each ranking and never looked up twice.

Must not learn, choose or write anything.
"""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from annot.compute.scoring import PoolScorer
from annot.encoders import EncoderId
from annot.learners.head import Head
from annot.loop.encoding import cache_of, label_texts
from annot.loop.item_vectors import Index, Vectors
from annot.records import Project, Split
from annot.settings import Workspace
from annot.store import Store
from annot.vectors import Rows, VectorCache, content_hash

# While texts are being encoded a ranking waits for so many more of them before it is made anew for their sake alone.
GROWTH = 0.02


class Texts:
    """The vectors of one project's pool and test items.

    After ``vectors`` and ``names``, ``missing`` counts the items, and label names while they matter, without a vector.
    """

    def __init__(self, workspace: Workspace, scorer: PoolScorer | None = None) -> None:
        """``scorer`` scores the pool elsewhere than in this process; None in it."""
        self._workspace = workspace
        self._scorer = scorer
        self._key = ""
        self._cache: VectorCache | None = None
        self._index: dict[Split, Index] = {}
        self._encoded = self._unranked = 0
        self._twins: tuple[str, NDArray[np.int64]] | None = None
        self._names: list[bytes] = []
        self._unnamed = 0
        self.missing = 0

    def turn_to(self, encoder: EncoderId) -> bool:
        """Read on in the encoder's cache. True where it is another than before, so that what was made of the old vectors is void."""
        if self._cache is not None and self._key == encoder.key:
            self._cache.refresh()
            if len(self._cache) >= self._encoded:
                return False
        self._key, self._cache, self._encoded = encoder.key, cache_of(self._workspace, encoder), 0
        for index in self._index.values():
            index.forget()
        if self._scorer is not None:
            self._scorer.forget()
        return True

    def have_grown(self) -> bool:
        """Tell whether so many more of this project's texts are encoded that its queue is due for a look at them."""
        cache = self._opened()
        if len(cache) == self._encoded or not self.missing:
            return False
        found = sum(index.find(cache) for index in self._index.values())
        left, there = (sum(count) for count in zip(*((index.missing, len(index.ids)) for index in self._index.values()), strict=True))
        self._encoded = len(cache)
        self._unranked += found
        if self._unnamed and not self._names_missing(cache):
            return True
        return self._unranked > 0 and (left == 0 or self._unranked >= GROWTH * (there - left))

    def vectors(self, store: Store, project: Project) -> dict[Split, Vectors]:
        """Return the items of each split that are encoded, those that came since the last time included."""
        cache = self._opened()
        for split in Split:
            index = self._index.setdefault(split, Index.empty())
            if fresh := list(store.items.hashes(project.id, split, int(index.ids[-1]) if len(index.ids) else 0)):
                index.add(fresh)
            index.find(cache)
        self._encoded, self._unranked = len(cache), 0
        self.missing = sum(index.missing for index in self._index.values())
        return {split: index.vectors(cache) for split, index in self._index.items()}

    def names(self, store: Store, project: Project) -> NDArray[np.float16] | None:
        """Return the vectors (k, d) of the labels' names and descriptions, None until all are encoded."""
        cache = self._opened()
        self._names = [content_hash(text) for text in label_texts(store.projects.labels(project.id))]
        # What the names suggest matters before the first model only.
        self._unnamed = self._names_missing(cache) if project.published_run is None else 0
        self.missing += self._unnamed
        rows = cache.rows(self._names)
        return cache.matrix[rows] if len(rows) and (rows >= 0).all() else None

    def score(self, head: Head, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the head's probabilities (n, k) of the items whose ``vectors`` are, here or where the scorer is."""
        if self._scorer is None:
            return head.proba(vectors)
        return cast(Rows, vectors).of(self._scorer.proba(self._opened().matrix, head))

    def groups(self, store: Store, project: Project, pool: Vectors) -> NDArray[np.int64]:
        """Return the group (n,) of near-duplicates each item is in, named by its leader; -1 where it stands alone."""
        stamp = store.twins.stamp(project.id)
        if self._twins is None or self._twins[0] != stamp:
            self._twins = (stamp, store.twins.groups(project.id))
        members = self._twins[1]
        places = pool.places(members[:, 0])
        groups = np.full(len(pool.ids), -1, np.int64)
        groups[places[places >= 0]] = members[places >= 0, 1]
        return groups

    def _names_missing(self, cache: VectorCache) -> int:
        return int((cache.rows(self._names) < 0).sum())

    def _opened(self) -> VectorCache:
        assert self._cache is not None, "turn_to comes first"
        return self._cache
