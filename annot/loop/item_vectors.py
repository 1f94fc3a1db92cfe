"""Where a project's items are in a vector cache, kept from one ranking to the next so that nothing is looked up twice.

Must not read the store or score anything; never copies the pool's vectors.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from numpy.typing import NDArray

from annot.vectors import KEY_BYTES, Rows, VectorCache


@dataclass(frozen=True, slots=True)
class Vectors:
    """The encoded items of a project: ids ascending, and ``matrix`` (n, d), which reads like an array and is never copied whole."""

    ids: NDArray[np.int64]
    matrix: NDArray[np.float16]

    def places(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return each item's place in ``ids``, -1 where it is not encoded yet."""
        if not len(self.ids):
            return np.full(len(items), -1)
        at = np.minimum(np.searchsorted(self.ids, items), len(self.ids) - 1)
        return np.where(self.ids[at] == items, at, -1)

    def part(self, most: int, besides: NDArray[np.int64], rng: np.random.Generator) -> "Vectors":
        """Return a random part of ``most`` items, and those of ``besides`` that are there; itself where it is no larger."""
        if len(self.ids) <= most:
            return self
        known = self.places(besides)
        places = np.union1d(known[known >= 0], rng.choice(len(self.ids), most, replace=False))
        return Vectors(self.ids[places], cast("NDArray[np.float16]", cast(Rows, self.matrix).part(places)))

    def of(self, items: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.asarray(self.matrix[self.places(items)], np.float32)


@dataclass(slots=True)
class Index:
    """Where the items of one split are in a vector cache: ``rows`` is -1 where an item is not encoded yet."""

    ids: NDArray[np.int64]
    keys: NDArray[np.void]
    rows: NDArray[np.int64]
    _found: Vectors | None = field(default=None, repr=False)

    @classmethod
    def empty(cls) -> "Index":
        return cls(np.empty(0, np.int64), np.empty(0, f"V{KEY_BYTES}"), np.empty(0, np.int64))

    def add(self, fresh: Sequence[tuple[int, bytes]]) -> None:
        """Take in (item id, key) of items newer than all that are there."""
        self._found = None
        self.ids = np.concatenate([self.ids, np.array([item for item, _ in fresh], np.int64)])
        self.keys = np.concatenate([self.keys, np.frombuffer(b"".join(key for _, key in fresh), self.keys.dtype)])
        self.rows = np.concatenate([self.rows, np.full(len(fresh), -1)])

    def find(self, cache: VectorCache) -> int:
        """Look for those that were not there; return how many are there now."""
        missing = np.flatnonzero(self.rows < 0)
        rows = cache.rows(self.keys[missing])
        found = int((rows >= 0).sum())
        if found:
            self.rows[missing], self._found = rows, None
        return found

    def forget(self) -> None:
        """Know of no row any more: the cache is another one."""
        self.rows[:], self._found = -1, None

    @property
    def missing(self) -> int:
        return int((self.rows < 0).sum())

    def vectors(self, cache: VectorCache) -> Vectors:
        """Return the items that are encoded; the same object as long as none was added or found."""
        if self._found is None:
            there = self.rows >= 0
            self._found = Vectors(self.ids[there], cast("NDArray[np.float16]", Rows(cache.matrix, self.rows[there])))
        return self._found
