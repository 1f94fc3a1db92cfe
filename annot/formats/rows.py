"""What a row of an imported file is: which column means what, and which values of it are accepted.

Pure functions over one record. Must not open files, derive ids, or know any project's labels.
"""

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from annot.errors import BadInput
from annot.formats.values import listed, shown

LONGEST_TEXT = 1_000_000  # bytes of UTF-8
LONGEST_REMEMBERED = 1000  # characters of a label cell whose meaning is cached

SPLITS = dict.fromkeys(("pool", "train", "training", "unlabelled", "unlabeled"), "pool")
SPLITS |= dict.fromkeys(("test", "testing", "eval", "evaluation", "val", "valid", "validation", "dev", "heldout", "held-out"), "test")

TEXT_NAMES = (
    "text", "message", "content", "body", "sentence", "review", "comment", "document",
    "utterance", "tweet", "question", "description", "texts", "full_text", "raw_text",
)  # fmt: skip
ID_NAMES = ("external_id", "id", "item_id", "uid", "uuid")
LABEL_NAMES = ("label", "labels", "category", "class", "topic", "label_name")
SPLIT_NAMES = ("split", "subset", "partition")


@dataclass(frozen=True, slots=True)
class Mapping:
    """Which column is what; every other column is metadata.

    Without ``id`` the caller derives one from the content. With a ``separator`` a label cell that is no JSON list is cut at it
    (``"sport|politics"``); without, such a cell is one label.
    """

    text: str
    id: str | None = None
    label: str | None = None
    split: str | None = None
    separator: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One text with what the file says of it.

    ``line`` is the physical line its record starts on, from 1; in Parquet the number of the row. ``split`` is ``pool``, ``test``, or
    empty where the file does not say. ``metadata`` holds the other columns: strings from CSV and TSV, JSON values from the rest.
    """

    line: int
    external_id: str | None
    text: str
    labels: tuple[str, ...] = ()
    split: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """A record that cannot be taken, where it starts, and why."""

    line: int
    reason: str


Record = tuple[int, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Table:
    """An open file as its reader sees it; ``records`` may be iterated once, while the source is open."""

    columns: list[str]
    records: Iterator[Record | Problem]


class _RefusedError(Exception):
    """A value that is not accepted; its text is the reason."""


def guess(columns: list[str], rows: Sequence[dict[str, Any]] = ()) -> Mapping:
    """Guess which column is what by its name; ``text`` is the only column of a file that has one.

    Where no name fits it is the column with the longest values in the first ``rows``, and empty without rows.
    """
    known = {name.strip().lower().replace(" ", "_").replace("-", "_"): name for name in reversed(columns)}

    def first(names: tuple[str, ...]) -> str | None:
        return next((known[name] for name in names if name in known), None)

    text, identity, label, split = first(TEXT_NAMES), first(ID_NAMES), first(LABEL_NAMES), first(SPLIT_NAMES)
    if text is None and len(columns) == 1:
        return Mapping(columns[0])
    if text is None and rows:
        others = [name for name in columns if name not in (identity, label, split)]
        text = max(others, key=lambda name: sum(len(str(row.get(name) or "")) for row in rows), default=None)
    return Mapping(text or "", identity, label, split)


def is_prose(rows: Sequence[dict[str, Any]], column: str) -> bool:
    """Tell whether a column reads like texts: a value of more than one word, or of 12 letters, among the ``rows``."""
    values = [str(row.get(column) or "").strip() for row in rows]
    return any(len(value.split()) > 1 or sum(letter.isalpha() for letter in value) >= 12 for value in values)


def check(mapping: Mapping, columns: list[str], filename: str) -> None:
    """Raise BadInput where the mapping does not fit the columns of the file."""
    chosen = {"text": mapping.text, "id": mapping.id, "label": mapping.label, "split": mapping.split}
    used: dict[str, str] = {}
    for role, name in chosen.items():
        if name is None:
            continue
        if name not in columns:
            raise BadInput(_absent(role, name, columns, filename))
        if name in used:
            raise BadInput(f"The column {shown(name)} cannot be both the {used[name]} and the {role}. Choose two columns.")
        used[name] = role


def _absent(role: str, name: str, columns: list[str], filename: str) -> str:
    there = f"Its columns are: {listed(columns)}."
    if not name:
        return f"Which column of {filename} is the {role}? {there}"
    by_lower = {column.lower(): column for column in columns}
    near = difflib.get_close_matches(name.lower(), list(by_lower), 1)
    hint = f" Did you mean {shown(by_lower[near[0]])}?" if near else ""
    return f"{filename} has no column {shown(name)} for the {role}. {there}{hint}"


def to_row(line: int, values: dict[str, Any], mapping: Mapping) -> Row | Problem:
    """Make a row of a record, or say why not; ``values`` is taken over as the metadata."""
    try:
        text = _text(values.pop(mapping.text, None), mapping.text)
        identity = None if mapping.id is None else _id(values.pop(mapping.id, None))
        label = None if mapping.label is None else values.pop(mapping.label, None)
        labels = _labels_given(label, mapping.separator) if label is not None and label != "" else ()
        split = "" if mapping.split is None else _split(values.pop(mapping.split, None))
    except _RefusedError as fault:
        return Problem(line, str(fault))
    return Row(line, identity, text, labels, split, values)


def _text(value: Any, column: str) -> str:
    if type(value) is not str:
        if value is None:
            raise _RefusedError(f"There is no text: {shown(column)} is missing or null.")
        raise _RefusedError(f"The text {shown(column)} is {shown(value)}, a string was expected.")
    if not value or value.isspace():
        raise _RefusedError(f"There is no text: {shown(column)} is {'empty' if not value else 'white space only'}.")
    if len(value) > LONGEST_TEXT // 4 and (size := len(value.encode())) > LONGEST_TEXT:
        raise _RefusedError(f"The text {shown(value)} has {size:,} bytes, at most {LONGEST_TEXT:,} (1 MB) are taken.")
    return value


def _id(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if type(value) is str:
        return None if value.isspace() else value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise _RefusedError(f"The id is {shown(value)}, a string or a number was expected.")


def _labels_given(value: Any, separator: str | None) -> tuple[str, ...]:
    if type(value) is not str:
        return _labels(value)
    return _remembered(value, separator) if len(value) <= LONGEST_REMEMBERED else _labels_of_cell(value, separator)


def _labels_of_cell(cell: str, separator: str | None) -> tuple[str, ...]:
    """Read a label cell: a JSON list, else one label, or several where a separator is given."""
    cell = cell.strip()
    if cell.startswith("["):
        try:
            return _labels(json.loads(cell))
        except (ValueError, RecursionError):
            pass  # A label may begin with a bracket: [unsure].
    if not separator:
        return (cell,) if cell else ()
    return _labels(cell.split(separator))


_remembered = lru_cache(maxsize=1024)(_labels_of_cell)


def _labels(value: Any) -> tuple[str, ...]:
    names = dict.fromkeys(_label(part) for part in (value if isinstance(value, list) else [value]))
    return tuple(name for name in names if name)


def _label(value: Any) -> str:
    if isinstance(value, str):
        name = value.strip()
        if name.isascii() or not any("\ud800" <= char <= "\udfff" for char in name):
            return name
    elif isinstance(value, bool):
        return "true" if value else "false"
    elif isinstance(value, int | float):
        return str(value)
    raise _RefusedError(f"The label is {shown(value)}, a name or a list of names was expected.")


def _split(value: Any) -> str:
    if value is None or value == "":
        return ""
    if type(value) is str:
        name = value.strip().lower()
        if name in SPLITS:
            return SPLITS[name]
        if not name:
            return ""
    raise _RefusedError(f"The split is {shown(value)}, expected pool (or train, unlabelled) or test (or validation, dev, eval).")
