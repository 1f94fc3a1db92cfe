"""Reading JSON Lines: one JSON object a line, UTF-8.

NaN and infinities, which are not JSON but are often written, are read as null. Must not give meaning to keys.
"""

import io
import json
import math
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from annot.errors import BadInput
from annot.formats.registries import reader
from annot.formats.rows import Problem, Record, Table
from annot.formats.source import LONGEST_RECORD, Source, undecodable
from annot.formats.values import shown

LOOKED_AT = 1000  # objects whose keys together are the columns
LOOKED_AT_BYTES = 4_000_000
DEEPEST = 100
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
WHITE = " \t\r\n"


def _finite(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


_decode = json.JSONDecoder(parse_constant=lambda name: None, parse_float=_finite).decode


@reader("jsonl", ".jsonl", ".ndjson")
def read_jsonl(source: Source) -> Table:
    """Open JSON Lines. The columns are the keys of its first 1,000 objects, in the order they appear."""
    stream = source.open()
    records = _records(source, stream)
    begun: list[Record | Problem] = []
    columns: dict[str, None] = {}
    with source.faults():
        for record in records:
            begun.append(record)
            if not isinstance(record, Problem):
                columns |= dict.fromkeys(record[1])
            if len(begun) >= LOOKED_AT or stream.tell() > LOOKED_AT_BYTES:
                break
    if not columns:
        if not begun:
            raise BadInput(f"{source.name} is empty. Choose a file with one JSON object a line.")
        first = next((record for record in begun if isinstance(record, Problem)), Problem(1, "The object is empty."))
        raise BadInput(
            f"{source.name} has no JSON object with keys in its first {len(begun)} lines; each line must be one, such as"
            f' {{"text": "…"}}. Line {first.line}: {first.reason}'
        )
    return Table(list(columns), chain(begun, records))


def _records(source: Source, stream: io.BufferedReader) -> Iterator[Record | Problem]:
    number = 0
    readline = stream.readline
    while raw := readline(LONGEST_RECORD + 1):
        number += 1
        source.line = number
        if len(raw) > LONGEST_RECORD:
            while raw and not raw.endswith(b"\n"):
                raw = readline(LONGEST_RECORD)
            yield Problem(number, f"The line is longer than {LONGEST_RECORD:,} bytes, far over the 1 MB of a text; it was skipped.")
            continue
        try:
            line = raw.decode().rstrip(WHITE)
        except UnicodeDecodeError as fault:
            yield Problem(number, undecodable(raw, fault.start))
            continue
        if line:
            value = _parse(line)
            yield (number, value) if isinstance(value, dict) else Problem(number, value)


def _parse(line: str) -> dict[str, Any] | str:
    """Return the object, or why there is none."""
    try:
        value = _decode(line)
    except json.JSONDecodeError as fault:
        return f"This is not JSON: {fault.msg} at column {fault.pos + 1}, near {shown(line[fault.pos : fault.pos + 20])}."
    except (ValueError, RecursionError) as fault:
        return f"This JSON cannot be read: {'nested too deep' if isinstance(fault, RecursionError) else fault}."
    if not isinstance(value, dict):
        return f'The line is {shown(line)}, a JSON object such as {{"text": "…"}} was expected.'
    if "\\u" in line and SURROGATE.search(line):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as fault:
            return f"The line holds half a character (the lone surrogate \\u{ord(fault.object[fault.start]):04x}). Write both halves."
        except RecursionError:
            return f"The JSON is nested more than {DEEPEST} levels deep."
    if line.count("[") + line.count("{") > DEEPEST and _deeper(value, DEEPEST):
        return f"The JSON is nested more than {DEEPEST} levels deep."
    return value


def _deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper(part, levels - 1) for part in parts)
