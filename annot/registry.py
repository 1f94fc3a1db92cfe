"""One shape for every registry: selectors, self-training methods, formats. Built-ins register exactly as other code would.

Must not know what it holds.
"""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from annot.errors import UnknownName

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """Names to entries; a duplicate raises at import, an unknown name answers with the known ones."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._entries: dict[str, Entry] = {}

    def register(self, name: str) -> Callable[[Entry], Entry]:
        """Return a decorator that files its argument under ``name``. Raises ValueError on a duplicate."""

        def file(entry: Entry) -> Entry:
            if name in self._entries:
                raise ValueError(f"{self._what} {name!r} is registered twice")
            self._entries[name] = entry
            return entry

        return file

    def get(self, name: str) -> Entry:
        """Return the entry. Raises UnknownName."""
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownName(self._what, name, list(self._entries)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))
