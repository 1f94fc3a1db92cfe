"""The cache of encoded texts on disk: float16 rows, memory-mapped, keyed by what the text is, so identical texts are encoded once.

Append-only: vectors are written and synced before their keys, so a kill at any moment leaves at most a torn tail. No reader sees
it, and the next writer cuts it off. Must not encode; numpy and the standard library only.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annot.errors import BadInput, WorkspaceError

KEY_BYTES = 16
# A hash as two machine words: the first is searched (3 times as fast as byte strings), the second confirms.
WORDS = np.dtype("<u8")

Keys = Sequence[bytes] | NDArray[np.void]


def content_hash(text: str) -> bytes:
    """Return the first 16 bytes of the SHA-256 of the text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:KEY_BYTES]


class Rows:
    """Chosen rows of a matrix, looked at as an array (n, d) of their own that is never copied whole: only what is indexed is read."""

    ndim = 2

    def __init__(self, matrix: NDArray[np.floating], rows: NDArray[np.integer]) -> None:
        self._matrix, self._rows = np.asarray(matrix), rows
        self._stored: tuple[NDArray[np.integer], ...] = ()
        self.shape = (len(rows), matrix.shape[1])
        self.dtype = matrix.dtype

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, places: Any) -> NDArray[np.floating]:
        found: NDArray[np.floating] = self._matrix[self._rows[places]]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self._matrix[self._rows], dtype)

    def part(self, places: NDArray[np.integer]) -> "Rows":
        """Return a view of some of these rows."""
        return Rows(self._matrix, self._rows[places])

    def of(self, found: NDArray[Any]) -> NDArray[Any]:
        """Return what ``found`` (m, …) says of each of these rows, where it says something of every row of the matrix."""
        mine: NDArray[Any] = found[self._rows]
        return mine

    def blocks(self, size: int) -> Iterator[tuple[NDArray[np.integer], Callable[[], NDArray[np.floating]]]]:
        """Yield (places, what reads their vectors) of all rows, ``size`` at a time, in the order they are stored: a file is read from front
        to back, and where nothing lies between them nothing is copied. Nothing is read before it is called for."""
        if not self._stored:
            by_row = np.argsort(self._rows, kind="stable")
            ascending = self._rows[by_row]
            self._stored = by_row, ascending, np.cumsum(np.diff(ascending, prepend=ascending[:1]) != 1, dtype=np.int32)
        # How many gaps come before each row: as many before the last of a block as before its first, and it lies together.
        order, rows, gaps = self._stored
        for start in range(0, len(self), size):
            last = min(start + size, len(self)) - 1
            whole = gaps[last] == gaps[start]
            chosen = slice(rows[start], rows[last] + 1) if whole else rows[start : last + 1]
            yield order[start : last + 1], partial(self._matrix.__getitem__, chosen)


