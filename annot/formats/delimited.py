"""Reading CSV and TSV as RFC 4180 describes them: quoted fields, doubled quotes, line breaks inside quotes.

Strict about quotes, so that no text is silently changed; a stray quote costs a Problem that names the lines lost. Lines end at LF, CRLF
or CR. A file named .csv whose header has no comma is read with its semicolons or tabs. Must not give meaning to columns.
"""

import csv
import io
import re
from collections.abc import Iterator

from annot.errors import BadInput
from annot.formats.registries import reader
from annot.formats.rows import Problem, Record, Table
from annot.formats.source import LONGEST_RECORD, Source, undecodable
from annot.formats.values import listed, shown

QUOTED = re.compile(rb'"[^"]*"')


@reader("csv", ".csv")
def read_csv(source: Source) -> Table:
    """Open comma-separated text."""
    stream = source.open()
    header = re.split(rb"[\r\n]", QUOTED.sub(b"", stream.peek().lstrip(b"\r\n")), maxsplit=1)[0]
    delimiter = next((sign for sign in ",;\t" if sign.encode() in header), ",")
    return _Delimited(source, stream, delimiter).table()


@reader("tsv", ".tsv")
def read_tsv(source: Source) -> Table:
    """Open tab-separated text, quoted as spreadsheets and pandas write it."""
    return _Delimited(source, source.open(), "\t").table()


class _TooLongError(Exception):
    """The record is longer than is held; it was skipped."""


class _Delimited:
    """Records of one file. csv.reader asks for a further line of a record only inside quotes, which is what tells where one ends."""

    def __init__(self, source: Source, stream: io.BufferedReader, delimiter: str) -> None:
        csv.field_size_limit(max(csv.field_size_limit(), LONGEST_RECORD + 1))  # Global: only ever raised, and bounded by _lines().
        self._source = source
        self._text = source.as_text(stream)
        self._delimiter = delimiter
        self._number = 0  # physical lines taken so far
        self._start = 1  # line the present record starts on
        self._size = 0  # characters of the present record so far
        self._fault = ""  # why the present record cannot be taken
        self._ended = False

    def table(self) -> Table:
        with self._source.faults():
            header = self._header()
        return Table(header, self._records(header))

    def _header(self) -> list[str]:
        name = self._source.name
        try:
            row = next((row for row in self._reader() if row), None)
        except (csv.Error, _TooLongError):
            raise BadInput(f"{name} has no readable header: a quote in its first line is not closed. Is it CSV?") from None
        if row is None:
            raise BadInput(f"{name} is empty. Choose a file with a header and rows.")
        if self._fault:
            raise BadInput(f"{name}, header: {self._fault}")
        header = [column.strip() or f"column {place}" for place, column in enumerate(row, 1)]
        if twice := sorted({column for column in header if header.count(column) > 1}):
            raise BadInput(f"{name} has more than one column named {listed(twice)}. Rename them in its first line.")
        self._next_record()
        return header

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._lines(), delimiter=self._delimiter, strict=True)

    def _next_record(self) -> None:
        self._start, self._size, self._fault = self._number + 1, 0, ""

    def _records(self, header: list[str]) -> Iterator[Record | Problem]:
        width = len(header)
        while not self._ended:
            try:
                for row in self._reader():
                    start = self._source.line = self._start
                    fault = self._fault
                    self._start, self._size, self._fault = self._number + 1, 0, ""
                    if fault:
                        yield Problem(start, fault)
                    elif len(row) == width:
                        yield start, dict(zip(header, row, strict=True))
                    elif row:
                        yield Problem(start, self._misfit(row, header))
            except (csv.Error, _TooLongError) as broken:
                problem = Problem(self._start, self._broken(broken))
                self._next_record()
                yield problem

    def _lines(self) -> Iterator[str]:
        """Yield physical lines to csv.reader. Raises _TooLongError, once past it, for a record that is longer than is held."""
        readline = self._text.readline
        while line := readline(LONGEST_RECORD + 1):
            self._number += 1
            self._size += len(line)
            if not line.isascii() and not self._fault:
                self._check_bytes(line)
            if self._size > LONGEST_RECORD:
                self._skip(line, inside=self._size > len(line))
                raise _TooLongError
            yield line
        self._ended = True

    def _check_bytes(self, line: str) -> None:
        try:
            line.encode()
        except UnicodeEncodeError:
            data = line.encode("utf-8", "surrogateescape")
            try:
                data.decode()
            except UnicodeDecodeError as fault:
                self._fault = undecodable(data, fault.start)
                if self._number > self._start:
                    self._fault = f"Line {self._number}: {self._fault}"

    def _skip(self, line: str, inside: bool) -> None:
        """Go to the end of the record without holding it. It ends with the first line at whose end every quote is closed."""
        while True:
            inside ^= line.count('"') % 2 == 1
            if line.endswith(("\n", "\r")) and not inside:
                return
            whole = line.endswith(("\n", "\r"))
            line = self._text.readline(LONGEST_RECORD)
            if not line:
                self._ended = True
                return
            self._number += whole

    def _misfit(self, row: list[str], header: list[str]) -> str:
        sign = {"\t": "tab", ";": "semicolon"}.get(self._delimiter, "comma")
        advice = f" A text with a {sign} in it needs quotes around it." if len(row) > len(header) else ""
        return f"The row has {len(row)} fields, the header has {len(header)} ({listed(header, 8)}): it begins {shown(row[0])}.{advice}"

    def _broken(self, fault: Exception) -> str:
        lost = f"lines {self._start} to {self._number} were" if self._number > self._start else "the line was"
        if isinstance(fault, _TooLongError):
            cause = "and a quote in it is never closed" if self._ended else "far more than the 1 MB a text may have"
            return f"The record is longer than {LONGEST_RECORD:,} characters, {cause}; {lost} skipped."
        if self._ended:
            return f"A quote that opens here is not closed before the end of the file; {lost} skipped. Close it, or double it."
        if "expected after" in str(fault):
            return f'A quote inside a quoted field is not doubled, or one is not closed; {lost} skipped. Write it as "".'
        return f"This cannot be read as CSV ({fault}); {lost} skipped."
