"""One shape for every registry: selectors, self-training methods, formats. Built-ins register exactly as other code would.

A new file in a registry's package is all it takes: ``load`` imports every file there. Must not know what it holds.
"""

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from annot.errors import UnknownName

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """Names to entries; a duplicate raises at import, an unknown name answers with the known ones."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._entries: dict[str, Entry] = {}
        self._says: dict[str, str] = {}

    def register(self, name: str, says: str = "") -> Callable[[Entry], Entry]:
        """Return a decorator that files its argument under ``name``. Raises ValueError on a duplicate.

        ``says`` is what people choose it by, in one line; by default the first line of its docstring.
        """

        def file(entry: Entry) -> Entry:
            if name in self._entries:
                raise ValueError(f"{self._what} {name!r} is registered twice")
            self._entries[name] = entry
            self._says[name] = says or (getattr(entry, "__doc__", None) or "").strip().partition("\n")[0]
            return entry

        return file

    def get(self, name: str) -> Entry:
        """Return the entry. Raises UnknownName."""
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownName(self._what, name, list(self._entries)) from None

    def says(self, name: str) -> str:
        """Return what is said of the entry in one line. Raises UnknownName."""
        self.get(name)
        return self._says[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))


def load(package: str) -> None:
    """Import every module of a package that is being imported, and of packages in it, so that all of them have registered."""
    for module in pkgutil.walk_packages(sys.modules[package].__path__, f"{package}."):
        importlib.import_module(module.name)
