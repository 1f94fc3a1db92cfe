"""How near is the shadow random arm to what random labelling really gives? Projects replayed with gold labels on the plain encoder.

Must not be used to choose what it reports on: the constants of `loop.shadow` were chosen on TUNED_ON with seeds from TUNING_SEED on.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annot import encoders, selectors, twins
from annot.errors import BadInput
from annot.learners import head as heads
from annot.loop import learning
from annot.loop.report.shadow import LEVEL, MIN_AUDIT, shadow
from annot.loop.report.worlds import MULTIPLES, Material
from annot.selectors.coldstart import zero_shot
from annot.settings import ProjectSettings
from annot.simulate import data
from annot.simulate.replay import plain_vectors
from annot.situation import Situation

# Of so many training texts some are never asked for, and judge all heads; of the others each project's pool is a random part.
TEXTS, ASKED, POOL = 4_000, 2_500, 2_000
CHECKPOINTS = (60, 130, 260, 520)
# So many are asked between two heads.
QUERY = 10
# The truth: random draws at these counts, more of them where a head is quickly fitted.
COUNTS = tuple(np.unique(np.round(np.geomspace(15, ASKED, 17)).astype(int)).tolist())
DRAWS, COSTLY, COSTLY_DRAWS = 12, 500, 5
TUNED_ON, TUNING_SEED = ("mr", "trec6", "ag_news"), 100
DEFAULTS = ProjectSettings()

Facts = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """A data set cut in two: what projects may ask for, and what judges their heads and nobody learns from."""

    name: str
    vectors: NDArray[np.float16]
    targets: NDArray[np.float32]
    names: NDArray[np.float16]
    judges: NDArray[np.float32]
    truth: NDArray[np.float32]
    exclusive: bool

    def accuracy(self, places: NDArray[np.int64]) -> float:
        """Return the accuracy on the judging texts of a head of the texts at ``places``."""
        targets = self.targets[places]
        if not targets.any():
            return float("nan")
        head = heads.fit(np.asarray(self.vectors[places], np.float32), targets, self.exclusive)
        return float(np.all(learning.predict(head.proba(self.judges), self.exclusive) == self.truth, axis=1).mean())


@dataclass(frozen=True, slots=True)
class Case:
    """One project at one checkpoint: the truth, and what the shadow said of it. Heights are accuracies, ``equal`` counts of labels."""

    data: str
    seed: int
    labels: int
    audits: int
    active: float
    equal: float
    random: list[float]
    told: Facts
    seconds: float


def open_ground(path: Path, cache: Path) -> Ground:
    """Read a data set's training texts, a hierarchy's at the upper level, with their vectors. Raises BadInput where there are too few."""
    dataset = data.load(path, TEXTS, 1, "parent" if (path / "hierarchy.json").is_file() and path.name != "trec50" else "")
    vectors, names = plain_vectors(dataset, encoders.identify(DEFAULTS.encoder), cache)
    order = np.random.default_rng(99).permutation(dataset.pool)
    share = round(dataset.pool * ASKED / TEXTS)
    if share < 2 * CHECKPOINTS[-1]:
        raise BadInput(f"{path} has {dataset.pool} texts; this study needs {2 * CHECKPOINTS[-1] * TEXTS // ASKED}.")
    asked, judging = np.sort(order[:share]), np.sort(order[share:])
    judges = np.asarray(vectors[judging], np.float32)
    return Ground(dataset.name, vectors[asked], dataset.targets[asked], names, judges, dataset.targets[judging], dataset.exclusive)


def random_curve(ground: Ground) -> list[float]:
    """Return the mean accuracy of heads of random draws at COUNTS."""
    found = np.full((DRAWS, len(COUNTS)), np.nan)
    for draw in range(DRAWS):
        order = np.random.default_rng([7, draw]).permutation(len(ground.vectors))
        for column, count in enumerate(COUNTS):
            if draw < COSTLY_DRAWS or count < COSTLY:
                found[draw, column] = ground.accuracy(order[:count])
    return [float(height) for height in np.nanmean(found, axis=0)]


def project(ground: Ground, seed: int, most: int) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[int, int]]:
    """Replay a project by its default settings; return its pool, places in it as they were asked, and its audit items among them, each
    with the number of answers after which it was released.

    Audit items are woven in as `loop.drafting` does, and released as `loop.ranking` does.
    """
    rng = np.random.default_rng(seed)
    pool = np.sort(rng.permutation(len(ground.vectors))[:POOL])
    vectors, targets = ground.vectors[pool], ground.targets[pool]
    start = Situation(
        None, vectors, pool, pool, targets, rng, ground.exclusive, prior=zero_shot(vectors, ground.names), groups=twins.leaders(vectors)
    )
    asked: list[int] = []
    released_at: dict[int, int] = {}  # audit items: after how many answers the model asked for each, a large number where it has not
    while len(asked) < most:
        audit = [place for place, at in released_at.items() if at > len(asked)]
        free, train = np.setdiff1d(np.arange(len(pool)), asked), np.setdiff1d(np.array(asked, np.int64), audit)
        now = replace(start, pool=np.union1d(free, np.array(audit, np.int64)), labelled=train, targets=targets[train])
        learned = learning.learn(now, "none", DEFAULTS.seed)
        selector = DEFAULTS.cold_start if learned is None else DEFAULTS.selector
        now = replace(now, proba=None if learned is None else learned.proba)
        picked = iter(selectors.select(selector, now, 2 * QUERY + len(audit)).indices.tolist())
        drawn = iter(rng.permutation(free).tolist())
        for _ in range(QUERY):
            if len(audit) + 1 <= DEFAULTS.audit_share * (len(asked) + 1) + 1e-9:
                asked.append(next(place for place in drawn if place not in asked))
                audit.append(asked[-1])
                released_at[asked[-1]] = most + 1
                continue
            for place in picked:
                if place not in asked:
                    asked.append(place)
                    break
                released_at[place] = len(asked)
                audit.remove(place)
    return pool, np.array(asked, np.int64), released_at


def cases(ground: Ground, seeds: Iterable[int], curve: Sequence[float]) -> list[Case]:
    """Return each project at each checkpoint."""
    rising, found = np.maximum.accumulate(curve), []
    for seed in seeds:
        pool, asked, released_at = project(ground, seed, CHECKPOINTS[-1])
        for labels in CHECKPOINTS:
            audits = np.array([released_at.get(place, 0) > labels for place in asked[:labels].tolist()])
            now = pool[asked[:labels]]
            active = ground.accuracy(now[~audits])
            equal = float(np.exp(np.interp(active, rising, np.log(COUNTS)))) if active < rising[-1] else float("inf")
            arms = Material(ground.vectors, np.setdiff1d(pool, now), now, ground.targets[now], audits, ground.exclusive, DEFAULTS.selector)
            began = time.perf_counter()
            told = shadow(arms, seed)
            seconds = time.perf_counter() - began
            random = np.interp(np.log([max(point.labels, 1) for point in told.curve]), np.log(COUNTS), curve).tolist()
            found.append(Case(ground.name, seed, labels, int(audits.sum()), active, equal, random, asdict(told), seconds))
    return found


def measure(datasets: list[Path], seeds: int, home: Path) -> Facts:
    """Replay ``seeds`` projects of each data set; return each data set's true curve and cases. ``home`` holds the cached vectors."""
    facts: Facts = {"seeds": seeds, "curves": {}, "cases": []}
    for path in datasets:
        ground = open_ground(path, home / "vectors")
        curve = random_curve(ground)
        facts["curves"][ground.name] = {"labels": list(COUNTS), "accuracy": curve}
        facts["cases"] += [asdict(case) for case in cases(ground, range(seeds), curve)]
    return facts


