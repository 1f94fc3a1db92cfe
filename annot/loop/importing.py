"""Taking a file into a project: read, check, stage, then make all of it visible at once.

Memory is bounded by the batch. Must not parse: annot.formats does; and must not start encoding: it asks for the job.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from annot import formats
from annot.errors import BadInput
from annot.records import Project, Split
from annot.store import Store
from annot.store.items import NewItem
from annot.vectors import content_hash

# A commit writes most pages of the index of ids, whatever the size of a batch; annotators wait for one (a third of a second).
BATCH = 20_000
BATCH_CHARACTERS = 16_000_000
KEPT_PROBLEMS = 1000
LONGEST_ID = 500


@dataclass(slots=True)
class Report:
    """What became of a file's rows. ``problems`` holds the first thousand as (line, reason); ``refused`` counts them all, ``labelled``
    the new items that came with labels."""

    filename: str
    pool: int = 0
    test: int = 0
    labelled: int = 0
    known: int = 0
    refused: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)

    @property
    def words(self) -> str:
        """What became of the rows, in one line."""
        with_labels = f", {self.labelled:,} of them with labels that count as answers" if self.labelled else ""
        added = f"{self.pool + self.test:,} added ({self.pool:,} pool, {self.test:,} test{with_labels})"
        return f"{added}, {self.known:,} known already, {self.refused:,} refused"

    def note(self, line: int, reason: str) -> None:
        self.refused += 1
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append((line, reason))


def import_file(
    store: Store,
    project: Project,
    path: Path,
    mapping: formats.Mapping,
    *,
    split: Split | None = None,
    strict: bool = False,
    filename: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Import a file and ask for its encoding. Calls ``on_progress(bytes read, bytes in all)`` once a batch.

    ``split`` is the split of rows that do not say theirs; the pool when None.

    Raises BadInput when the file cannot be read at all or, if ``strict``, at its first bad row; then nothing of it is kept.
    """
    report = Report(filename or path.name)
    size = path.stat().st_size if path.is_file() else 0
    importer = store.accounts.importer(time.time())
    taking = _Taking(store, project, report, store.items.start_import(project.id, report.filename, size, time.time()), strict, split)
    try:
        read_bytes = [0]
        rows = formats.read(path, mapping, on_bytes=lambda n: read_bytes.__setitem__(0, n))
        for row in rows:
            taking.take(row)
            if taking.full:
                taking.flush(read_bytes[0])
                if on_progress:
                    on_progress(read_bytes[0], size)
        taking.flush(size)
        state = store.items.finish_import(taking.import_id, importer.id, report.known, report.refused, time.time())
    except BaseException:
        store.items.abandon_import(taking.import_id)
        raise
    report.pool, report.test = state.pool, state.test
    if on_progress:
        on_progress(size, size)
    store.jobs.ask(project.id, "encode", time.time())
    return report


class _Taking:
    """The rows of one import on their way from the reader to the store."""

    def __init__(self, store: Store, project: Project, report: Report, import_id: int, strict: bool, split: Split | None) -> None:
        self._store, self._project, self._report, self._strict = store, project, report, strict
        self._split = split or Split.POOL
        self.import_id = import_id
        self.batch: list[NewItem] = []
        self._lines: list[int] = []
        self._labels = {label.name: label.id for label in store.projects.labels(project.id)}
        self._titles = {label.title: label.id for label in store.projects.labels(project.id)}
        self._characters = 0
        self._repeats: dict[bytes, int] = {}

    @property
    def full(self) -> bool:
        return len(self.batch) >= BATCH or self._characters >= BATCH_CHARACTERS

    def take(self, row: formats.Row | formats.Problem) -> None:
        if isinstance(row, formats.Problem):
            return self._refuse(row.line, row.reason)
        labels: list[int] = []
        for name in row.labels:
            label = self._labels.get(name) or self._titles.get(name)
            if label is None:
                known = ", ".join(sorted(self._labels)[:20]) or "none yet"
                return self._refuse(row.line, f"The label {name[:80]!r} is not in the project's label set ({known}).")
            labels.append(label)
        if self._project.exclusive and len(labels) > 1:
            return self._refuse(row.line, f"This project takes one label per item, the row has {len(labels)}.")
        if row.external_id is not None and len(row.external_id) > LONGEST_ID:
            return self._refuse(row.line, f"The id is longer than {LONGEST_ID} characters.")
        key = content_hash(row.text)
        split = Split(row.split) if row.split else self._split
        given = row.external_id if row.external_id else self._derived_id(key)
        self.batch.append(NewItem(given, row.text, key, split, row.metadata, tuple(labels) if labels else None))
        self._lines.append(row.line)
        self._characters += len(row.text)
        return None

    def _derived_id(self, key: bytes) -> str:
        """Name a row without an id by its content, and by how often that content came before in the file."""
        repeat = self._repeats.get(key, 0)
        self._repeats[key] = repeat + 1
        return f"sha-{key.hex()}" + (f"-{repeat + 1}" if repeat else "")

    def flush(self, done: int) -> None:
        seen = self._store.items.stage(self._project.id, self.import_id, self.batch, done, time.time())
        fresh = set(range(len(self.batch))) - {place for place, _ in seen}
        self._report.labelled += sum(self.batch[place].labels is not None for place in fresh)
        for place, same in seen:
            if same:
                self._report.known += 1
            else:
                given = self.batch[place].external_id[:80]
                self._refuse(self._lines[place], f"The id {given!r} is already taken by another text. Give this row another id.")
        self.batch, self._lines, self._characters = [], [], 0

    def _refuse(self, line: int, reason: str) -> None:
        if self._strict:
            raise BadInput(f"{self._report.filename}, line {line}: {reason} Nothing was imported (--strict).")
        self._report.note(line, reason)
