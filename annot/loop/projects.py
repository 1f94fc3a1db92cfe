"""Setting a project up and changing it: name, label set, guidelines, settings, members. Checks what the store only keeps.

Must not import items: loop.importing does.
"""

import json
import re
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from annot import encoders, selectors, selftraining
from annot.errors import BadInput
from annot.records import Label, Project, Role, User
from annot.settings import ProjectSettings
from annot.store import Store

LONGEST_NAME = 120
RESERVED_KEYS = "?/fgluxs+-0"


def create_project(store: Store, name: str, lead: User, *, exclusive: bool = True) -> Project:
    """Make an empty project with ``lead`` as its lead. Raises BadInput on an empty, overlong or taken name."""
    project = store.projects.add(_checked(name), exclusive, time.time())
    store.projects.set_member(project.id, lead.id, Role.LEAD)
    return project


def rename(store: Store, project: Project, name: str) -> Project:
    """Raises BadInput on an empty, overlong or taken name."""
    return store.projects.rename(project.id, _checked(name))


def _checked(name: str) -> str:
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or any(unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") for one in name):
        raise BadInput(f"A project name has 1 to {LONGEST_NAME} characters on one line.")
    return name


def put_away(store: Store, project: Project) -> Project:
    """Take a project out of everybody's sight and let nothing work on it. What it holds stays, and can still be exported by command."""
    return store.projects.set_put_away(project.id, time.time())


def bring_back(store: Store, project: Project) -> Project:
    return store.projects.set_put_away(project.id, None)


def set_label_set(store: Store, project: Project, labels: Sequence[Label]) -> list[Label]:
    """Check and store the label set; a label without a key gets the first free digit or letter. Raises BadInput naming the fault."""
    return store.projects.set_labels(project.id, with_keys(check_labels(labels)))


def check_labels(labels: Sequence[Label]) -> list[Label]:
    if unfit := [f"{label.key!r} of {label.name!r}" for label in labels if label.key and not _may_be_key(label.key)]:
        taken, wrong = " ".join(RESERVED_KEYS), ", ".join(unfit)
        raise BadInput(f"A key is one character other than {taken}, which have other uses. Change {wrong}, or leave them empty.")
    seen: set[str] = set()
    keys: dict[str, str] = {}
    for label in labels:
        if not label.name.strip() or len(label.name) > LONGEST_NAME:
            raise BadInput(f"A label name has 1 to {LONGEST_NAME} characters, got {label.name[:40]!r}.")
        if strange := next((one for one in label.name + label.title if not one.isprintable()), None):
            raise BadInput(f"The label {label.name[:40]!r} holds the character {strange!r}, which cannot be shown.")
        if label.name in seen:
            raise BadInput(f"The label {label.name!r} is there twice.")
        seen.add(label.name)
        if label.key and label.parent is None:
            if label.key in keys:
                raise BadInput(f"The key {label.key!r} is given to both {keys[label.key]!r} and {label.name!r}.")
            keys[label.key] = label.name
    return [label if label.title.strip() else replace(label, title=label.name) for label in labels]


def _may_be_key(key: str) -> bool:
    return len(key) == 1 and key not in RESERVED_KEYS and key.isprintable() and not key.isspace()


def with_keys(labels: Sequence[Label]) -> list[Label]:
    """Give labels without a key one that is free among their siblings."""
    done: list[Label] = []
    taken: dict[int | None, set[str]] = {}
    for label in labels:
        taken.setdefault(label.parent, set()).add(label.key)
    for label in labels:
        key = label.key
        if not key:
            free = (one for one in "123456789abcdehijkmnopqrtvwyz" if one not in taken[label.parent] and one not in RESERVED_KEYS)
            key = next(free, "")
            taken[label.parent].add(key)
        done.append(replace(label, key=key))
    return done


def read_label_file(path: Path) -> list[Label]:
    """Read a JSON list of {name, title?, description?, key?, parent?: name}, or of names. Raises BadInput naming entry and field."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as fault:
        raise BadInput(f"{path}: cannot be read as JSON ({fault}). Expected a list of labels.") from None
    if not isinstance(entries, list) or not entries:
        raise BadInput(f"{path}: expected a JSON list of labels, got {type(entries).__name__}.")
    return _labels(path, [{"name": one} if isinstance(one, str) else one for one in entries])


def _labels(path: Path, entries: Sequence[Any]) -> list[Label]:
    places: dict[str, int] = {}
    labels = []
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or not all(isinstance(value, str | None) for value in entry.values()) or not entry.get("name"):
            raise BadInput(
                f"{path}, entry {number}: expected an object with a text 'name' (title, description, key, parent optional), "
                f"got {str(entry)[:120]}."
            )
        if unknown := set(entry) - {"name", "title", "description", "key", "parent"}:
            raise BadInput(f"{path}, entry {number}: unknown field {sorted(unknown)[0]!r}.")
        parent = entry.get("parent")
        if parent and parent not in places:
            raise BadInput(f"{path}, entry {number}: the parent {parent!r} must come before its children.")
        name = entry["name"]
        labels.append(
            Label(
                0,
                name,
                entry.get("title") or name,
                entry.get("description") or "",
                entry.get("key") or "",
                -places[parent] if parent else None,
            )
        )
        places[name] = number
    return labels


def labels_from_rows(rows: Sequence[dict[str, Any]]) -> list[Label]:
    """Build a label set from edited table rows with id, key, name, title, parent (a name) and description. Raises BadInput."""
    places = {row["name"]: place for place, row in enumerate(rows, 1)}
    labels = []
    for place, row in enumerate(rows, 1):
        parent = row["parent"].strip()
        if parent and places.get(parent, place) >= place:
            raise BadInput(f"The label {row['name']!r} is under {parent!r}, which must be a label further up in the table.")
        labels.append(
            Label(
                int(row["id"] or 0), row["name"].strip(), row["title"], row["description"], row["key"], -places[parent] if parent else None
            )
        )
    return labels


def set_member(store: Store, project: Project, user: User, role: Role | None) -> None:
    """Make an account a member, or take it out. Raises BadInput where no lead would be left."""
    leads = [name for name, its in store.projects.members(project.id) if its is Role.LEAD]
    if role is not Role.LEAD and leads == [user.name]:
        raise BadInput(f"{user.name} is the only lead of {project.name}. Make another account a lead of it first.")
    store.projects.set_member(project.id, user.id, role)


def read_setting(words: str) -> tuple[str, Any]:
    """Read ``name=value`` as a setting of the type its default has. Raises BadInput."""
    name, sign, value = (part.strip() for part in words.partition("="))
    defaults = ProjectSettings().as_dict()
    if not sign or name not in defaults:
        raise BadInput(f"Expected NAME=VALUE, got {words!r}. Known names: {', '.join(defaults)}.")
    kind = type(defaults[name])
    if kind is bool and value.lower() not in ("true", "false", "yes", "no"):
        raise BadInput(f"Setting {name} is true or false, got {value!r}.")
    try:
        return name, value.lower() in ("true", "yes") if kind is bool else kind(value)
    except ValueError:
        raise BadInput(f"Setting {name} must be a {kind.__name__}, got {value!r}.") from None


def change_settings(store: Store, project: Project, values: dict[str, Any]) -> Project:
    """Check and store ``values``; other settings stay as they are. Raises BadInput naming an unknown setting, name or value, ModelError
    where the encoder cannot be had."""
    settings = ProjectSettings.parse({**store.projects.get(project.id).settings, **values})
    encoders.identify(settings.encoder)
    selectors.selectors.get(settings.selector)
    selectors.selectors.get(settings.cold_start)
    if settings.cold_start not in (cold := selectors.names(before_a_model=True)):
        raise BadInput(f"The cold start {settings.cold_start!r} asks a model, and there is none yet. One of: {', '.join(cold)}.")
    selftraining.methods.get(settings.self_training)
    for line in settings.highlights.splitlines():
        if len(line) > 2 and line.startswith("/") and line.endswith("/"):
            _check_expression(line[1:-1])
    return store.projects.change(project.id, settings=settings.as_dict())


def _check_expression(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as fault:
        raise BadInput(f"The highlight /{pattern}/ is not a regular expression ({fault}).") from None
