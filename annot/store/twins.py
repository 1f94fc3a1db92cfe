"""Groups of items whose texts are as good as identical, as the background job found them. Must not compare texts or vectors."""

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from annot.records import Twin
from annot.store.database import Database

# Offered with an item: not answered by this person, wanted from another one still, and not on the way to be asked as an audit item
# (drawn uniformly, it must be answered as such) or in another tab or by somebody else.
OFFERED = """
SELECT l.id AS lease, t.item_id AS item, substr(i.text, 1, :characters) AS text
FROM json_each(:leases) wanted JOIN leases l ON l.id = wanted.value JOIN twins own ON own.item_id = l.item_id
JOIN twins t ON t.leader = own.leader AND t.item_id != own.item_id JOIN items i ON i.id = t.item_id
WHERE NOT EXISTS (SELECT 1 FROM answers a WHERE a.item_id = t.item_id AND a.user_id = l.user_id)
  AND NOT EXISTS (SELECT 1 FROM leases o WHERE o.item_id = t.item_id AND o.closed_at IS NULL AND o.expires_at > :now
                  AND (o.tab != l.tab OR o.reason = 'audit'))
  AND (SELECT count(DISTINCT a.user_id) FROM answers a WHERE a.item_id = t.item_id AND a.kind = 'label') < :overlap
ORDER BY l.id, t.item_id
"""


class Twins:
    def __init__(self, database: Database) -> None:
        self._db = database

    def replace(self, project: int, groups: Sequence[tuple[int, int]], stamp: str) -> None:
        """Make the project's groups these (item id, leader's item id) pairs, and note what they were made from."""
        with self._db.immediate():
            self._db.execute("DELETE FROM twins WHERE project_id = ?", (project,))
            self._db.executemany(
                "INSERT INTO twins (item_id, project_id, leader) VALUES (?, ?, ?)", [(item, project, leader) for item, leader in groups]
            )
            self._db.execute("UPDATE projects SET twins_stamp = ? WHERE id = ?", (stamp, project))

    def stamp(self, project: int) -> str:
        """Return what the groups were made from, empty before the first time."""
        return str(self._db.scalar("SELECT twins_stamp FROM projects WHERE id = ?", (project,)) or "")

    def groups(self, project: int) -> NDArray[np.int64]:
        """Return (item id, leader's item id) rows (m, 2), ascending by item."""
        rows = self._db.execute("SELECT item_id, leader FROM twins WHERE project_id = ? ORDER BY item_id", (project,)).fetchall()
        return np.array([tuple(row) for row in rows], np.int64).reshape(-1, 2)

    def offered(self, leases: Sequence[int], *, overlap: int, now: float, characters: int) -> dict[int, list[Twin]]:
        """Return, by lease id, the twins of its item that its person may answer with it; texts cut at ``characters``."""
        found: dict[int, list[Twin]] = {}
        values = {"leases": json.dumps(list(leases)), "overlap": overlap, "now": now, "characters": characters}
        for row in self._db.execute(OFFERED, values):
            found.setdefault(row["lease"], []).append(Twin(row["item"], row["text"]))
        return found
