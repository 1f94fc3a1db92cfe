"""Writing rows to CSV and JSON Lines, streamed; a file appears whole or not at all.

Text leaves unchanged: also NUL, line breaks, right-to-left marks, and a leading ``=``, ``+``, ``-`` or ``@``, which a spreadsheet may run
as a formula. Guarding against that would alter the text; in a spreadsheet, import an export with all columns typed as text.
Must not choose columns or rows.
"""

import contextlib
import csv
import gzip
import io
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from annot.errors import BadInput
from annot.formats.registries import Outgoing, writer, writers
from annot.formats.values import plain

Rows = Iterable[dict[str, Any]]


def write(
    format: str, target: Path | str | BinaryIO, rows: Rows, *, columns: Sequence[str] | None = None, labels: Sequence[str] = ()
) -> int:
    """Write rows to a path or a binary stream and return how many; a path ending in .gz is compressed.

    The columns are the first row's keys unless given; every row must have just these. ``labels`` are the names of all labels, for
    formats that name them. A path is replaced only once all is written; a stream is left open. Raises UnknownName for the format,
    BadInput where the path cannot be written.
    """
    chosen = writers.get(format).write
    first, rows = _peek(rows)
    names = list(columns if columns is not None else first)
    counted = _Counted(rows)
    outgoing = Outgoing(counted, names, labels)
    try:
        if isinstance(target, Path | str):
            with replacing(Path(target)) as stream:
                chosen(stream, outgoing)
        else:
            chosen(target, outgoing)
    except UnicodeEncodeError as fault:
        raise BadInput(f"Row {counted.number} holds half a character (a lone surrogate), which UTF-8 cannot hold.") from fault
    return counted.number


@writer("csv", ".csv")
def write_csv(stream: BinaryIO, out: Outgoing) -> None:
    """Write RFC 4180: CRLF, quotes where needed; lists and objects as JSON, nothing for None."""
    with _as_text(stream) as text:
        lines = csv.writer(text)
        if out.columns:
            lines.writerow(out.columns)
        for row in out.rows:
            if row.keys() != set(out.columns):
                raise ValueError(f"a row has the columns {list(row)}, expected {list(out.columns)}")
            lines.writerow([_cell(row[name]) for name in out.columns])


@writer("jsonl", ".jsonl")
def write_jsonl(stream: BinaryIO, out: Outgoing) -> None:
    """Write one JSON object a line, UTF-8; NaN and infinities as null."""
    with _as_text(stream) as text:
        for row in out.rows:
            try:
                line = json.dumps(row, ensure_ascii=False, allow_nan=False)
            except ValueError:
                line = json.dumps(plain(row), ensure_ascii=False)
            text.write(line + "\n")


def _cell(value: Any) -> Any:
    if isinstance(value, list | tuple | dict | bool):
        return json.dumps(plain(value), ensure_ascii=False)
    return value


class _Counted:
    """Rows that count themselves as they go by."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.number = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for row in self._rows:
            self.number += 1
            yield row


def _peek(rows: Rows) -> tuple[dict[str, Any], Rows]:
    left = iter(rows)
    first = next(left, None)
    return ({}, ()) if first is None else (first, itertools.chain([first], left))


@contextlib.contextmanager
def _as_text(stream: BinaryIO) -> Iterator[io.TextIOWrapper]:
    text = io.TextIOWrapper(stream, "utf-8", newline="")
    try:
        yield text
        text.flush()
    finally:
        with contextlib.suppress(OSError, UnicodeError):
            text.detach()


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a new file beside ``path`` and put it in its place at the end; after an error nothing is left of it. Raises BadInput."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with fresh.open("wb") as file:
            if path.name.endswith(".gz"):
                with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                    yield packed  # type: ignore[misc]
            else:
                yield file
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as fault:
        raise BadInput(f"{path} cannot be written: {fault.strerror or fault}. Choose another place.") from fault
    finally:
        with contextlib.suppress(OSError):  # also where its folder is none
            fresh.unlink()
