"""Opening a workspace's SQLite file and running units of work on it: pragmas, migrations, transactions, faults in words.

Must not know any table. A Database is opened where it is used, closed there, and never crosses a thread.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlite_utils

from annot.errors import AnnotError, Busy, WorkspaceError
from annot.store.migrations import SCHEMA_VERSION, migrations

BUSY_SECONDS = 30.0

Values = Sequence[Any] | Mapping[str, Any]


class Database:
    """One connection to one workspace file, migrated before it is handed out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with faults_in_words(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # isolation_level None: every transaction here is opened by immediate(), none by the driver.
            self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            self._writing = False
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self) -> None:
        version = self._version()
        if version != SCHEMA_VERSION:
            self._migrate(version)
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def _migrate(self, version: int) -> None:
        if version > SCHEMA_VERSION:
            raise WorkspaceError(
                f"The workspace {self.path.parent} was written by a newer Annot (schema {version}, this one knows {SCHEMA_VERSION}). "
                "Nothing was changed. Update Annot, or point ANNOT_HOME at another folder."
            )
        self._connection.execute("PRAGMA journal_mode = WAL")
        with self.immediate():
            if self._version() < SCHEMA_VERSION:
                migrations.apply(sqlite_utils.Database(self._connection, execute_plugins=False))
                self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def immediate(self) -> Iterator[None]:
        """Run a unit of work that reads and writes: all of it is durable on exit, none of it on an exception.

        Inside another unit it is a part of that one: an exception undoes the part alone, and durable is what the whole becomes.
        """
        if self._writing:
            with self._part():
                yield
            return
        with faults_in_words(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            self._writing = True
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._writing = False

    @contextmanager
    def _part(self) -> Iterator[None]:
        if not self._connection.in_transaction:  # a savepoint would begin a transaction of its own
            raise sqlite3.OperationalError("SQLite has rolled back the unit of work that this is a part of")
        self._connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO part")
                self._connection.execute("RELEASE part")
            raise
        self._connection.execute("RELEASE part")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Run several reads that must see the same state."""
        with faults_in_words(self.path):
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("COMMIT")

    def use_memory(self, megabytes: int) -> None:
        """Let this connection hold so much of the file in memory, where SQLite's 2 MB are too few."""
        self.execute(f"PRAGMA cache_size = {-1024 * megabytes}")

    def execute(self, sql: str, values: Values = ()) -> sqlite3.Cursor:
        with faults_in_words(self.path):
            return self._connection.execute(sql, values)

    def executemany(self, sql: str, rows: Any) -> int:
        """Return how many rows were inserted or changed."""
        with faults_in_words(self.path):
            return self._connection.executemany(sql, rows).rowcount

    def rows(self, sql: str, values: Values = ()) -> list[sqlite3.Row]:
        return self.execute(sql, values).fetchall()

    def row(self, sql: str, values: Values = ()) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self.execute(sql, values).fetchone()
        return found

    def scalar(self, sql: str, values: Values = ()) -> Any:
        found = self.row(sql, values)
        return None if found is None else found[0]

    def insert(self, table: str, **values: Any) -> int:
        """Insert one row and return its id."""
        marks = ", ".join("?" for _ in values)
        cursor = self.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))
        return int(cursor.lastrowid or 0)

    def close(self) -> None:
        self._connection.close()


@contextmanager
def faults_in_words(path: Path) -> Iterator[None]:
    """Turn the faults a person can mend (disk full, read-only, locked, damaged) into errors that say how."""
    try:
        yield
    except (sqlite3.Error, OSError) as fault:
        told = _in_words(fault, path)
        if told is None:
            raise
        raise told from fault


def _in_words(fault: Exception, path: Path) -> AnnotError | None:
    text = str(fault)
    number = fault.errno if isinstance(fault, OSError) else None
    if number == errno.ENOSPC or "database or disk is full" in text:
        return WorkspaceError(f"The disk that holds {path.parent} is full. Nothing was saved just now; free some space and try again.")
    if number in (errno.EROFS, errno.EACCES, errno.EPERM) or "readonly database" in text or "unable to open database" in text:
        return WorkspaceError(f"The workspace {path.parent} cannot be written (is it read-only, or owned by another account?).")
    if isinstance(fault, FileNotFoundError):
        return WorkspaceError(f"The workspace {path.parent} cannot be made there. Point ANNOT_HOME at another folder.")
    if isinstance(fault, FileExistsError | NotADirectoryError):
        return WorkspaceError(
            f"The workspace {path.parent} is not a folder. Move what is there away, or point ANNOT_HOME at another folder."
        )
    if "database is locked" in text:
        return Busy(f"Another process kept {path.name} locked for over {BUSY_SECONDS:.0f} s. Try again.")
    if "not a database" in text or "malformed" in text:
        return WorkspaceError(f"{path} is damaged or is not an Annot database. Restore a copy, or point ANNOT_HOME at another folder.")
    if "disk I/O error" in text:
        free = os.access(path.parent, os.W_OK)
        return WorkspaceError(f"Reading or writing {path} failed{'' if free else ': the folder is not writable'}. Check the disk.")
    return None
