"""The catalogues of interface text, one flat JSON object a language: key -> sentence with {names} to fill in.

Responsible for reading them. Another language is another file with the same keys. A sentence that counts something has
one key per plural form (`.one`, `.other`).
"""

import json
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
DEFAULT = "en"


def languages() -> list[str]:
    """Return the codes of the languages there are."""
    return sorted(path.stem for path in HERE.glob("*.json"))


@cache
def catalogue(language: str = DEFAULT) -> dict[str, str]:
    """Return the sentences of a language ("de", "de-AT"); English where it is not known."""
    code = language.split("-")[0].lower()
    path = HERE / f"{code if code in languages() else DEFAULT}.json"
    sentences: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return sentences
