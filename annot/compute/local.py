"""Tasks on this machine: in this process one after another, or in several processes of one thread each.

Must not know what the tasks do.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from types import TracebackType
from typing import Any, Self

from annot.compute.base import Needs, R, Shared, T
from annot.errors import AnnotError

ONE_THREAD = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


class Local:
    """Runs tasks in ``processes`` processes, in this one where that is 0. What a task says it needs is not looked at."""

    note = ""

    def __init__(self, processes: int = 0) -> None:
        self._processes = processes
        self._pool = ProcessPoolExecutor(processes, get_context("spawn"), _one_thread) if processes else None

    def share(self, value: T) -> Shared[T]:
        return Shared(value)

    def forget(self, shared: Shared[Any]) -> None:
        pass

    def stream(self, work: Callable[..., R], calls: Iterable[tuple[Any, ...]], needs: Needs) -> Iterator[tuple[int, R]]:
        if self._pool is None:
            return ((place, work(*call)) for place, call in enumerate(calls))
        return self._apart(self._pool, work, calls)

    def _apart(self, pool: ProcessPoolExecutor, work: Callable[..., R], calls: Iterable[tuple[Any, ...]]) -> Iterator[tuple[int, R]]:
        rest = enumerate(calls)
        running: dict[Future[R], int] = {}
        try:
            while True:
                running |= {pool.submit(work, *call): place for place, call in islice(rest, 2 * self._processes - len(running))}
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield running.pop(future), future.result()
        except BrokenProcessPool:
            raise AnnotError("A process was stopped from outside. Is there enough memory? What was finished before is kept.") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    """Keep a process to one core: two then use two cores fully, and a task's figures do not depend on what runs beside it."""
    from threadpoolctl import threadpool_limits

    os.environ |= ONE_THREAD
    threadpool_limits(1)
