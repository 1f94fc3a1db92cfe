"""What a task is and what it needs, and what runs tasks: the interface that the loop, simulate and benchmarks share.

A task is a call of an importable function with arguments that can be pickled. It reads and writes nothing but what it is given, so it
can be done anywhere and done again. Must not know of any one executor, or of the store.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

R = TypeVar("R")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a task takes while it runs: up to so many CPUs of one machine, and with ``gpu`` a GPU where the cluster has one."""

    cpus: int = 1
    gpu: bool = False


class Handle(Protocol[T_co]):
    """What a task is handed of a shared value."""

    def get(self) -> T_co: ...


@dataclass(frozen=True, slots=True, eq=False)
class Shared(Generic[T]):
    """A value that many tasks take, sent to each machine at most once; a task that never calls ``get`` costs it nothing."""

    value: T

    def get(self) -> T:
        return self.value


class Telling:
    """A callback to give to a task: heard when the task runs in this process, silent when it runs in another."""

    def __init__(self, callback: Callable[..., None]) -> None:
        self._callback = callback

    def __call__(self, *facts: Any) -> None:
        self._callback(*facts)

    def __reduce__(self) -> tuple[type["Telling"], tuple[Callable[..., None]]]:
        return Telling, (silence,)


def silence(*facts: Any) -> None:
    """Hear of something and do nothing."""


class Executor(Protocol):
    """What runs tasks. A context manager: leaving it stops what still runs."""

    @property
    def note(self) -> str:
        """What a person should know of where the tasks run: empty, or that a cluster was lost."""

    def share(self, value: T) -> Shared[T]:
        """Make a value ready for many tasks, to be given to them as an argument of its own."""

    def forget(self, shared: Shared[Any]) -> None:
        """Free what a shared value takes elsewhere; it is not given to a task again."""

    def stream(self, work: Callable[..., R], calls: Iterable[tuple[Any, ...]], needs: Needs) -> Iterator[tuple[int, R]]:
        """Yield (place in ``calls``, result) as ``work(*call)`` finishes, in any order. Takes calls as there is room for them.

        The first task that fails ends the stream with its error: an AnnotError with its words, or RuntimeError with a traceback.
        """

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None: ...
