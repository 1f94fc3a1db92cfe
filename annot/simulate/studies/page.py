"""``python -m annot simulate --study NAME``: run a study of the lead's numbers, keep its facts, and write docs/estimates.md from them.

Must not measure anything: each study does, and writes its own tables.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from annot import generated
from annot.errors import BadInput, UnknownName
from annot.simulate.studies import coverage, forecast, shadow

Facts = dict[str, Any]
MAKER = "python -m annot simulate --study NAME"
TITLES = {
    "coverage": "Do the intervals hold the truth?",
    "forecast": "Does the forecast hold?",
    "shadow": "Is the saving what it says?",
}
TABLES: dict[str, Callable[[Facts], list[str]]] = {"coverage": coverage.table, "forecast": forecast.table, "shadow": shadow.table}


def run(name: str, folders: list[Path], seeds: int, home: Path, results: Path) -> Facts:
    """Return the facts of a study: of ``folders``' data sets and so many projects each, or, a forecast's, of the curves in ``results``.

    Raises UnknownName, BadInput where data is missing.
    """
    if name == "forecast":
        return forecast.measure(results)
    if name not in TABLES:
        raise UnknownName("study", name, list(TABLES))
    if not folders:
        raise BadInput(f"A study of {name} needs data: --data FOLDER, e.g. --data ../shared/datasets/trec6.")
    if name == "shadow":
        return shadow.measure(folders, seeds, home)
    return coverage.measure(folders, range(seeds), home / "vectors")


def keep(name: str, facts: Facts, page: Path) -> None:
    """Put the facts beside ``page``, in place of those of the same study (of the same data sets, where it has rows of several), and
    write the page's tables from all that is there."""
    file = page.with_suffix(".json")
    known: Facts = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    known[name] = merged(name, known.get(name), facts)
    file.write_text(json.dumps(known, sort_keys=True) + "\n", "utf-8")
    lines: list[str] = []
    for one, table in TABLES.items():
        if one in known:
            lines += [f"## {TITLES[one]}", "", *table(known[one]), ""]
    generated.put(page, MAKER, "\n".join(lines), "What the lead's numbers are worth")


def merged(name: str, old: Facts | None, new: Facts) -> Facts:
    """Return the facts of both, the new ones where both have some of a data set."""
    if old is None or name == "forecast":
        return new
    part = "rows" if name == "coverage" else "cases"
    fresh = {row["data"] for row in new[part]}
    both = {**old, **new, part: [*(row for row in old[part] if row["data"] not in fresh), *new[part]]}
    return both | ({"curves": {**old["curves"], **new["curves"]}} if name == "shadow" else {})
