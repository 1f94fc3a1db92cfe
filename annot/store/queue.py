"""The ranked shortlist and the leases people hold on items. Must not rank: it serves what the ranker wrote, in that order.

A claim is one immediate transaction, so no two people (or tabs) get the same item, and a lease outlives re-rankings and reloads.
"""

import json
import random
from collections.abc import Collection, Sequence
from sqlite3 import Row
from typing import Any

from annot.records import Lease, QueueRow, Ranking, Reason
from annot.store.database import Database
from annot.store.items import SEEN_TO

LEASE = "SELECT l.*, i.text FROM leases l JOIN items i ON i.id = l.item_id "
# An item may go to this person: not already theirs, and not yet with as many people as are asked for.
FREE = """
    NOT EXISTS (SELECT 1 FROM leases l WHERE l.item_id = :item AND l.closed_at IS NULL AND l.expires_at > :now AND l.user_id = :user)
    AND NOT EXISTS (SELECT 1 FROM answers a WHERE a.item_id = :item AND a.user_id = :user)
    AND (SELECT count(DISTINCT a.user_id) FROM answers a WHERE a.item_id = :item AND a.kind = 'label')
      + (SELECT count(*) FROM leases l WHERE l.item_id = :item AND l.closed_at IS NULL AND l.expires_at > :now) < :overlap
"""
# The labels at the last event that a ranking knew of: those now, less the few that came while it was made.
COUNTED = """
SELECT coalesce((SELECT labels FROM label_counts WHERE project_id = :project), 0) - coalesce(sum(
    CASE a.kind WHEN 'label' THEN 1 WHEN 'undo' THEN -(SELECT t.kind = 'label' FROM annotations t WHERE t.uid = a.target) ELSE 0 END), 0)
FROM annotations a JOIN items i ON i.id = a.item_id WHERE a.project_id = :project AND a.id > :last_event AND i.split = 'pool'
"""
FORGET_DONE = """
DELETE FROM queue WHERE project_id = :project AND (
    SELECT count(DISTINCT a.user_id) FROM answers a WHERE a.item_id = queue.item_id AND a.kind = 'label') >= :overlap
"""
RANDOM_TRIES = 50
# So many items a claim looks at one by one: all of a small pool. In a large one where hardly any is free a claim may come back with
# fewer than it wanted, and the next one looks elsewhere; the ranker, where it runs, puts what is left into the queue.
MOST_WALKED = 5000


