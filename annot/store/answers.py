"""Annotation events, append-only, and the queries that say what they amount to now.

Must not change or delete an event. What an item's labels are is always the `answers` view over the events.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from sqlite3 import Row

from annot.records import Answer, Event, Kind, Reason, Relation, Split
from annot.store.database import Database
from annot.store.items import SEEN_TO

CURRENT = """
SELECT a.id, a.uid, a.item_id, i.external_id, u.name AS user, a.kind, a.labels, a.relation, a.note, a.at, a.seconds,
       a.suggestion, a.copy_of, i.split,
       coalesce(l.reason, a.reason) AS reason, l.score, l.probability, l.model, l.selector
FROM answers a JOIN items i ON i.id = a.item_id JOIN users u ON u.id = a.user_id LEFT JOIN leases l ON l.id = a.lease_id
"""

ITEM = f"SELECT 1 FROM items WHERE id = :item AND project_id = :project AND id <= {SEEN_TO}"
# The item of the answer that is repeated is in the same group as this one.
TWIN = """
SELECT 1 FROM annotations a JOIN twins own ON own.item_id = a.item_id JOIN twins t ON t.leader = own.leader
WHERE a.uid = :uid AND a.user_id = :user AND a.kind = 'label' AND t.item_id = :item
"""
# An undo takes its item back, unless by now as many others hold it as the project asks.
REOPEN = """
UPDATE leases SET closed_at = NULL WHERE id = (SELECT lease_id FROM annotations WHERE uid = :target)
AND (SELECT count(*) FROM leases o WHERE o.item_id = leases.item_id AND o.user_id != :user AND o.closed_at IS NULL AND o.expires_at > :now)
  < (SELECT coalesce(json_extract(p.settings, '$.overlap'), 1) FROM projects p WHERE p.id = leases.project_id)
"""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many standing answers say the same, for the same reason: in all where ``label`` is None, else of those that name the label."""

    kind: Kind
    relation: Relation
    label: int | None
    reason: Reason | None
    count: int


