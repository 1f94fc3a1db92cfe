"""Group commit: the writes that several clients wait for at one time share a transaction, and so one fsync.

One thread owns one connection and does what is handed to it, in the order it came; whoever handed it in is answered once the commit
is durable. Nothing is delayed to fill a group: it is what arrived while the one before was committed. Must not know what is written.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from annot.errors import Busy
from annot.store import Store

T = TypeVar("T")
MOST_TOGETHER = 100


@dataclass(slots=True)
class _Unit:
    """What one client wants written. ``work`` may be done twice: what the first time changed in the store is undone by then."""

    work: Callable[[Store], Any]
    promise: "Future[Any]"
    value: Any = None
    fault: Exception | None = None

    def attempt(self, store: Store) -> None:
        self.value = self.fault = None
        try:
            with store.unit():
                self.value = self.work(store)
        except Exception as fault:  # it is the client's that handed this in, not the group's
            self.fault = fault

    def answer(self) -> None:
        if self.fault is None:
            self.promise.set_result(self.value)
        else:
            self.promise.set_exception(self.fault)


class Commits:
    """The shared writer of one workspace file. Any thread may submit."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: SimpleQueue[_Unit | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="commits", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Store], T]) -> "Future[T]":
        """Have ``work(store)`` done as one unit of work; the future holds what it returned or raised, after the commit is durable."""
        promise: Future[T] = Future()
        self._waiting.put(_Unit(work, promise))
        return promise

    def close(self) -> None:
        """Finish what was submitted before, and end. Nothing may be submitted afterwards."""
        self._waiting.put(None)
        self._thread.join()

    def _serve(self) -> None:
        store: Store | None = None
        opened: tuple[int, int] | None = None
        going = True
        while going:
            group, going = self._group()
            try:
                if store is not None and opened != self._file():  # somebody restored a copy
                    store.close()
                    store = None
                if store is None:
                    store = Store(self._path)
                    opened = self._file()
            except Exception as fault:  # a workspace that cannot be opened now may be mended later
                for unit in group:
                    unit.promise.set_exception(fault)
                continue
            _commit(store, group)
        if store:
            store.close()

    def _file(self) -> tuple[int, int] | None:
        """Return which file the path names now: a connection goes on writing to one that was replaced."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _group(self) -> tuple[list[_Unit], bool]:
        """Wait for a unit and return it with all others that wait and were not given up; False once nothing is to follow."""
        taken = [self._waiting.get()]
        with suppress(Empty):
            while taken[-1] and len(taken) < MOST_TOGETHER:
                taken.append(self._waiting.get_nowait())
        return [unit for unit in taken if unit and unit.promise.set_running_or_notify_cancel()], taken[-1] is not None


def _commit(store: Store, group: list[_Unit]) -> None:
    """Do the units in one transaction. Where that fails as a whole (a full disk), each is done in its own, so that one can fail alone."""
    try:
        with store.unit():
            for unit in group:
                unit.attempt(store)
    except Busy as fault:  # alone each would wait as long again
        for unit in group:
            unit.fault = fault
    except Exception:
        for unit in group:
            unit.attempt(store)
    for unit in group:
        unit.answer()


_running: dict[Path, Commits] = {}
_starting = threading.Lock()


def commits_of(path: Path) -> Commits:
    """Return this process's shared writer of a workspace file, started on first use. It ends with the process."""
    with _starting:
        if path not in _running:
            _running[path] = Commits(path)
        return _running[path]
