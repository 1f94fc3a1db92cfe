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


def known(locale: str | None) -> str:
    """Return the code of the language a browser asks for ("de-AT": "de"); English where it is not known."""
    code = (locale or DEFAULT).split("-")[0].lower()
    return code if code in languages() else DEFAULT


@cache
def catalogue(language: str = DEFAULT) -> dict[str, str]:
    """Return the sentences of a language; English where it is not known."""
    path = HERE / f"{known(language)}.json"
    sentences: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return sentences


def say(locale: str | None, key: str) -> str:
    """Return one sentence in the language a browser asks for."""
    return catalogue(known(locale))[key]