class Answers:
    def __init__(self, database: Database) -> None:
        self._db = database

    def record(self, project: int, user: int, events: Sequence[Event], now: float) -> list[str | None]:
        """Store events in order, each at most once for ever; return per event why it was refused, or None.

        Durable on return. A label or skip closes the lease it came from; an undo opens it again.
        """
        with self._db.immediate():
            labels = {row["id"] for row in self._db.rows("SELECT id FROM labels WHERE project_id = ?", (project,))}
            exclusive = bool(self._db.scalar("SELECT exclusive FROM projects WHERE id = ?", (project,)))
            return [self._record(project, user, event, now, labels, exclusive) for event in events]

    def _record(self, project: int, user: int, event: Event, now: float, labels: set[int], exclusive: bool) -> str | None:
        stored = self._db.row("SELECT project_id, user_id FROM annotations WHERE uid = ?", (event.uid,))
        if stored:
            return (
                None if (stored["project_id"], stored["user_id"]) == (project, user) else "This uid belongs to another account or project."
            )
        if why := self._fault(project, user, event, labels, exclusive):
            return why
        if event.kind is Kind.UNDO and self._db.row("SELECT 1 FROM annotations WHERE target = ?", (event.target,)):
            return None  # two tabs took back the same answer: it is gone once
        lease = self._db.scalar(
            "SELECT id FROM leases WHERE id = ? AND item_id = ? AND user_id = ? AND project_id = ?",
            (event.lease, event.item, user, project),
        )
        twin = event.copy_of and self._db.row(TWIN, {"uid": event.copy_of, "user": user, "item": event.item})
        if lease is None and not twin:  # a corrected answer was asked for the same reason as the first one
            lease = self._db.scalar(
                "SELECT lease_id FROM annotations WHERE item_id = ? AND user_id = ? AND lease_id IS NOT NULL ORDER BY id DESC LIMIT 1",
                (event.item, user),
            )
        self._db.insert(
            "annotations",
            uid=event.uid,
            project_id=project,
            item_id=event.item,
            user_id=user,
            kind=event.kind,
            relation=event.relation,
            labels=json.dumps(event.labels),
            target=event.target if event.kind is Kind.UNDO else None,
            note=event.note,
            lease_id=lease,
            copy_of=event.copy_of if twin else None,
            reason=Reason.TWIN if twin else None if lease else Reason.CHOSEN,
            shown_at=event.shown_at,
            seconds=event.seconds,
            suggestion=event.suggestion,
            at=now,
        )
        if event.kind is Kind.UNDO:
            self._db.execute(REOPEN, {"target": event.target, "user": user, "now": now})
        elif event.kind is not Kind.FLAG:
            self._db.execute(
                "UPDATE leases SET closed_at = ? WHERE item_id = ? AND user_id = ? AND closed_at IS NULL", (now, event.item, user)
            )
        return None

    def _fault(self, project: int, user: int, event: Event, labels: set[int], exclusive: bool) -> str | None:
        if not self._db.row(ITEM, {"item": event.item, "project": project}):
            return f"Item {event.item} is not in this project."
        if event.kind is Kind.UNDO:
            target = self._db.row("SELECT user_id, item_id, kind FROM annotations WHERE uid = ?", (event.target,))
            if target is None or (target["user_id"], target["item_id"]) != (user, event.item) or target["kind"] == Kind.UNDO:
                return "An undo must name an earlier label, skip or flag of the same person on the same item."
        if event.kind is not Kind.LABEL:
            return "Only a label event may carry labels." if event.labels else None
        if unknown := [one for one in event.labels if one not in labels]:
            return f"Label {unknown[0]} is not in this project's label set."
        if len(set(event.labels)) != len(event.labels):
            return "A label was given twice."
        if event.relation is Relation.IS and exclusive and len(event.labels) != 1:
            return f"This project takes exactly one label per item, got {len(event.labels)}."
        if event.relation is not Relation.IS and not event.labels:
            return "Ruling out, or choosing between, labels needs at least one label."
        return None

    def current(self, project: int, split: Split | None = None, after: int = 0) -> Iterator[Answer]:
        """Yield every person's standing answer of the project, in the order they were given."""
        sql = CURRENT + "WHERE a.project_id = :project AND a.id > :after AND (:split IS NULL OR i.split = :split) ORDER BY a.id"
        for row in self._db.execute(sql, {"project": project, "split": split, "after": after}):
            yield _answer(row)

    def tally(self, project: int, split: Split) -> list[Tally]:
        """Count the standing answers by what they say and why their item was asked, at the same cost for any number of them."""
        rows = self._db.rows(
            "SELECT kind, relation, nullif(label_id, 0) AS label, reason, answers FROM tallies "
            "WHERE project_id = ? AND split = ? AND answers > 0",
            (project, split),
        )
        return [Tally(Kind(row["kind"]), Relation(row["relation"]), row["label"], _reason(row), row["answers"]) for row in rows]

    def of_item(self, project: int, item: int) -> list[Answer]:
        # The plus keeps the planner from going through all of the project's answers.
        rows = self._db.rows(CURRENT + "WHERE +a.project_id = ? AND a.item_id = ? ORDER BY a.id", (project, item))
        return [_answer(row) for row in rows]

    def mine(self, project: int, user: int, limit: int) -> list[tuple[Answer, str]]:
        """Return a person's latest standing answers with the item's text, newest first."""
        rows = self._db.rows(
            CURRENT.replace("a.id, a.uid", "i.text, a.id, a.uid")
            + "WHERE a.project_id = ? AND a.user_id = ? ORDER BY a.at DESC, a.id DESC LIMIT ?",
            (project, user, limit),
        )
        return [(_answer(row), row["text"]) for row in rows]

    def newest_event(self, project: int) -> int:
        return int(self._db.scalar("SELECT max(id) FROM annotations WHERE project_id = ?", (project,)) or 0)

    def labels(self, project: int) -> int:
        """Count the pool's label events less undone ones, at the same cost for any number of them."""
        return int(self._db.scalar("SELECT labels FROM label_counts WHERE project_id = ?", (project,)) or 0)

    def count_by(self, project: int, user: int, since: float) -> int:
        """Count a person's answers since a time, undone ones taken off; reads only an index, and the undone ones."""
        theirs = "FROM annotations a {} WHERE a.project_id = :project AND a.user_id = :user AND a.at >= :since AND a.kind {}"
        given = theirs.format("", "IN ('label', 'skip')")
        undone = theirs.format("JOIN annotations t ON t.uid = a.target", "= 'undo' AND t.kind != 'flag'")
        return int(
            self._db.scalar(
                f"SELECT (SELECT count(*) {given}) - (SELECT count(*) {undone})", {"project": project, "user": user, "since": since}
            )
        )

    def per_day(self, project: int) -> list[tuple[str, str, int]]:
        """Return (UTC day, user, standing labels) for the people, not the imports, at the same cost for any number of labels."""
        rows = self._db.rows(
            "SELECT d.day, u.name AS user, d.labels FROM days d JOIN users u ON u.id = d.user_id "
            "WHERE d.project_id = ? AND d.labels > 0 AND u.password_hash != '' ORDER BY day, user",
            (project,),
        )
        return [(row["day"], row["user"], row["labels"]) for row in rows]

    def flags(self, project: int, limit: int = 100) -> list[tuple[int, str, str, str]]:
        """Return (item id, text, user, note) of the newest flags that were not undone."""
        rows = self._db.rows(
            "SELECT a.item_id, i.text, u.name AS user, a.note "
            "FROM annotations a JOIN items i ON i.id = a.item_id JOIN users u ON u.id = a.user_id "
            "WHERE a.project_id = ? AND a.kind = 'flag' AND NOT EXISTS (SELECT 1 FROM annotations v WHERE v.target = a.uid) "
            "ORDER BY a.id DESC LIMIT ?",
            (project, limit),
        )
        return [(row["item_id"], row["text"], row["user"], row["note"]) for row in rows]


def _labels(row: Row) -> tuple[int, ...]:
    return tuple(json.loads(row["labels"]))


def _reason(row: Row) -> Reason | None:
    return Reason(row["reason"]) if row["reason"] else None


def _answer(row: Row) -> Answer:
    return Answer(
        event=row["id"],
        uid=row["uid"],
        item=row["item_id"],
        external_id=row["external_id"],
        user=row["user"],
        kind=Kind(row["kind"]),
        labels=_labels(row),
        relation=Relation(row["relation"]),
        note=row["note"],
        at=row["at"],
        seconds=row["seconds"],
        reason=_reason(row),
        score=row["score"],
        probability=row["probability"],
        model=row["model"],
        selector=row["selector"],
        suggestion=row["suggestion"],
        copy_of=row["copy_of"],
        split=Split(row["split"]),
    )