class Queue:
    def __init__(self, database: Database) -> None:
        self._db = database

    def rewrite(self, project: int, rows: Sequence[QueueRow], ranking: Ranking, last_event: int) -> None:
        """Replace the project's queue and stamp it, in one short transaction. ``ranking.id`` is ignored."""
        with self._db.immediate():
            stamp = self._db.insert(
                "rankings",
                project_id=project,
                model=ranking.model,
                labels=ranking.labels,
                last_event=last_event,
                selector=ranking.selector,
                seconds=ranking.seconds,
                created_at=ranking.created_at,
                pseudo=ranking.pseudo,
                counted=self._db.scalar(COUNTED, {"project": project, "last_event": last_event}),
            )
            self._db.execute("DELETE FROM queue WHERE project_id = ?", (project,))
            self._db.executemany(
                "INSERT INTO queue VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (project, rank, row.item, row.reason, row.score, row.probability, json.dumps(row.guesses), stamp)
                    for rank, row in enumerate(rows)
                ],
            )

    def release(self, project: int, items: Sequence[int], now: float) -> None:
        """Note that the model asked for these audit items itself, so that they are training labels from now on."""
        self._db.executemany("INSERT OR IGNORE INTO released VALUES (?, ?, ?)", [(project, item, now) for item in items])

    def released(self, project: int) -> frozenset[int]:
        return frozenset(row["item_id"] for row in self._db.rows("SELECT item_id FROM released WHERE project_id = ?", (project,)))

    def newest_lease(self) -> int:
        """Return the id of the newest lease of any project: ids only grow."""
        return int(self._db.scalar("SELECT max(id) FROM leases") or 0)

    def taken_since(self, project: int, lease: int, reasons: Collection[Reason]) -> set[int]:
        """Return the items of the leases made after ``lease`` for one of these reasons."""
        rows = self._db.rows("SELECT item_id, reason FROM leases WHERE id > ? AND project_id = ?", (lease, project))
        return {row["item_id"] for row in rows if row["reason"] in reasons}

    def ranking(self, project: int) -> tuple[Ranking, int] | None:
        """Return the newest stamp and the last event it knew of."""
        row = self._db.row("SELECT * FROM rankings WHERE project_id = ? ORDER BY id DESC LIMIT 1", (project,))
        if row is None:
            return None
        stamp = Ranking(row["id"], row["model"], row["labels"], row["selector"], row["seconds"], row["created_at"], row["pseudo"])
        return stamp, row["last_event"]

    def strategies(self, project: int) -> list[tuple[int, str, bool]]:
        """Return (labels, selector, whether pseudo-labels were in use) of the first ranking and of each that changed one of them.

        Goes through all rankings: not for a page.
        """
        sql = (
            "SELECT labels, selector, pseudo FROM (SELECT id, labels, selector, pseudo > 0 AS pseudo, "
            "lag(selector || (pseudo > 0)) OVER (ORDER BY id) AS before FROM rankings WHERE project_id = ?) "
            "WHERE before IS NULL OR before != selector || pseudo ORDER BY id"
        )
        return [(row["labels"], row["selector"], bool(row["pseudo"])) for row in self._db.rows(sql, (project,))]

    def behind(self, project: int) -> int:
        """Count the labels, less undone ones, that the newest ranking did not know of."""
        return int(
            self._db.scalar(
                "SELECT c.labels - r.counted FROM rankings r JOIN label_counts c ON c.project_id = r.project_id "
                "WHERE r.project_id = ? ORDER BY r.id DESC LIMIT 1",
                (project,),
            )
            or 0
        )

    def top(self, project: int, limit: int) -> list[QueueRow]:
        rows = self._db.rows("SELECT * FROM queue WHERE project_id = ? ORDER BY rank LIMIT ?", (project, limit))
        return [QueueRow(row["item_id"], Reason(row["reason"]), row["score"], row["probability"], _guesses(row)) for row in rows]

    def held(self, project: int, now: float) -> list[tuple[int, Reason]]:
        """Return (item id, reason) of every lease that is open and not expired."""
        rows = self._db.rows(
            "SELECT item_id, reason FROM leases WHERE project_id = ? AND closed_at IS NULL AND expires_at > ?", (project, now)
        )
        return [(row["item_id"], Reason(row["reason"])) for row in rows]

    def hold(
        self, project: int, user: int, tab: str, kept: Sequence[int], *, want: int, seconds: float, overlap: int, now: float
    ) -> tuple[list[Lease], list[int]]:
        """Extend the leases a tab still shows and fill it up to ``want`` items.

        Returns the leases new to the tab (its own from before a reload first, then claims in queue order) and those of
        ``kept`` that are no longer its own.
        """
        mine = {"project": project, "user": user, "tab": tab, "now": now}
        with self._db.immediate():
            # An expired lease nobody else took is still this tab's: a laptop that slept goes on where it was.
            mine_open = self._db.rows(
                LEASE + "WHERE l.project_id = :project AND l.user_id = :user AND l.tab = :tab AND l.closed_at IS NULL ORDER BY l.id", mine
            )
            own = {row["id"]: row for row in mine_open if row["expires_at"] > now or self._nobody_elses(row, overlap, now)}
            for row in mine_open:
                if row["id"] not in own:
                    self._db.execute("UPDATE leases SET closed_at = ? WHERE id = ?", (now, row["id"]))
            self._db.executemany("UPDATE leases SET expires_at = ? WHERE id = ?", [(now + seconds, lease) for lease in own])
            fresh = [row for lease, row in own.items() if lease not in set(kept)][: max(0, want - len(kept))]
            stale = [lease for lease in kept if lease not in own]
            missing = want - (len(kept) - len(stale)) - len(fresh)
            claimed = self._claim(mine, missing, seconds, overlap) if missing > 0 else []
        return [_lease(row) for row in (*fresh, *claimed)], stale

    def _nobody_elses(self, row: Row, overlap: int, now: float) -> bool:
        values = {"item": row["item_id"], "user": row["user_id"], "now": now, "overlap": overlap}
        return bool(self._db.scalar(f"SELECT {FREE}", values))

    def _claim(self, mine: dict[str, Any], count: int, seconds: float, overlap: int) -> list[Row]:
        values = {**mine, "expires": mine["now"] + seconds, "overlap": overlap}
        free = FREE.replace(":item", "q.item_id")
        rows = self._db.rows(
            "SELECT q.item_id, q.reason, q.score, q.probability, q.guesses, r.model, r.labels, "
            "CASE WHEN q.reason IN ('audit', 'recheck') THEN NULL ELSE r.selector END AS selector "
            "FROM queue q JOIN rankings r ON r.id = q.ranking_id "
            f"WHERE q.project_id = :project AND {free} ORDER BY q.rank LIMIT :count",
            {**values, "count": count},
        )
        chosen = [dict(row) for row in rows]
        if len(chosen) < count:
            self._db.execute(FORGET_DONE, values)  # or each claim would look at them again
            chosen += self._random(values, count - len(chosen), {row["item_id"] for row in chosen})
        made = []
        for row in chosen:
            lease = self._db.scalar(
                "INSERT INTO leases (project_id, item_id, user_id, tab, reason, score, probability, guesses, model, labels, selector, "
                "created_at, expires_at) VALUES (:project, :item_id, :user, :tab, :reason, :score, :probability, :guesses, "
                ":model, :labels, :selector, :now, :expires) RETURNING id",
                {**values, **row},
            )
            made.append(self._db.row(LEASE + "WHERE l.id = ?", (lease,)))
        return [row for row in made if row is not None]

    def _random(self, values: dict[str, Any], count: int, taken: set[int]) -> list[dict[str, Any]]:
        """Draw free items without a ranking (none yet, or all of it taken), so that nobody ever waits for a model."""
        # Two queries: SQLite answers min() or max() from the index at once, but both together by a scan.
        end = f"(id) FROM items WHERE project_id = :project AND split = 'pool' AND id <= {SEEN_TO}"
        low, high = (self._db.scalar(f"SELECT {name}{end}", values) for name in ("min", "max"))
        if low is None:
            return []
        values = {**values, "high": high}
        found: list[dict[str, Any]] = []
        free = FREE.replace(":item", "i.id")
        pick = f"SELECT i.id FROM items i WHERE i.project_id = :project AND i.split = 'pool' AND i.id BETWEEN :start AND :high AND {free}"
        for _ in range(RANDOM_TRIES):
            if len(found) == count:
                break
            start = random.randint(low, high)
            item = self._db.scalar(pick + " AND i.id < :start + 64 ORDER BY i.id LIMIT 1", {**values, "start": start})
            if item is not None and item not in taken:
                taken.add(item)
                found.append(_unranked(item))
        # The pool is nearly used up, or this project's ids lie far apart: go through it in order, from anywhere and then from its start.
        walk = (
            "SELECT i.id FROM (SELECT id FROM items WHERE project_id = :project AND split = 'pool' AND id BETWEEN :start AND :high "
            f"ORDER BY id LIMIT :most) i WHERE {free} LIMIT :count"
        )
        for start in (random.randint(low, high), low):
            if len(found) < count:
                rows = self._db.rows(walk, {**values, "start": start, "most": MOST_WALKED, "count": count + len(taken)})
                fresh = [row["id"] for row in rows if row["id"] not in taken][: count - len(found)]
                taken.update(fresh)
                found += [_unranked(item) for item in fresh]
        return found


def _unranked(item: int) -> dict[str, Any]:
    nothing = dict.fromkeys(("score", "probability", "selector"))
    return {"item_id": item, "reason": Reason.RANDOM, "guesses": "[]", "model": 0, "labels": 0, **nothing}


def _lease(row: Row) -> Lease:
    return Lease(
        row["id"],
        row["item_id"],
        row["text"],
        Reason(row["reason"]),
        row["score"],
        row["probability"],
        _guesses(row),
        row["model"],
        row["labels"],
        row["expires_at"],
    )


def _guesses(row: Row) -> tuple[tuple[int, float], ...]:
    return tuple((label, chance) for label, chance in json.loads(row["guesses"]))
