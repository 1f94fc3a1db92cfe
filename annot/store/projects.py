"""Projects, their label sets and members. Must not interpret settings: it stores the JSON object it is given."""

import json
from collections.abc import Sequence
from sqlite3 import Row
from typing import Any

from annot.errors import BadInput, NotFound
from annot.records import Label, Project, Role
from annot.store.database import Database


class Projects:
    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, name: str, exclusive: bool, now: float) -> Project:
        """Create an empty project. Raises BadInput when the name is taken."""
        with self._db.immediate():
            self._must_be_free(name)
            made = self._db.insert("projects", name=name, exclusive=int(exclusive), created_at=now)
        return self.get(made)

    def get(self, project: int) -> Project:
        """Raises NotFound."""
        row = self._db.row("SELECT * FROM projects WHERE id = ?", (project,))
        if row is None:
            raise NotFound(f"There is no project {project}.")
        return _project(row)

    def find(self, name: str) -> Project:
        """Raises NotFound, naming the projects there are."""
        row = self._db.row("SELECT * FROM projects WHERE name = ?", (name,))
        if row is None:
            known = ", ".join(project.name for project in self.all()) or "none"
            raise NotFound(f"There is no project named {name!r}. Known: {known}.")
        return _project(row)

    def all(self) -> list[Project]:
        return [_project(row) for row in self._db.rows("SELECT * FROM projects ORDER BY id")]

    def of_member(self, user: int, *, put_away: bool = False) -> list[tuple[Project, Role]]:
        rows = self._db.rows(
            "SELECT p.*, m.role AS role FROM projects p JOIN memberships m ON m.project_id = p.id "
            "WHERE m.user_id = ? AND (p.put_away_at IS NOT NULL) = ? ORDER BY p.id",
            (user, put_away),
        )
        return [(_project(row), Role(row["role"])) for row in rows]

    def role(self, project: int, user: int) -> Role | None:
        found = self._db.scalar("SELECT role FROM memberships WHERE project_id = ? AND user_id = ?", (project, user))
        return Role(found) if found else None

    def members(self, project: int) -> list[tuple[str, Role]]:
        rows = self._db.rows(
            "SELECT u.name, m.role FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.project_id = ? ORDER BY u.name", (project,)
        )
        return [(row["name"], Role(row["role"])) for row in rows]

    def set_member(self, project: int, user: int, role: Role | None) -> None:
        """Give an account a role in the project; None takes it out."""
        if role is None:
            self._db.execute("DELETE FROM memberships WHERE project_id = ? AND user_id = ?", (project, user))
        else:
            self._db.execute(
                "INSERT INTO memberships VALUES (?, ?, ?) ON CONFLICT (project_id, user_id) DO UPDATE SET role = excluded.role",
                (project, user, role),
            )

    def change(self, project: int, *, guidelines: str | None = None, settings: dict[str, Any] | None = None) -> Project:
        with self._db.immediate():
            if guidelines is not None:
                self._db.execute("UPDATE projects SET guidelines = ? WHERE id = ?", (guidelines, project))
            if settings is not None:
                self._db.execute("UPDATE projects SET settings = ? WHERE id = ?", (json.dumps(settings), project))
        return self.get(project)

    def rename(self, project: int, name: str) -> Project:
        """Raises BadInput when the name is another project's."""
        with self._db.immediate():
            self._must_be_free(name, project)
            self._db.execute("UPDATE projects SET name = ? WHERE id = ?", (name, project))
        return self.get(project)

    def set_put_away(self, project: int, at: float | None) -> Project:
        """Say since when a project is out of sight; None: it is not."""
        self._db.execute("UPDATE projects SET put_away_at = ? WHERE id = ?", (at, project))
        return self.get(project)

    def labels(self, project: int) -> list[Label]:
        """Return the label set in its display order."""
        rows = self._db.rows("SELECT * FROM labels WHERE project_id = ? ORDER BY position, id", (project,))
        return [Label(row["id"], row["name"], row["title"], row["description"], row["key"], row["parent_id"]) for row in rows]

    def set_labels(self, project: int, wanted: Sequence[Label]) -> list[Label]:
        """Make the label set what is given, in that order.

        A label whose id is 0 is new; a parent is an id of the set or minus the 1-based place of its parent in ``wanted``.
        A label left out is deleted. Raises BadInput when a deleted label has been used in an answer.
        """
        with self._db.immediate():
            kept = {label.id for label in wanted if label.id}
            for label in self.labels(project):
                if label.id not in kept:
                    self._delete_label(project, label)
            ids: list[int] = []
            # Names are freed first, so that two labels may swap theirs.
            self._db.execute("UPDATE labels SET name = '~' || id WHERE project_id = ?", (project,))
            for position, label in enumerate(wanted):
                ids.append(self._put_label(project, position, label, ids))
        return self.labels(project)

    def _must_be_free(self, name: str, mine: int = 0) -> None:
        row = self._db.row("SELECT put_away_at FROM projects WHERE name = ? AND id != ?", (name, mine))
        if row:
            raise BadInput(f"There is already a project named {name!r}{'' if row[0] is None else ', which was put away'}.")

    def _put_label(self, project: int, position: int, label: Label, before: list[int]) -> int:
        parent = before[-label.parent - 1] if label.parent is not None and label.parent < 0 else label.parent
        facts = {"name": label.name, "title": label.title, "description": label.description, "key": label.key, "parent_id": parent}
        if not label.id:
            return self._db.insert("labels", project_id=project, position=position, **facts)
        marks = ", ".join(f"{column} = :{column}" for column in facts)
        self._db.execute(
            f"UPDATE labels SET {marks}, position = :position WHERE id = :id AND project_id = :project",
            {**facts, "position": position, "id": label.id, "project": project},
        )
        return label.id

    def _delete_label(self, project: int, label: Label) -> None:
        used = self._db.scalar(
            "SELECT count(*) FROM annotations a, json_each(a.labels) l WHERE a.project_id = ? AND l.value = ?", (project, label.id)
        )
        if used:
            raise BadInput(f"Label {label.name!r} is used in {used} annotations and cannot be deleted. Rename it instead.")
        if self._db.row("SELECT 1 FROM staging s, json_each(s.labels) l WHERE l.value = ?", (label.id,)):
            raise BadInput(f"Label {label.name!r} comes with a file that is being imported right now and cannot be deleted.")
        self._db.execute("UPDATE labels SET parent_id = NULL WHERE parent_id = ?", (label.id,))
        self._db.execute("DELETE FROM labels WHERE id = ?", (label.id,))


def _project(row: Row) -> Project:
    return Project(
        row["id"],
        row["name"],
        bool(row["exclusive"]),
        row["guidelines"],
        json.loads(row["settings"]),
        row["published_run"],
        row["created_at"],
        row["put_away_at"] is not None,
    )
