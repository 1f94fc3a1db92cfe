"""Do the intervals of the quality estimates hold the truth as often as they say? Projects replayed on the plain encoder's vectors.

Must not be used to choose what an estimate is: constants were chosen on other seeds than those reported (SEEDS_FROM).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annot import encoders, quality, selectors, twins
from annot.loop import judging, learning
from annot.quality import Interval
from annot.selectors.coldstart import zero_shot
from annot.settings import ProjectSettings
from annot.simulate import data
from annot.simulate.replay import plain_vectors
from annot.situation import Situation

TEXTS, POOL = 6_000, 3_000
AUDITS = (30, 60, 120)
# One in four asked is an audit item, so that 120 of them need 480 answers, not 1,200; so many are asked between two heads.
AUDIT_SHARE = 0.25
BETWEEN = 40
DEFAULTS = ProjectSettings()


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A project when it has so many audit labels: what the model says of its pool, who knows what of it, and the truth."""

    proba: NDArray[np.float32]  # (n, k)
    targets: NDArray[np.float32]  # (n, k)
    trained: NDArray[np.int64]  # places of the pool that were labelled because the model or the cold start chose them
    audit: NDArray[np.int64]  # places drawn at random, in the order they were drawn
    exclusive: bool


def moments(dataset: data.Dataset, vectors: NDArray[np.float16], names: NDArray[np.float16], seed: int) -> Iterator[Moment]:
    """Replay one project with gold answers and yield it at each count of AUDITS. Its pool is a random part of ``dataset``."""
    rng = np.random.default_rng(seed)
    part = np.sort(rng.permutation(len(dataset.texts))[:POOL])
    vectors, targets = vectors[part], dataset.targets[part]
    nobody = np.empty(0, np.int64)
    start = Situation(
        None,
        vectors,
        np.arange(len(part)),
        nobody,
        targets[:0],
        rng,
        dataset.exclusive,
        prior=zero_shot(vectors, names),
        groups=twins.leaders(vectors),
    )
    trained, audit, due = nobody, nobody, list(AUDITS)
    while due:
        free = np.setdiff1d(start.pool, np.concatenate([trained, audit]))
        drawn = rng.choice(free, round(BETWEEN * AUDIT_SHARE), replace=False)
        audit = np.concatenate([audit, drawn])
        now = replace(start, pool=np.setdiff1d(start.pool, trained), labelled=trained, targets=targets[trained])
        learned = learning.learn(now, "none", seed)
        selector, proba = (DEFAULTS.cold_start, None) if learned is None else (DEFAULTS.selector, learned.proba)
        wanted = selectors.select(selector, replace(now, proba=proba), BETWEEN - len(drawn) + len(audit)).indices
        asked = np.cumsum(~np.isin(wanted, audit)) <= BETWEEN - len(drawn)
        trained = np.concatenate([trained, wanted[asked]])  # an audit item the model asks for becomes a training label
        audit = audit[~np.isin(audit, trained)]
        if len(audit) >= due[0]:
            learned = learning.learn(replace(now, labelled=trained, targets=targets[trained]), "none", seed)
            if learned is not None:
                yield Moment(learned.proba, targets, trained, audit[: due.pop(0)], dataset.exclusive)


def open_dataset(path: Path, cache: Path) -> tuple[data.Dataset, NDArray[np.float16], NDArray[np.float16]]:
    """Return a data set's training texts with their vectors and those of its label names."""
    dataset = data.load(path, TEXTS, 1, "parent" if path.name == "clinc150" else "")
    vectors, names = plain_vectors(dataset, encoders.identify(DEFAULTS.encoder), cache)
    return dataset, vectors, names


# One project's interval: how far its value is from the truth, whether the interval holds it, and how wide it is.
Hit = tuple[float, bool, float]
ACCURACY = ("pool", "wilson", "wilson_and_known", "ppi", "stratified")
MACRO_F1 = ("macro_f1", "macro_f1_bootstrap")


def hits(moment: Moment, seed: int) -> dict[str, Hit]:
    """Return what each method makes of the accuracy on the whole pool, and two of macro-F1, against the truth."""
    predicted = learning.predict(moment.proba, moment.exclusive)
    right, sure = np.all(predicted == moment.targets, axis=1), quality.confidence(moment.proba, moment.exclusive)
    labelled = np.concatenate([moment.trained, moment.audit])
    rest = np.setdiff1d(np.arange(len(right)), labelled)
    sample = judging.pool_sample(
        moment.proba, moment.exclusive, labelled, moment.targets[labelled], np.arange(len(labelled)) >= len(moment.trained)
    )
    audit = right[moment.audit]
    uniform = quality.wilson(int(audit.sum()), len(audit))
    whole, true_f1 = float(right.mean()), quality.macro_f1(moment.targets, predicted).value
    of = partial(_of_pool, int(right[labelled].sum()), len(labelled), len(rest))
    found = {
        "pool": (quality.pool_accuracy(sample), whole),
        "wilson": (uniform, whole),
        "wilson_and_known": (of(uniform), whole),
        "ppi": (_prediction_powered(audit.astype(float), sure[moment.audit], sure[rest]), whole),
        "stratified": (of(_stratified(right[rest], sure[rest], len(audit), seed)), whole),
        "macro_f1": (quality.label_quality(sample, seed=seed).macro_f1, true_f1),
        "macro_f1_bootstrap": (quality.macro_f1(moment.targets[moment.audit], predicted[moment.audit], seed), true_f1),
    }
    return {name: (one.value - truth, one.low <= truth <= one.high, one.high - one.low) for name, (one, truth) in found.items()}