def table(facts: Facts) -> list[str]:
    """Return Markdown tables of the curve and of the saving, a line a data set and checkpoint; then of all, and of the untuned ones."""
    told = [case for case in facts["cases"] if case["told"]["saved"]]
    groups = [(name, labels, _of(told, name, labels)) for name in facts["curves"] for labels in CHECKPOINTS]
    groups += [("all", labels, _of(told, "", labels)) for labels in CHECKPOINTS]
    groups += [
        ("no constant chosen on", labels, [one for one in _of(told, "", labels) if one["data"] not in TUNED_ON]) for labels in CHECKPOINTS
    ]
    groups = [group for group in groups if group[2]]
    curve = [
        "| data | labels | projects | error at 1x, 2x, 4x | bias | interval holds | error of the gap | its bias |",
        "|---|" + "---:|" * 7,
    ]
    curve += [f"| {name} | {labels} | {_curve_cells(group)} |" for name, labels, group in groups]
    saving = [
        "| data | labels | true saving | estimated | error | of saying 1.0 | holds | shown | shown and holds |",
        "|---|" + "---:|" * 8,
    ]
    saving += [f"| {name} | {labels} | {_saving_cells(group)} |" for name, labels, group in groups]
    silent = sorted({case["labels"] for case in facts["cases"]} - {case["labels"] for case in told})
    notes = [f"At {labels} labels nothing is said: fewer than {MIN_AUDIT} of them are audit labels." for labels in silent]
    return [
        *notes,
        "",
        f"Errors in points of accuracy (means of absolute ones); intervals of {LEVEL:.0%}. The gap is how far random draws are behind.",
        "",
        *curve,
        "",
        "Savings in times the labels, cut at the curve's end: median, and the tenth and ninetieth percentile of projects. Their errors in",
        "doublings (medians of absolute ones), beside those of always saying that nothing is saved.",
        "",
        *saving,
    ]


