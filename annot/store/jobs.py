"""Background work as rows: which jobs wait, run or failed, and which worker process is the active one.

Must not run anything: annot.worker does.
"""

import json
from collections.abc import Sequence
from sqlite3 import Row

from annot.records import Job, JobState
from annot.store.database import Database

# Jobs of one lane run one after the other. A report takes seconds: it does not wait for what takes minutes.
LANES = (("encode", "twins", "run"), ("report",))


class Jobs:
    def __init__(self, database: Database) -> None:
        self._db = database

    def ask(self, project: int, kind: str, now: float, total: int = 0) -> bool:
        """Queue a job unless one of its kind is already open in the project; return whether it was queued."""
        with self._db.immediate():
            if self._db.row("SELECT 1 FROM jobs WHERE project_id = ? AND kind = ? AND state IN ('queued', 'running')", (project, kind)):
                return False
            self._db.insert("jobs", project_id=project, kind=kind, state=JobState.QUEUED, total=total, created_at=now)
        return True

    def fail(self, project: int, kind: str, error: str, now: float) -> None:
        """Keep a fault that was no job's, so that the lead sees it."""
        self._db.insert("jobs", project_id=project, kind=kind, state=JobState.FAILED, error=error, created_at=now, finished_at=now)

    def failed_since(self, project: int, kind: str, since: float) -> bool:
        return (
            self._db.row(
                "SELECT 1 FROM jobs WHERE project_id = ? AND kind = ? AND state = 'failed' AND finished_at > ?", (project, kind, since)
            )
            is not None
        )

    def take(self, now: float, kinds: Sequence[str]) -> Job | None:
        """Claim the oldest waiting job of one of ``kinds`` in the project whose turn it is: the one that had such a job longest ago."""
        row = self._db.row(
            "UPDATE jobs SET state = 'running', attempts = attempts + 1, heartbeat_at = :now WHERE id = "
            "(SELECT j.id FROM jobs j JOIN projects p ON p.id = j.project_id WHERE j.state = 'queued' AND p.put_away_at IS NULL "
            "AND j.kind IN (SELECT value FROM json_each(:kinds)) ORDER BY (SELECT coalesce(max(d.heartbeat_at), 0) FROM jobs d "
            "WHERE d.project_id = j.project_id AND d.kind IN (SELECT value FROM json_each(:kinds))), j.id LIMIT 1) RETURNING *",
            {"now": now, "kinds": json.dumps(kinds)},
        )
        return _job(row) if row else None

    def get(self, job: int) -> Job | None:
        row = self._db.row("SELECT * FROM jobs WHERE id = ?", (job,))
        return _job(row) if row else None

    def attempts(self, job: int) -> int:
        return int(self._db.scalar("SELECT attempts FROM jobs WHERE id = ?", (job,)) or 0)

    def report(self, job: int, done: int, total: int, message: str, now: float) -> None:
        self._db.execute(
            "UPDATE jobs SET done = ?, total = ?, message = ?, heartbeat_at = ? WHERE id = ?", (done, total, message, now, job)
        )

    def finish(self, job: int, state: JobState, now: float, error: str = "") -> None:
        self._db.execute("UPDATE jobs SET state = ?, error = ?, finished_at = ? WHERE id = ?", (state, error, now, job))

    def requeue(self, job: int) -> None:
        self._db.execute("UPDATE jobs SET state = 'queued' WHERE id = ?", (job,))

    def running(self) -> list[Job]:
        return [_job(row) for row in self._db.rows("SELECT * FROM jobs WHERE state = 'running' ORDER BY id")]

    def ahead(self, project: int) -> dict[str, str]:
        """Return for each kind of job that has to wait for another project's the kind that one is of."""
        # Through the projects, which are few: jobs are found by the index of open ones.
        rows = self._db.rows(
            "SELECT j.kind FROM projects p CROSS JOIN jobs j ON j.project_id = p.id AND j.state IN ('queued', 'running') "
            "WHERE p.id != ? AND j.state = 'running'",
            (project,),
        )
        running = {row["kind"] for row in rows}
        return {kind: other for lane in LANES for other in running.intersection(lane) for kind in lane}

    def newest(self, project: int) -> list[Job]:
        """Return the newest job of each kind, the newest first. An open one is the newest of its kind."""
        sql = "SELECT * FROM jobs WHERE id IN (SELECT max(id) FROM jobs WHERE project_id = ? GROUP BY kind) ORDER BY id DESC"
        return [_job(row) for row in self._db.rows(sql, (project,))]

    def open(self, project: int) -> list[Job]:
        return [
            _job(row)
            for row in self._db.rows("SELECT * FROM jobs WHERE project_id = ? AND state IN ('queued', 'running') ORDER BY id", (project,))
        ]

    def hold_worker(self, holder: str, pid: int, now: float, patience: float) -> bool:
        """Become or stay the one active worker; False while another's heartbeat is younger than ``patience`` seconds."""
        row = self._db.row(
            "INSERT INTO worker (id, holder, pid, heartbeat_at) VALUES (1, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
            "SET holder = excluded.holder, pid = excluded.pid, heartbeat_at = excluded.heartbeat_at "
            "WHERE worker.holder = excluded.holder OR worker.heartbeat_at < ? RETURNING id",
            (holder, pid, now, now - patience),
        )
        return row is not None

    def release_worker(self, holder: str) -> None:
        self._db.execute("DELETE FROM worker WHERE holder = ?", (holder,))

    def worker_heartbeat(self) -> tuple[int, float] | None:
        """Return the active worker's process id and the time of its last heartbeat."""
        row = self._db.row("SELECT pid, heartbeat_at FROM worker")
        return (row["pid"], row["heartbeat_at"]) if row else None


def _job(row: Row) -> Job:
    return Job(
        row["id"],
        row["project_id"],
        row["kind"],
        JobState(row["state"]),
        row["done"],
        row["total"],
        row["message"],
        row["error"],
        row["created_at"],
        row["finished_at"],
    )
