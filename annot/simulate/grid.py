"""Running many cells: each once, several at a time, every finished one kept. Results are one JSON line of facts a cell.

Must not judge or draw them: see ``report``.
"""

import dataclasses
import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from annot import __version__, compute
from annot.compute import Executor, Needs
from annot.compute.base import Handle, Shared
from annot.errors import AnnotError, BadInput
from annot.settings import machine_cache
from annot.simulate.cell import SMALL_TEXT, Cell
from annot.simulate.data import Dataset, load

PACKAGES = ("torch", "transformers", "small-text", "scikit-learn", "numpy")
# Above this share of one label, always answering it would look like a good model.
UNEVEN = 0.75
# A cell's figures must not depend on how many run beside it.
NEEDS = Needs(cpus=1, gpu=True)

Done = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Result:
    """One finished cell: its choices and the score to compare by, the points of its curve, the guard's checks, and what it ran on."""

    key: str
    cell: dict[str, Any]
    points: list[dict[str, Any]]
    checks: list[dict[str, Any]]
    seconds: float
    versions: dict[str, str]
    machine: str
    finished_at: float


def read(path: Path) -> list[Result]:
    """Return the results in a file, none where there is no file; a line cut short by a kill counts as not there. Raises BadInput."""
    if not path.exists():
        return []
    lines = path.read_text("utf-8").split("\n")
    found = []
    for number, line in enumerate(lines, 1):
        try:
            if line:
                found.append(Result(**json.loads(line)))
        except (ValueError, TypeError):
            if number < len(lines):
                raise BadInput(f"{path}, line {number}: not a result of simulate. Choose another --out, or mend the line.") from None
    return found


def run(cells: Sequence[Cell], out: Path, cache: Path, jobs: int, done: Done = lambda words: None) -> list[Result]:
    """Run the cells that ``out`` does not hold yet, ``jobs`` at a time; return the results of all of them.

    A cell that fails is told of and left out; it will be tried again the next time. Raises AnnotError where none could be run.
    """
    known = {result.key: result for result in read(out)}
    missing = [cell for cell in dict.fromkeys(cells) if cell.key not in known]
    _cut_torn_line(out)
    for cell in cells:
        if cell not in missing:
            done(f"{cell.policy} on {Path(cell.data).name}, seed {cell.seed}: known")
    faults: list[str] = []
    with compute.executor(jobs) as executor:
        for cell, outcome in _outcomes(executor, missing, cache):
            words = f"{cell.policy} on {Path(cell.data).name}, seed {cell.seed}"
            if isinstance(outcome, str):
                faults.append(f"{words}: {outcome}")
                done(faults[-1])
                continue
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(dataclasses.asdict(outcome)) + "\n")
            known[outcome.key] = outcome
            last = outcome.points[-1]
            done(f"{words}: {last['accuracy']:.3f} at {last['labels']} labels in {outcome.seconds:.0f} s")
    if faults and not any(cell.key in known for cell in cells):
        raise AnnotError(f"No cell could be run. The first one said: {faults[0]}")
    return [known[cell.key] for cell in dict.fromkeys(cells) if cell.key in known]


def _outcomes(executor: Executor, cells: Sequence[Cell], cache: Path) -> Iterator[tuple[Cell, Result | str]]:
    """Yield each cell with its result, or with what went wrong, as it ends. Each data set is read once, here, and shared."""
    cache.mkdir(parents=True, exist_ok=True)
    shared: dict[int, Shared[Dataset]] = {}
    sent: list[Cell] = []
    unread: list[tuple[Cell, Result | str]] = []

    def calls() -> Iterator[tuple[Any, ...]]:
        for cell in cells:
            try:
                dataset = load(Path(cell.data), cell.pool, cell.test, cell.level, cell.judge)
            except AnnotError as fault:
                unread.append((cell, str(fault)))
                continue
            if id(dataset) not in shared:
                shared[id(dataset)] = executor.share(dataset)
            sent.append(cell)
            yield cell, shared[id(dataset)], cache

    for place, outcome in executor.stream(attempt, calls(), NEEDS):
        yield sent[place], outcome
    yield from unread


def attempt(cell: Cell, dataset: Handle[Dataset], cache: Path) -> Result | str:
    """Run one cell as a task. What goes wrong in it is returned as words: it must not cost the others.

    On a machine that does not see ``cache``, vectors are kept in its own.
    """
    here = cache if cache.is_dir() else machine_cache() / "simulate-vectors"
    try:
        return perform(cell, dataset.get(), here)
    except Exception as fault:
        return str(fault) if isinstance(fault, AnnotError) else f"{type(fault).__name__}: {fault}"


def perform(cell: Cell, dataset: Dataset, cache: Path) -> Result:
    """Run one cell in this process."""
    from threadpoolctl import threadpool_limits

    started = time.perf_counter()
    with threadpool_limits(1):
        if cell.policy == SMALL_TEXT:
            from annot.simulate.peers import small_text_loop

            points, checks = small_text_loop(cell, dataset), []
        else:
            from annot.simulate.replay import replay

            state = replay(cell, dataset, cache)
            points, checks = state.points, state.checks
    versions = {"annot": __version__} | {name: version(name) for name in PACKAGES}
    facts = json.loads(json.dumps(dataclasses.asdict(cell))) | {
        "data": Path(cell.data).name,
        "metric": metric(dataset),
        "texts": dataset.pool,
    }
    seconds = round(time.perf_counter() - started, 1)
    return Result(
        cell.key, facts, [dataclasses.asdict(point) for point in points], checks, seconds, versions, platform.machine(), round(time.time())
    )


def metric(dataset: Dataset) -> str:
    """Return the score to compare by: macro-F1 where several labels may hold or one is most of the test part, else accuracy."""
    uneven = dataset.targets[dataset.test].mean(axis=0).max() > UNEVEN
    return "accuracy" if dataset.exclusive and not uneven else "macro_f1"


def _cut_torn_line(path: Path) -> None:
    """Cut off what a killed writer left of its last line, so that the next result begins one of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and (content := path.read_bytes()) and not content.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)
