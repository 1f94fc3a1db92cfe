"""Single values: how a refusal shows one, and how one from a typed file becomes JSON.

Must not know rows, columns or files.
"""

import json
import math
from datetime import date, datetime, time
from typing import Any

SHOWN = 60


def shown(value: object) -> str:
    """Return the value as a refusal quotes it: control characters escaped, at most about 60 characters."""
    if isinstance(value, str):
        return repr(value) if len(value) <= SHOWN else repr(value[:SHOWN]) + " …"
    words = json.dumps(plain(value), ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
    return words if len(words) <= SHOWN else words[:SHOWN] + " …"


def listed(names: list[str], most: int = 20) -> str:
    """Return names joined by commas, the first ``most`` of them."""
    return ", ".join(repr(name)[1:-1][:SHOWN] for name in names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def plain(value: Any) -> Any:
    """Return the value as JSON can hold it: times in ISO 8601, NaN and infinities as null, bytes as text or else hexadecimal."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.hex()
    return str(value)