def _of(cases: list[Facts], name: str, labels: int) -> list[Facts]:
    return [case for case in cases if name in ("", case["data"]) and case["labels"] == labels]


def _curve_cells(group: list[Facts]) -> str:
    errors, beside, held = [], [], []
    for case in group:
        row, active = [np.nan] * 3, case["told"]["active"]["value"]
        for point, true in zip(case["told"]["curve"], case["random"], strict=True):
            doublings = round(np.log2(point["labels"] / case["labels"]))
            if doublings >= 0:
                row[doublings] = point["value"] - true
                beside.append((active - point["value"]) - (case["active"] - true))
                held.append(point["low"] <= true <= point["high"])
        errors.append(row)
    found, gaps = 100 * np.array(errors), 100 * np.array(beside)
    by_multiple = ", ".join(f"{error:.1f}" for error in np.nanmean(np.abs(found), axis=0))
    return f"{len(group)} | {by_multiple} | {np.nanmean(found):+.1f} | {np.mean(held):.0%} | {np.abs(gaps).mean():.1f} | {gaps.mean():+.1f}"


def _saving_cells(group: list[Facts]) -> str:
    true, told = (np.array(factors) for factors in zip(*map(_factors, group), strict=True))
    saved = [case["told"]["saved"] for case in group]
    held = np.array([one["low"] <= case["equal"] <= one["high"] for one, case in zip(saved, group, strict=True)])
    known = np.array([case["told"]["known"] for case in group])
    shown = f"{held[known].mean():.0%}" if known.any() else "–"
    errors = [np.median(np.abs(np.log2(true) - other)) for other in (np.log2(told), 0)]
    spreads = " | ".join(_spread(factors) for factors in (true, told))
    return f"{spreads} | {errors[0]:.2f} | {errors[1]:.2f} | {held.mean():.0%} | {known.mean():.0%} | {shown}"


def _factors(case: Facts) -> tuple[float, float]:
    """Return the true and the estimated saving, cut at the ends of the curve."""
    ends = min(MULTIPLES), max(point["labels"] for point in case["told"]["curve"]) / case["labels"]
    return float(np.clip(case["equal"] / case["labels"], *ends)), float(np.clip(case["told"]["saved"]["value"] / case["labels"], *ends))


def _spread(factors: NDArray[np.float64]) -> str:
    low, middle, high = (f"{factor:.2f}" for factor in np.quantile(factors, [0.1, 0.5, 0.9], method="nearest"))
    return f"{middle} ({low} to {high})"
