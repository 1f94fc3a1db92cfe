"""Frozen records as JSON and back: what a stored report is made of. Standard library only; must know no record by name.

Takes dataclasses of numbers, strings, booleans, enums, None, other such dataclasses, and tuples or lists of these. Infinity and NaN are
kept in storage (``thaw(freeze(x)) == x``); ``plain`` leaves them out, for JSON that leaves Annot.
"""

import dataclasses
import json
import math
import types
import typing
from enum import Enum
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def freeze(record: Any) -> str:
    """Return the record as JSON, from which ``thaw`` makes it again."""
    return json.dumps(_simple(record))


def thaw(kind: type[T], text: str) -> T:
    """Return the record of ``kind`` that ``freeze`` wrote. Raises ValueError, KeyError or TypeError where it was another's."""
    made: T = _restored(kind, json.loads(text))
    return made


def plain(record: Any) -> Any:
    """Return the record as what JSON knows, None in place of infinity and NaN."""
    return _simple(record, finite=True)


def _simple(value: Any, finite: bool = False) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _simple(getattr(value, field.name), finite) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [_simple(one, finite) for one in value]
    if finite and isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@cache
def _fields(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _restored(kind: Any, value: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        (inner,) = (one for one in typing.get_args(kind) if one is not types.NoneType)
        return None if value is None else _restored(inner, value)
    if origin in (tuple, list):
        inner = typing.get_args(kind)
        of = [inner[0]] * len(value) if origin is list or inner[-1] is Ellipsis else inner
        return origin(_restored(one, part) for one, part in zip(of, value, strict=True))
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return kind(**{name: _restored(of, value[name]) for name, of in _fields(kind).items()})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    return float(value) if kind is float else value