class VectorCache:
    """The vectors of one encoder, in one folder. Several processes may read while one appends. Raises WorkspaceError if it cannot."""

    def __init__(self, folder: Path, dimensions: int) -> None:
        self.dimensions = dimensions
        self._folder = folder
        self._row_bytes = 2 * dimensions
        with _in_words(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._forget()
        self.refresh()

    def _forget(self) -> None:
        self._sorted: NDArray[np.uint64] = np.empty(0, WORDS)
        self._confirm: NDArray[np.uint64] = np.empty(0, WORDS)
        self._order: NDArray[np.int64] = np.empty(0, np.int64)
        self._mapped: NDArray[np.float16] = np.empty((0, self.dimensions), np.float16)

    @property
    def _vectors(self) -> Path:
        return self._folder / "vectors.f16"

    @property
    def _keys(self) -> Path:
        return self._folder / "keys.bin"

    def __len__(self) -> int:
        return len(self._order)

    @property
    def matrix(self) -> NDArray[np.float16]:
        """Return all vectors (n, d), memory-mapped and read-only."""
        if len(self._mapped) != len(self):  # a mapping is kept, as its pages have to be found again in a new one
            self._mapped = np.memmap(self._vectors, np.float16, "r", shape=(len(self), self.dimensions))
        return self._mapped

    def refresh(self) -> None:
        """See the rows that another process appended. Costs little when there are none, and one pass over the keys when there are."""
        n, known = self._whole_rows(), len(self)
        if n < known:  # somebody emptied the folder
            self._forget()
            known = 0
        if n == known:
            return
        words = np.fromfile(self._keys, WORDS, 2 * (n - known), offset=known * KEY_BYTES).reshape(-1, 2)
        new = np.argsort(words[:, 0], kind="stable")
        at = np.searchsorted(self._sorted, words[new, 0], side="right")
        self._sorted = np.insert(self._sorted, at, words[new, 0])
        self._confirm = np.insert(self._confirm, at, words[new, 1])
        self._order = np.insert(self._order, at, known + new)

    def _whole_rows(self) -> int:
        sizes = [path.stat().st_size if path.exists() else 0 for path in (self._keys, self._vectors)]
        return min(sizes[0] // KEY_BYTES, sizes[1] // self._row_bytes)

    def rows(self, hashes: Keys) -> NDArray[np.int64]:
        """Return each key's row in ``matrix`` (n,), -1 where it is absent. Keys are 16 bytes each: a list, or an array of V16."""
        wanted = _words(hashes)
        found = np.full(len(wanted), -1, np.int64)
        if not len(self):
            return found
        at = np.searchsorted(self._sorted, wanted[:, 0])
        # Keys that share their first word stand together: almost always one, so almost always one pass.
        open_ = np.arange(len(wanted))
        while len(open_):
            open_ = open_[at[open_] < len(self)]
            open_ = open_[self._sorted[at[open_]] == wanted[open_, 0]]
            hit = self._confirm[at[open_]] == wanted[open_, 1]
            found[open_[hit]] = self._order[at[open_[hit]]]
            open_ = open_[~hit]
            at[open_] += 1
        return found

    def append(self, hashes: Keys, vectors: NDArray[np.floating]) -> None:
        """Add rows durably; keys already there are passed over. Waits for another writer. Raises BadInput on a shape that does not fit.

        A vector that is not finite (an encoder that overflowed) is kept as zeros: near nothing, and predicted by the bias alone.
        """
        words = _words(hashes)
        if vectors.shape != (len(words), self.dimensions):
            raise BadInput(f"Expected vectors of shape {(len(words), self.dimensions)}, got {vectors.shape}.")
        with self._writing():
            self.refresh()
            first = np.unique(words, axis=0, return_index=True)[1]
            new = np.sort(first[self.rows(hashes)[first] < 0])
            if not len(new):
                return
            fresh = np.ascontiguousarray(vectors[new], np.float16)
            fresh[~np.isfinite(fresh).all(axis=1)] = 0
            self._write(self._vectors, len(self) * self._row_bytes, fresh.tobytes())
            self._write(self._keys, len(self) * KEY_BYTES, words[new].tobytes())
            self.refresh()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with _in_words(self._folder), (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @staticmethod
    def _write(path: Path, at: int, content: bytes) -> None:
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.truncate(at)  # a torn tail of a killed writer
            file.seek(at)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


def _words(hashes: Keys) -> NDArray[np.uint64]:
    """Return the keys as two words each (n, 2). Raises BadInput unless each has 16 bytes."""
    if isinstance(hashes, np.ndarray):
        joined = np.ascontiguousarray(hashes).tobytes()
    else:
        joined = b"".join(hashes) if {KEY_BYTES}.issuperset(map(len, hashes)) else b""
    if len(joined) != KEY_BYTES * len(hashes):
        raise BadInput("A key of the vector cache has 16 bytes (see content_hash).")
    return np.frombuffer(joined, WORDS).reshape(-1, 2)


@contextmanager
def _in_words(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise WorkspaceError(f"The vectors in {folder} cannot be written ({fault.strerror}). Free space or make it writable.") from fault