def _of_pool(known_right: int, known: int, rest: int, interval: Interval) -> Interval:
    """Return the interval of the pool where the labelled items are counted and the rest is estimated."""
    value, low, high = ((known_right + rest * bound) / (known + rest) for bound in (interval.value, interval.low, interval.high))
    return Interval(value, low, high, interval.n)


def _prediction_powered(right: NDArray[np.float64], sure: NDArray[np.float64], rest: NDArray[np.float64]) -> Interval:
    """Return the plain prediction-powered interval of Angelopoulos et al. (Science 2023): the model's confidence as it stands."""
    missed = right - sure
    value = float(rest.mean() + missed.mean())
    half = NormalDist().inv_cdf(0.95) * float(np.sqrt(missed.var(ddof=1) / len(right) + rest.var() / len(rest)))
    return Interval(value, value - half, value + half, len(right))


def _stratified(right: NDArray[np.bool_], sure: NDArray[np.float64], n: int, seed: int) -> Interval:
    """Return what ``n`` fresh audit items would give, drawn by five strata of confidence (Neyman 1934): the interval of Agresti and
    Coull at the effective number of items. No growing project has such a sample: its model changes after each draw."""
    rng = np.random.default_rng(seed)
    strata = np.array_split(np.argsort(sure, kind="stable"), 5)
    spread = [np.sqrt(max(0.02, np.clip(sure[one].mean(), 0, 1) * (1 - np.clip(sure[one].mean(), 0, 1)))) * len(one) for one in strata]
    sizes = [max(2, round(n * one / sum(spread))) for one in spread]
    value, variance = 0.0, 0.0
    for one, size in zip(strata, sizes, strict=True):
        drawn, part = right[rng.choice(one, size, replace=False)], len(one) / len(right)
        smooth = (drawn.sum() + 1) / (size + 2)
        value, variance = value + part * float(drawn.mean()), variance + part**2 * smooth * (1 - smooth) / size
    kept = float(np.clip(value, 0.5 / n, 1 - 0.5 / n))
    worth = kept * (1 - kept) / variance
    return replace(quality.wilson(value * worth, worth), n=n)


def measure(folders: Sequence[Path], seeds: Sequence[int], cache: Path, tell: Callable[[str], None] = print) -> dict[str, Any]:
    """Return for each data set, method and number of audit labels: bias, coverage and width, means over the projects of ``seeds``."""
    rows = []
    for folder in folders:
        dataset, vectors, names = open_dataset(folder, cache)
        found: dict[int, list[dict[str, Hit]]] = {n: [] for n in AUDITS}
        for seed in seeds:
            for moment in moments(dataset, vectors, names, seed):
                found[len(moment.audit)].append(hits(moment, seed))
        for n, projects in found.items():
            for method in (*ACCURACY, *MACRO_F1):
                bias, covered, width = np.array([one[method] for one in projects], float).mean(axis=0)
                rows.append({"data": dataset.name, "audit": n, "method": method, "projects": len(projects), "bias": round(bias, 4),
                             "covered": round(covered, 4), "width": round(width, 4)})  # fmt: skip
        tell(f"coverage on {dataset.name}: {len(seeds)} projects")
    return {"pool": POOL, "rows": rows}


def table(facts: dict[str, Any]) -> list[str]:
    """Return what was measured as Markdown."""
    value = {(row["data"], row["audit"], row["method"]): row for row in facts["rows"]}
    sets = list(dict.fromkeys(row["data"] for row in facts["rows"]))
    lines: list[str] = []
    for title, methods in (("Accuracy", ACCURACY), ("Macro-F1", MACRO_F1)):
        lines += ["", f"| {title}, 90 % intervals: covered, width, bias | audit labels | {' | '.join(SHOWN[one] for one in methods)} |"]
        lines.append("|---|---|" + "---|" * len(methods))
        for data_set in sets:
            for n in AUDITS:
                cells = (value[data_set, n, method] for method in methods)
                lines.append(f"| {data_set} | {n} | " + " | ".join(map(_cell, cells)) + " |")
        for n in AUDITS:
            mean = [
                {key: float(np.mean([value[one, n, method][key] for one in sets])) for key in ("covered", "width", "bias")}
                for method in methods
            ]
            lines.append(f"| **mean** | {n} | " + " | ".join(map(_cell, mean)) + " |")
    return lines[1:]


SHOWN = {
    "pool": "**ours**",
    "wilson": "Wilson",
    "wilson_and_known": "Wilson on the rest, labelled items counted",
    "ppi": "prediction-powered",
    "stratified": "fresh sample by strata of confidence",
    "macro_f1": "**ours**",
    "macro_f1_bootstrap": "percentile bootstrap of audit items",
}


def _cell(row: dict[str, Any]) -> str:
    return f"{100 * row['covered']:.0f} %, {100 * row['width']:.1f}, {100 * row['bias']:+.1f}"
