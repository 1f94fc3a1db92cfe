"""Files in, rows out, and rows out to files; each also compressed with gzip. A new format is a new file here.

Reading streams: memory is bounded by one record (one batch for Parquet), not by the file. What is wrong with one record is a Problem
with its line, and reading goes on; what is wrong with the file is a BadInput. Must not know the store, a project, or pandas.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from annot.formats.registries import Outgoing, reader, reader_of, readers, suffixes, writer, writer_of, writers
from annot.formats.rows import LONGEST_TEXT, Mapping, Problem, Row, Table, check, guess, is_prose, to_row
from annot.formats.source import Source
from annot.formats.writing import replacing, write
from annot.registry import load

load(__name__)

__all__ = [
    "LONGEST_TEXT",
    "Mapping",
    "Outgoing",
    "Problem",
    "Row",
    "columns",
    "guess",
    "is_prose",
    "preview",
    "read",
    "reader",
    "reader_of",
    "readers",
    "replacing",
    "suffixes",
    "write",
    "writer",
    "writer_of",
    "writers",
]

PREVIEW_CHARS = 500


def columns(path: Path) -> list[str]:
    """Return the names of the file's columns. Raises BadInput where it cannot be read."""
    with Source(path) as source:
        return _table(source).columns


def preview(path: Path, n: int) -> list[dict[str, Any]]:
    """Return the first ``n`` readable records as column to value, long strings cut at 500 characters. Raises BadInput."""
    found: list[dict[str, Any]] = []
    with Source(path) as source:
        table = _table(source)
        with source.faults():
            for record in table.records:
                if len(found) >= n:
                    break
                if not isinstance(record, Problem):
                    found.append({name: _cut(record[1].get(name)) for name in table.columns})
    return found


def read(path: Path, mapping: Mapping, on_bytes: Callable[[int], None] | None = None) -> Iterator[Row | Problem]:
    """Yield the file's rows in order, and a Problem for each record that cannot be taken; blank lines are passed over.

    ``on_bytes`` is told now and then how many bytes of the file were read. Raises BadInput, on the first ``next`` where the file or
    the mapping cannot be used at all, and later where the file turns out to be damaged.
    """
    with Source(path, on_bytes) as source:
        table = _table(source)
        check(mapping, table.columns, source.name)
        with source.faults():
            for record in table.records:
                if type(record) is Problem:
                    yield record
                else:
                    line, values = record  # type: ignore[misc]
                    yield to_row(line, values, mapping)


def _table(source: Source) -> Table:
    return readers.get(reader_of(source.path)).open(source)


def _cut(value: Any) -> Any:
    return value[:PREVIEW_CHARS] + " …" if isinstance(value, str) and len(value) > PREVIEW_CHARS else value
