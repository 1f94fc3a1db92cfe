"""What goes through the pipe between this process and the driver of a Ray cluster. Must not import ray."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from annot.compute.base import Needs, Shared, T


@dataclass(frozen=True, slots=True, eq=False)
class Lent(Shared[T]):
    """A shared value that the driver has under ``number``."""

    number: int


@dataclass(frozen=True, slots=True)
class Token:
    """Stands for a lent value in the arguments of a call."""

    number: int


@dataclass(frozen=True, slots=True, eq=False)
class Put:
    """To the driver: keep a value for the calls that name its number."""

    number: int
    value: Any


@dataclass(frozen=True, slots=True)
class Drop:
    """To the driver: no later call names this value."""

    number: int


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """To the driver: run a task."""

    number: int
    work: Callable[..., Any]
    arguments: tuple[Any, ...]
    needs: Needs


@dataclass(frozen=True, slots=True)
class Room:
    """From the driver: the cluster is reached, and takes so many calls like the last at a time without a node having to wait."""

    calls: int


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """From the driver: what a task returned."""

    number: int
    result: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """From the driver: the task raised an AnnotError with these words (``expected``), or another error, with its traceback."""

    number: int
    words: str
    expected: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """From the driver, its last words: why the cluster cannot be used."""

    words: str
