"""The newest report of each project, which the Lead page shows beside the curve. Must not know what is in it: two JSON texts."""

from dataclasses import dataclass

from annot.store.database import Database


@dataclass(frozen=True, slots=True)
class Stored:
    """A report made at so many ``labels``, of the run ``model``; ``memory`` is what only the next report needs."""

    labels: int
    model: int
    at: float
    facts: str
    memory: str
    head: bytes = b""  # of the model it is about, as ``numpy.savez`` writes it; not read back with the rest


class Reports:
    def __init__(self, database: Database) -> None:
        self._db = database

    def replace(self, project: int, report: Stored) -> None:
        with self._db.immediate():
            self._db.execute("DELETE FROM reports WHERE project_id = ?", (project,))
            self._db.insert(
                "reports",
                project_id=project,
                labels=report.labels,
                model=report.model,
                at=report.at,
                facts=report.facts,
                memory=report.memory,
                head=report.head,
            )

    def newest(self, project: int) -> Stored | None:
        row = self._db.row("SELECT labels, model, at, facts, memory FROM reports WHERE project_id = ?", (project,))
        return Stored(**dict(row)) if row else None

    def head(self, project: int) -> bytes:
        """Return the head of the newest report, nothing where there is none."""
        found = self._db.scalar("SELECT head FROM reports WHERE project_id = ?", (project,))
        return bytes(found or b"")
