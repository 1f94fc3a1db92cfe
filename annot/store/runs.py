"""Fine-tuning runs, quality estimates and checks of self-training over time. Must not judge them: the loop decides what is published."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from sqlite3 import Row
from typing import Any

from annot.records import Check, Estimate, Run, RunState
from annot.store.database import Database

# The Lead page reads all runs every three seconds: 20 ms of CPU for 1,000 cards. A finished run's is never changed; nor may who reads it.
_card = lru_cache(maxsize=4096)(json.loads)
THINNED = 0.01
NEWEST = "SELECT {} FROM estimates WHERE project_id = :project AND source = :source AND metric = :metric ORDER BY id DESC LIMIT {}"
THIN = f"""
DELETE FROM estimates WHERE id = ({NEWEST.format("id", "1")}) AND model = :model
AND labels - coalesce(({NEWEST.format("labels", "1 OFFSET 1")}), -1000000) < {THINNED} * labels
"""


class Runs:
    def __init__(self, database: Database) -> None:
        self._db = database

    def start(self, project: int, labels: int, now: float) -> Run:
        with self._db.immediate():
            number = 1 + (self._db.scalar("SELECT max(number) FROM runs WHERE project_id = ?", (project,)) or 0)
            made = self._db.insert("runs", project_id=project, number=number, state=RunState.RUNNING, labels=labels, started_at=now)
        return self.get(made)

    def get(self, run: int) -> Run:
        row = self._db.row("SELECT * FROM runs WHERE id = ?", (run,))
        assert row is not None, f"run {run} vanished"
        return _run(row)

    def finish(self, run: int, state: RunState, now: float, card: dict[str, Any] | None = None, error: str = "") -> None:
        """Close a run. A published run becomes the project's encoder in the same transaction."""
        with self._db.immediate():
            self._db.execute(
                "UPDATE runs SET state = ?, card = ?, error = ?, finished_at = ? WHERE id = ?",
                (state, json.dumps(card or {}), error, now, run),
            )
            if state is RunState.PUBLISHED:
                self._db.execute("UPDATE projects SET published_run = ? WHERE id = (SELECT project_id FROM runs WHERE id = ?)", (run, run))

    def of_project(self, project: int) -> list[Run]:
        return [_run(row) for row in self._db.rows("SELECT * FROM runs WHERE project_id = ? ORDER BY number", (project,))]

    def newest(self, project: int) -> Run | None:
        row = self._db.row("SELECT * FROM runs WHERE project_id = ? ORDER BY number DESC LIMIT 1", (project,))
        return _run(row) if row else None

    def unfinished(self) -> list[Run]:
        return [_run(row) for row in self._db.rows("SELECT * FROM runs WHERE state = 'running'")]

    def note(self, project: int, estimates: Sequence[Estimate]) -> None:
        """Add curve points. One of the same model within THINNED of the labels of the point before it gives way to its successor, so that
        a curve of many labels is still read at once."""
        with self._db.immediate():
            for one in estimates:
                self._db.execute(THIN, {"project": project, "source": one.source, "metric": one.metric, "model": one.model})
                self._db.insert(
                    "estimates",
                    project_id=project,
                    labels=one.labels,
                    source=one.source,
                    metric=one.metric,
                    value=one.value,
                    low=one.low,
                    high=one.high,
                    n=one.n,
                    model=one.model,
                    at=one.at,
                )

    def estimates(self, project: int, source: str | None = None) -> list[Estimate]:
        """Return the curve points, oldest first."""
        rows = self._db.rows(
            "SELECT labels, source, metric, value, low, high, n, model, at FROM estimates "
            "WHERE project_id = :project AND (:source IS NULL OR source = :source) ORDER BY id",
            {"project": project, "source": source},
        )
        return [Estimate(*row) for row in rows]

    def note_check(self, project: int, check: Check) -> None:
        with self._db.immediate():
            self._db.insert("checks", project_id=project, **asdict(check))

    def newest_check(self, project: int, run: bool) -> Check | None:
        """Return what self-training was last found to do by a run, or else to heads on the plain encoder; None before the first check."""
        row = self._db.row(
            "SELECT method, pseudo, gain, error, n, labels, model, run, at FROM checks WHERE project_id = ? AND run = ? "
            "ORDER BY id DESC LIMIT 1",
            (project, run),
        )
        return Check(**(dict(row) | {"run": bool(row["run"])})) if row else None


def _run(row: Row) -> Run:
    return Run(
        row["id"],
        row["project_id"],
        row["number"],
        RunState(row["state"]),
        row["labels"],
        _card(row["card"]),
        row["error"],
        row["started_at"],
        row["finished_at"],
    )
