"""Where formats register by name: readers and writers. Built-ins register exactly as other code would.

Must not import any one format, or name one.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, BinaryIO

from annot.formats.rows import Table
from annot.formats.source import Source
from annot.registry import Registry

Reader = Callable[[Source], Table]
Writer = Callable[[BinaryIO, Iterable[dict[str, Any]], Sequence[str]], None]

readers: Registry[Reader] = Registry("file format that can be read")
writers: Registry[Writer] = Registry("file format that can be written")
