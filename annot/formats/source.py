"""Opening a file that somebody brought: decompressed, checked for what it plainly is not.

Must not parse: it hands bytes to a reader. Whatever cannot be used as a whole file is a BadInput that says what to do.
"""

import gzip
import io
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from annot.errors import BadInput, WorkspaceError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BUFFER = 2**18
UNPACKED = 2**16  # bytes; so many may be lost before damage is met
LONGEST_RECORD = 8_000_000  # characters of CSV, bytes of JSON; what is longer is skipped without being held

BOM = b"\xef\xbb\xbf"
GZIP = b"\x1f\x8b"
NOT_TEXT = {
    b"\xff\xfe": "is encoded as UTF-16. Save it as UTF-8 and try again.",
    b"\xfe\xff": "is encoded as UTF-16. Save it as UTF-8 and try again.",
    GZIP: "is compressed with gzip. Add .gz to its name and try again.",
    b"PK\x03\x04": "is a zip archive or a spreadsheet. Save the table as CSV (UTF-8) and try again.",
    b"PAR1": "is a Parquet file. End its name in .parquet and try again.",
}


class Source:
    """One file being read, as a context. ``on_bytes`` is told how many bytes of the file (as it lies on disk) were taken in."""

    def __init__(self, path: Path, on_bytes: Callable[[int], None] | None = None) -> None:
        self.path = Path(path)
        self.name = self.path.name
        self.gzipped = self.name.lower().endswith(".gz")
        self.on_bytes = on_bytes
        self.line = 0  # where reading has got to, for what is said of a damaged file
        self._stack = ExitStack()

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def open(self) -> io.BufferedReader:
        """Return the decompressed bytes after any byte order mark. Raises BadInput for what is no UTF-8 text file."""
        stream = self._decompressed(self.on_bytes)
        with self.faults():
            head = stream.peek(4)[:4]
        if not head:
            raise BadInput(f"{self.name} is empty. Choose a file with a header and rows.")
        for magic, advice in NOT_TEXT.items():
            if head.startswith(magic):
                raise BadInput(f"{self.name} {advice}")
        if b"\0" in head[:2]:
            raise BadInput(f"{self.name} looks like UTF-16. Save it as UTF-8 and try again.")
        if head.startswith(BOM):
            stream.read(len(BOM))
        return stream

    def as_text(self, stream: io.BufferedReader) -> io.TextIOWrapper:
        """Return the stream as text: line ends as they are, each byte that is not UTF-8 as a lone surrogate."""
        return self._stack.enter_context(io.TextIOWrapper(stream, "utf-8", "surrogateescape", newline=""))

    def local(self) -> Path:
        """Return a path to the decompressed file, for formats that need to jump about in it; a copy is removed afterwards."""
        stream = self._decompressed(None)
        with self.faults():
            if not stream.peek(1):
                raise BadInput(f"{self.name} is empty. Choose a file with rows.")
        if not self.gzipped:
            return self.path
        try:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="annot-"))
            copy = Path(folder) / "unpacked"
            with copy.open("wb") as out:
                for part in self._parts(stream):
                    out.write(part)
        except OSError as fault:
            raise WorkspaceError(
                f"{self.name} cannot be unpacked into {tempfile.gettempdir()}: {fault.strerror}. Make room there."
            ) from fault
        return copy

    def _parts(self, stream: io.BufferedReader) -> Iterator[bytes]:
        with self.faults():
            while part := stream.read(BUFFER):
                yield part

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Turn what a damaged file makes its readers raise into BadInput."""
        try:
            yield
        except gzip.BadGzipFile as fault:
            if not self.line:
                raise BadInput(f"{self.name} is not compressed with gzip, or its beginning is damaged. Compress it again.") from fault
            raise BadInput(self._damaged()) from fault
        except (EOFError, zlib.error) as fault:
            raise BadInput(self._damaged()) from fault
        except OSError as fault:
            raise BadInput(f"{self.path} cannot be read any further: {fault.strerror}.") from fault

    def _damaged(self) -> str:
        where = f"after line {self.line}" if self.line else "near its beginning"
        return f"{self.name} is damaged {where}: the compressed data cannot be unpacked. Copy or compress it again."

    def _decompressed(self, on_bytes: Callable[[int], None] | None) -> io.BufferedReader:
        if self.path.is_dir():
            raise BadInput(f"{self.path} is a folder. Choose a file.")
        if self.path.exists() and not self.path.is_file():
            raise BadInput(f"{self.path} is not an ordinary file. Save it as one.")
        try:
            raw = _Counted(self.path, on_bytes)
        except FileNotFoundError:
            raise BadInput(f"There is no file {self.path}.") from None
        except OSError as fault:
            raise BadInput(f"{self.path} cannot be read: {fault.strerror}.") from fault
        stream: io.BufferedReader = self._stack.enter_context(io.BufferedReader(raw, BUFFER))
        if not self.gzipped:
            return stream
        unpacked: Any = gzip.GzipFile(fileobj=stream, mode="rb")
        return self._stack.enter_context(io.BufferedReader(unpacked, UNPACKED))


class _Counted(io.FileIO):
    """A file that says how much of it was read, once a buffer."""

    def __init__(self, path: Path, on_bytes: Callable[[int], None] | None) -> None:
        super().__init__(path)
        self._done = 0
        self._on_bytes = on_bytes

    def readinto(self, buffer: "WriteableBuffer", /) -> int | None:
        count = super().readinto(buffer)
        if count and self._on_bytes:
            self._done += count
            self._on_bytes(self._done)
        return count


def undecodable(data: bytes, place: int) -> str:
    """Say which byte is not UTF-8; ``place`` counts from the start of the line, from 0."""
    return f"Byte {place + 1} of the line is 0x{data[place]:02x}, which is not UTF-8 here. Save the file as UTF-8."
