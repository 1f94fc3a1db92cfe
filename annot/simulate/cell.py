"""What one replay is: every choice that decides its outcome, and the named policies people compare. Must not run anything."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from annot.errors import BadInput, UnknownName
from annot.selftraining import names as methods
from annot.settings import ProjectSettings

# Schröder and Heyer (EMNLP 2024): 30 balanced labels to begin with, then queries of 10 up to 130.
FIRST, QUERY, LABELS = 30, 10, 130
DEFAULTS = ProjectSettings()


@dataclass(frozen=True, slots=True)
class Cell:
    """One replay. ``initial`` "balanced" draws the first labels evenly from all classes, which needs gold labels; "cold" asks the
    selector ``cold_start`` for them, as a real project must. ``runs_at`` are the label counts after which the encoder is fine-tuned,
    ``content`` a hash of the data's files.
    """

    data: str
    policy: str
    seed: int
    selector: str = DEFAULTS.selector
    cold_start: str = DEFAULTS.cold_start
    initial: str = "balanced"
    self_training: str = "none"
    guard: bool = True
    labels: int = LABELS
    first: int = FIRST
    query: int = QUERY
    runs_at: tuple[int, ...] = ()
    run_steps: int = DEFAULTS.run_steps
    objective: str = DEFAULTS.run_objective
    encoder: str = DEFAULTS.encoder
    pool: int = 2_000
    test: int = 1_000
    level: str = ""
    judge: str = "test"
    content: str = ""

    @property
    def key(self) -> str:
        """Return what tells this cell from every other: a hash of all its choices; of the data, its name alone."""
        facts = json.dumps(dataclasses.asdict(self) | {"data": Path(self.data).name}, sort_keys=True)
        return hashlib.sha256(facts.encode()).hexdigest()[:16]


SMALL_TEXT = "small-text"
# What the default does, but for self-training: tells what the guard lets through.
WITHOUT = "default_without_self_training"
# Goes on to four times the labels, so that it can be said how many of them random draws would have needed; and the whole pool.
LONG_RANDOM, LONGER, ALL = "random_4x", 4, "all"
# Which choices of a cell each policy makes; the rest are the project's defaults.
POLICIES: dict[str, dict[str, Any]] = {
    "random": {"selector": "random", "self_training": "none"},
    LONG_RANDOM: {"selector": "random", "self_training": "none"},
    ALL: {"selector": "random", "cold_start": "random", "initial": "cold", "self_training": "none"},
    "breaking_ties": {"selector": "breaking_ties", "self_training": "none"},
    **{
        f"breaking_ties+{method}": {"selector": "breaking_ties", "self_training": method, "guard": False}
        for method in methods()
        if method != "none"
    },
    "default": {"self_training": DEFAULTS.self_training, "initial": "cold"},
    **{f"default+{method}": {"self_training": method, "initial": "cold"} for method in methods() if method != "none"},
    WITHOUT: {"self_training": "none", "initial": "cold"},
    SMALL_TEXT: {"selector": "smalltext_breaking_ties", "self_training": "none"},
}


def make(data: str, policy: str, seed: int, **choices: Any) -> Cell:
    """Return the cell of a policy: one of POLICIES, or ``selector``, or ``selector+method``. Raises UnknownName, BadInput."""
    from annot import selectors, selftraining

    if policy in POLICIES:
        made = POLICIES[policy]
    else:
        selector, _, method = policy.partition("+")
        if selector not in selectors.names():
            raise UnknownName("policy", policy, list(dict.fromkeys([*POLICIES, *selectors.names()])))
        selftraining.methods.get(method or "none")
        made = {"selector": selector, "self_training": method or "none", "guard": False}
    cell = Cell(**{"data": data, "policy": policy, "seed": seed, "content": content_of(Path(data)), **made, **choices})
    if policy == LONG_RANDOM:
        more = (*cell.runs_at, 2 * cell.labels, LONGER * cell.labels) if cell.runs_at else ()
        cell = replace(cell, labels=LONGER * cell.labels, runs_at=more)
    if policy == ALL:
        cell = replace(cell, labels=cell.pool, first=cell.pool, runs_at=(cell.pool,) if cell.runs_at else ())
    if not 2 <= cell.first <= cell.labels or cell.query < 1:
        raise BadInput(f"A replay needs 2 or more first labels, at most {cell.labels} of them, and queries of 1 or more.")
    return cell


@cache
def content_of(path: Path) -> str:
    """Return a hash of the file, or of the files in the folder; empty where there is nothing, which reading it will say."""
    files = sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path] if path.is_file() else []
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16] if files else ""
