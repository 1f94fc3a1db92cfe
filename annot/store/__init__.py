"""Everything a workspace remembers, behind one object: ``with Store(path) as store: store.answers.record(...)``.

All SQL of Annot is in this package, and only this package imports sqlite_utils. It must not import anything of Annot but
records, errors and settings, and it decides nothing: which item to ask or whether to publish is the loop's business.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from annot.store.accounts import Accounts
from annot.store.answers import Answers
from annot.store.database import Database
from annot.store.items import Items
from annot.store.jobs import Jobs
from annot.store.projects import Projects
from annot.store.queue import Queue
from annot.store.reports import Reports
from annot.store.runs import Runs
from annot.store.twins import Twins

__all__ = ["Store"]


class Store:
    """One open workspace database; its attributes are the nouns, their methods the verbs. Use it in the thread that made it."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path)
        self.accounts = Accounts(self._database)
        self.projects = Projects(self._database)
        self.items = Items(self._database)
        self.answers = Answers(self._database)
        self.queue = Queue(self._database)
        self.jobs = Jobs(self._database)
        self.runs = Runs(self._database)
        self.reports = Reports(self._database)
        self.twins = Twins(self._database)

    @contextmanager
    def unit(self) -> Iterator[None]:
        """Let several writes become durable together, or none of them; a unit inside a unit fails alone."""
        with self._database.immediate():
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let several reads see one state."""
        with self._database.snapshot():
            yield

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
