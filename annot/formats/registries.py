"""Where formats register by name and by the ends of file names they are known by: readers and writers. Built-ins register exactly as
other code would.

Must not import any one format, or name one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from annot.errors import BadInput
from annot.formats.rows import Table
from annot.formats.source import Source
from annot.registry import Registry


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What a writer is given: rows that all have just these ``columns``, and the names of all labels there are, also those on no row."""

    rows: Iterable[dict[str, Any]]
    columns: Sequence[str]
    labels: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Reader:
    """Opens a file as a table. ``suffixes`` are the ends of names it takes, in small letters, ``.gz`` not counted."""

    open: Callable[[Source], Table]
    suffixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes rows to a binary stream, UTF-8. ``suffix`` is what its files' names end in."""

    write: Callable[[BinaryIO, Outgoing], None]
    suffix: str


readers: Registry[Reader] = Registry("file format that can be read")
writers: Registry[Writer] = Registry("file format that can be written")


def reader(name: str, *suffixes: str) -> Callable[[Callable[[Source], Table]], Callable[[Source], Table]]:
    """Return a decorator that registers a function as the reader of files whose names end in one of ``suffixes``."""

    def file(function: Callable[[Source], Table]) -> Callable[[Source], Table]:
        readers.register(name, _first_line(function))(Reader(function, suffixes))
        return function

    return file


def writer(name: str, suffix: str) -> Callable[[Callable[[BinaryIO, Outgoing], None]], Callable[[BinaryIO, Outgoing], None]]:
    """Return a decorator that registers a function as the writer of files whose names end in ``suffix``."""

    def file(function: Callable[[BinaryIO, Outgoing], None]) -> Callable[[BinaryIO, Outgoing], None]:
        writers.register(name, _first_line(function))(Writer(function, suffix))
        return function

    return file


def suffixes() -> list[str]:
    """Return the ends of names that can be read, ``.gz`` after any of them understood."""
    return [suffix for name in readers for suffix in readers.get(name).suffixes]


def reader_of(path: Path) -> str:
    """Return the name of the reader for a file's name. Raises BadInput listing the known ends."""
    found = _by_suffix(path, {suffix: name for name in readers for suffix in readers.get(name).suffixes})
    if found is None:
        raise BadInput(f"{Path(path).name} is of no known format. Its name must end in {', '.join(suffixes())}, or one of these with .gz.")
    return found


def writer_of(path: Path) -> str:
    """Return the name of the writer for a file's name. Raises BadInput listing the known ends."""
    known = {writers.get(name).suffix: name for name in writers}
    found = _by_suffix(path, known)
    if found is None:
        raise BadInput(f"{Path(path).name} does not say its format. End its name in {', '.join(known)} (also .gz), or name a format.")
    return found


def _by_suffix(path: Path, known: dict[str, str]) -> str | None:
    name = Path(path).name.lower().removesuffix(".gz")
    return next((known[suffix] for suffix in sorted(known, key=len, reverse=True) if name.endswith(suffix) and name != suffix), None)


def _first_line(function: Callable[..., object]) -> str:
    return (function.__doc__ or "").strip().partition("\n")[0]
