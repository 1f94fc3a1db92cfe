"""Items: taking them in from an import, finding them, reading their texts. Texts are stored exactly as they came.

An import is staged in short transactions and becomes visible in one. Ids only grow and a project takes one import at a time, so what it
staged lies beyond all its other items: a mark in the project, `imported_to`, hides it from every query until it is moved. What a killed
import left is removed when the next one starts. Must not parse files or hash texts: the caller brings both.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from sqlite3 import Row
from typing import Any

from annot.errors import Busy
from annot.records import Item, Split
from annot.store.database import Database

IMPORT_PATIENCE_S = 60.0
# Ids are in no order, so an import touches all of their index: it should fit.
IMPORT_CACHE_MB = 64
CLEARED_AT_ONCE = 5000
# Matches that a search ranks; ranking all of a word in each of 300,000 texts took 420 ms, of 1,000 of them 40.
MOST_COMPARED = 1000
# Items of the project beyond this id are still being imported.
SEEN_TO = "(SELECT imported_to FROM projects WHERE id = :project)"
STAGED = """
SELECT i.id FROM imports m JOIN projects p ON p.id = m.project_id
JOIN items i ON i.project_id = p.id AND i.split IN ('pool', 'test') AND i.id > p.imported_to AND i.import_id = m.id
WHERE m.id = ? AND m.state = 'clearing'
"""
REVEAL = """
UPDATE projects SET imported_to = max(
    coalesce((SELECT max(id) FROM items WHERE project_id = projects.id AND split = 'pool'), 0),
    coalesce((SELECT max(id) FROM items WHERE project_id = projects.id AND split = 'test'), 0)
) WHERE id = (SELECT project_id FROM imports WHERE id = ?)
"""


# Counting an import's labels one by one, as a person's are, would add to the time that it keeps everybody waiting.
COUNT_LABELS = """
INSERT INTO tallies SELECT project_id, split, 'label', 'is', 'imported', label, sum(items) FROM (
    SELECT DISTINCT said.*, named.value AS label FROM (
        SELECT m.project_id, s.split, s.labels, count(*) AS items FROM imports m JOIN staging s ON s.import_id = m.id WHERE m.id = ?
        GROUP BY s.split, s.labels
    ) said JOIN json_each(json_insert(said.labels, '$[#]', 0)) named
) GROUP BY split, label
ON CONFLICT DO UPDATE SET answers = answers + excluded.answers
"""


@dataclass(frozen=True, slots=True)
class NewItem:
    """One row of an import; ``labels`` are label ids that came with the file, None when it says nothing."""

    external_id: str
    text: str
    hash: bytes
    split: Split
    metadata: dict[str, Any]
    labels: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class ImportState:
    id: int
    filename: str
    state: str
    pool: int
    test: int
    known: int
    refused: int
    done: int
    total: int
    created_at: float


class Items:
    def __init__(self, database: Database) -> None:
        self._db = database

    def start_import(self, project: int, filename: str, total: int, now: float) -> int:
        """Open an import after clearing what a killed one left. Raises Busy while another one is alive."""
        self._db.use_memory(IMPORT_CACHE_MB)
        while True:
            with self._db.immediate():
                dead = self._dead_imports(project, now)
                if not dead:
                    return self._db.insert(
                        "imports", project_id=project, filename=filename, state="running", total=total, created_at=now, heartbeat_at=now
                    )
            for import_id in dead:
                self.abandon_import(import_id)

    def _dead_imports(self, project: int, now: float) -> list[int]:
        rows = self._db.rows(
            "SELECT id, filename, state, heartbeat_at FROM imports WHERE project_id = ? AND state IN ('running', 'clearing')", (project,)
        )
        for row in rows:
            if row["state"] == "running" and now - row["heartbeat_at"] < IMPORT_PATIENCE_S:
                raise Busy(
                    f"{row['filename']} is being imported into this project right now. Wait for it to end"
                    f" (if it was stopped just now, for {IMPORT_PATIENCE_S:.0f} seconds), then try again."
                )
        return [row["id"] for row in rows]

    def stage(self, project: int, import_id: int, batch: Sequence[NewItem], done: int, now: float) -> list[tuple[int, bool]]:
        """Store a batch out of sight. Return the places in the batch that were known already, and whether with the same text."""
        with self._db.immediate():
            self._still_running(import_id)
            first = 1 + (self._db.scalar("SELECT max(id) FROM items") or 0)
            stored = self._db.executemany(
                "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (project_id, external_id) DO NOTHING",
                [
                    (number, project, item.external_id, item.text, item.hash, _as_json(item.metadata), item.split, import_id)
                    for number, item in enumerate(batch, first)
                ],
            )
            seen = self._seen(project, batch, first) if stored < len(batch) else {}
            test = sum(item.split is Split.TEST for place, item in enumerate(batch) if place not in seen)
            self._db.executemany(
                "INSERT INTO staging VALUES (?, ?, ?, ?)",
                [
                    (first + place, import_id, item.split, json.dumps(item.labels))
                    for place, item in enumerate(batch)
                    if item.labels is not None and place not in seen
                ],
            )
            self._db.execute("INSERT INTO items_fts (rowid, text) SELECT id, text FROM items WHERE id >= ?", (first,))
            self._db.execute(
                "UPDATE imports SET done = ?, heartbeat_at = ?, pool = pool + ?, test = test + ? WHERE id = ?",
                (done, now, stored - test, test, import_id),
            )
        return list(seen.items())

    def _seen(self, project: int, batch: Sequence[NewItem], first: int) -> dict[int, bool]:
        """Return the places in the batch that found their id taken, and whether by the same text."""
        stored = {row["id"] for row in self._db.execute("SELECT id FROM items WHERE id >= ?", (first,))}
        places = [place for place in range(len(batch)) if first + place not in stored]
        # CROSS JOIN fixes the order: the planner would rather go through every item of the project.
        hashes = dict(
            self._db.execute(
                "SELECT i.external_id, i.hash FROM json_each(?) w CROSS JOIN items i ON i.project_id = ? AND i.external_id = w.value",
                (json.dumps([batch[place].external_id for place in places]), project),
            ).fetchall()
        )
        return {place: hashes[batch[place].external_id] == batch[place].hash for place in places}

    def finish_import(self, import_id: int, importer: int, known: int, refused: int, now: float) -> ImportState:
        """Make the staged items, and the labels that came with them, visible at once. Raises Busy where another import took over."""
        with self._db.immediate():
            self._still_running(import_id)
            self._db.execute(REVEAL, (import_id,))
            self._db.execute(
                "INSERT INTO annotations (uid, project_id, item_id, user_id, kind, relation, labels, reason, at) "
                "SELECT 'import-' || i.id, i.project_id, i.id, ?, 'label', 'is', s.labels, 'imported', ? "
                "FROM staging s JOIN items i ON i.id = s.item_id WHERE s.import_id = ? ORDER BY i.id",
                (importer, now, import_id),
            )
            self._db.execute(COUNT_LABELS, (import_id,))
            self._db.execute("DELETE FROM staging WHERE import_id = ?", (import_id,))
            self._db.execute(
                "UPDATE imports SET state = 'done', known = ?, refused = ?, done = total, heartbeat_at = ? WHERE id = ?",
                (known, refused, now, import_id),
            )
        return self.import_state(import_id)

    def _still_running(self, import_id: int) -> None:
        if self._db.scalar("SELECT state FROM imports WHERE id = ?", (import_id,)) != "running":
            raise Busy("This import stood still for so long that another one cleared it away. Start it again.")

    def abandon_import(self, import_id: int) -> None:
        """Take away what an import staged, in transactions so short that nobody's label waits for long."""
        with self._db.immediate():
            self._db.execute("UPDATE imports SET state = 'clearing' WHERE id = ? AND state = 'running'", (import_id,))
        while self._clear_some(import_id):
            pass

    def _clear_some(self, import_id: int) -> bool:
        with self._db.immediate():
            rows = self._db.rows(STAGED + f"LIMIT {CLEARED_AT_ONCE}", (import_id,))
            if not rows:
                done = "UPDATE imports SET state = 'abandoned', pool = 0, test = 0 WHERE id = ? AND state = 'clearing'"
                self._db.execute(done, (import_id,))
                return False
            ids = json.dumps([row["id"] for row in rows])
            some = "IN (SELECT value FROM json_each(?))"
            self._db.execute(f"INSERT INTO items_fts (items_fts, rowid, text) SELECT 'delete', id, text FROM items WHERE id {some}", (ids,))
            self._db.execute(f"DELETE FROM staging WHERE item_id {some}", (ids,))
            self._db.execute(f"DELETE FROM items WHERE id {some}", (ids,))
        return True

    def import_state(self, import_id: int) -> ImportState:
        row = self._db.row("SELECT * FROM imports WHERE id = ?", (import_id,))
        assert row is not None, f"import {import_id} vanished"
        return _import(row)

    def imports(self, project: int) -> list[ImportState]:
        return [_import(row) for row in self._db.rows("SELECT * FROM imports WHERE project_id = ? ORDER BY id DESC", (project,))]

    def count(self, project: int, split: Split) -> int:
        """Count from the import records, so that it costs the same at any pool size."""
        return int(
            self._db.scalar(f"SELECT coalesce(sum({split.value}), 0) FROM imports WHERE project_id = ? AND state = 'done'", (project,))
        )

    def hashes(self, project: int, split: Split, after: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield (item id, content hash) in id order, from the items beyond ``after``; reads only an index."""
        for row in self._db.execute(
            f"SELECT id, hash FROM items WHERE project_id = :project AND split = :split AND id > :after AND id <= {SEEN_TO} ORDER BY id",
            {"project": project, "split": split, "after": after},
        ):
            yield row[0], row[1]

    def newest_import_from(self, project: int) -> int | None:
        """Return the id from which on items came by the newest finished import that brought some, None where there was one or none.

        Goes through the project's items of that import: not for a page.
        """
        rows = self._db.rows(
            "SELECT id FROM imports WHERE project_id = ? AND state = 'done' AND pool > 0 ORDER BY id DESC LIMIT 2", (project,)
        )
        if len(rows) < 2:
            return None
        first = self._db.scalar(
            "SELECT min(id) FROM items WHERE project_id = ? AND split = 'pool' AND import_id = ?", (project, rows[0]["id"])
        )
        return None if first is None else int(first)

    def newest_id(self, project: int, split: Split) -> int:
        sql = f"SELECT max(id) FROM items WHERE project_id = :project AND split = :split AND id <= {SEEN_TO}"
        return int(self._db.scalar(sql, {"project": project, "split": split}) or 0)

    def texts(self, ids: Sequence[int]) -> list[str]:
        """Return the texts in the order of ``ids``; the ids must exist."""
        found = dict(
            self._db.execute("SELECT id, text FROM items WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(ids)),)).fetchall()
        )
        return [found[one] for one in ids]

    def several(self, ids: Sequence[int]) -> dict[int, Item]:
        """Return the items by their ids."""
        rows = self._db.rows("SELECT * FROM items WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(ids)),))
        return {row["id"]: _item(row) for row in rows}

    def get(self, project: int, item: int) -> Item | None:
        sql = f"SELECT * FROM items WHERE id = :item AND project_id = :project AND id <= {SEEN_TO}"
        row = self._db.row(sql, {"item": item, "project": project})
        return _item(row) if row else None

    def page(self, project: int, limit: int, before: int | None = None) -> list[Item]:
        """Return the newest items first, those with an id below ``before``."""
        # Going down the ids themselves would pass over every newer item of other projects.
        newest = f"id < min(:before, 1 + {SEEN_TO}) ORDER BY id DESC LIMIT :limit"  # one bound, since an index takes but one
        either = " UNION ALL ".join(
            f"SELECT * FROM (SELECT id FROM items WHERE project_id = :project AND split = '{split}' AND {newest})" for split in Split
        )
        rows = self._db.rows(
            f"SELECT i.* FROM ({either}) n JOIN items i ON i.id = n.id ORDER BY i.id DESC LIMIT :limit",
            {"project": project, "before": before or 2**62, "limit": limit},
        )
        return [_item(row) for row in rows]

    def search(self, project: int, words: str, limit: int) -> list[Item]:
        """Return items that hold every word (or its beginning), best match first; the words are never read as query syntax.

        Of very common words the newest items only are compared.
        """
        terms = " ".join('"' + word.replace('"', '""') + '"*' for word in words.replace("\0", " ").split())
        if not terms:
            return []
        values = {"terms": terms, "project": project, "limit": limit, "most": max(limit, MOST_COMPARED)}
        rows = self._db.rows(
            "SELECT i.* FROM (SELECT f.rowid AS id, f.rank AS fit FROM items_fts f JOIN items i ON i.id = f.rowid "
            f"WHERE items_fts MATCH :terms AND f.rowid <= {SEEN_TO} AND i.project_id = :project ORDER BY f.rowid DESC "
            "LIMIT :most) compared JOIN items i ON i.id = compared.id ORDER BY compared.fit LIMIT :limit",
            values,
        )
        return [_item(row) for row in rows]


def _as_json(metadata: dict[str, Any]) -> str:
    return json.dumps(metadata, ensure_ascii=False) if metadata else "{}"


def _item(row: Row) -> Item:
    return Item(row["id"], row["external_id"], row["text"], Split(row["split"]), json.loads(row["metadata"]))


def _import(row: Row) -> ImportState:
    return ImportState(*(row[name] for name in ImportState.__slots__))
