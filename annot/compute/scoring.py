"""Scoring a pool of cached vectors with a head as tasks: the vectors are shared once and as they grow, a head goes with every call.

Must not refit the head or read the cache's files.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from annot.compute.base import Executor, Handle, Needs, Shared
from annot.learners.head import Head

# Rows of a task, 50 MB at 384 dimensions.
BLOCK = 65_536
NEEDS = Needs(cpus=1)


@dataclass(slots=True, eq=False)
class PoolScorer:
    """Scores the rows of one append-only matrix (``VectorCache.matrix``) at a time; ``forget`` comes between one cache and another."""

    executor: Executor
    _blocks: list[Shared[NDArray[np.float16]]] = field(default_factory=list)

    def proba(self, matrix: NDArray[np.float16], head: Head) -> NDArray[np.float32]:
        """Return ``head.proba(matrix)`` (n, k). Only rows that have come since the last call are shared anew, by the block."""
        self._share(matrix)
        out = np.empty((len(matrix), len(head.bias)), np.float32)
        for place, scores in self.executor.stream(score_block, ((block, head) for block in self._blocks), NEEDS):
            out[place * BLOCK : place * BLOCK + len(scores)] = scores
        return out

    def forget(self) -> None:
        """Free what was shared: the next matrix is another cache's."""
        self._forget(len(self._blocks))

    def _share(self, matrix: NDArray[np.float16]) -> None:
        shared = sum(len(block.value) for block in self._blocks)
        if shared > len(matrix):  # the cache was emptied
            self.forget()
        elif self._blocks and shared < len(matrix) and len(self._blocks[-1].value) < BLOCK:
            self._forget(1)
        for start in range(len(self._blocks) * BLOCK, len(matrix), BLOCK):
            self._blocks.append(self.executor.share(matrix[start : start + BLOCK]))

    def _forget(self, last: int) -> None:
        for _ in range(last):
            self.executor.forget(self._blocks.pop())


def score_block(vectors: Handle[NDArray[np.float16]], head: Head) -> NDArray[np.float32]:
    """Return the probabilities (m, k) of a block of vectors (m, d)."""
    return head.proba(vectors.get())
