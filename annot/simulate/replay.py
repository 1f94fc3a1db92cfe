"""One replay from the first label to the last: ask, answer with gold, learn, judge on the test part. Must not write results."""

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annot import encoders, quality, selectors, twins
from annot.encoders import EncoderId
from annot.learners.finetune import Recipe
from annot.loop import learning, rounds
from annot.loop.training import GATE_STEPS_SHARE
from annot.records import Check
from annot.selectors.coldstart import zero_shot
from annot.simulate.cell import Cell
from annot.simulate.data import Dataset
from annot.situation import Situation
from annot.vectors import VectorCache, content_hash

Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Point:
    """Quality on the test part at so many labels; ``model`` counts the fine-tuned encoders, ``pseudo`` the pseudo-labels in use."""

    labels: int
    accuracy: float
    macro_f1: float
    model: int
    pseudo: int
    seconds: float


@dataclass(slots=True)
class Replay:
    """The state of one replay. Places are rows of ``dataset.texts``, of which the first ``dataset.pool`` may be asked."""

    cell: Cell
    dataset: Dataset
    vectors: NDArray[np.float16]
    prior: NDArray[np.float32]
    groups: NDArray[np.int64]
    rng: np.random.Generator
    labelled: list[int] = field(default_factory=list)
    proba: NDArray[np.float32] | None = None
    pseudo: Any = None
    used: bool = False
    model: int = 0
    points: list[Point] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)

    def situation(self) -> Situation:
        places = np.array(self.labelled, np.int64)
        free = np.setdiff1d(np.arange(self.dataset.pool), places)
        return Situation(
            self.proba,
            self.vectors,
            free,
            places,
            self.dataset.targets[places],
            self.rng,
            self.dataset.exclusive,
            prior=self.prior,
            groups=self.groups,
        )

    def begin(self) -> None:
        if self.cell.initial == "balanced":
            self.labelled = balanced(self.dataset, self.cell.first, self.rng)
        else:
            self.labelled = selectors.select(self.cell.cold_start, self.situation(), self.cell.first).indices.tolist()

    def ask(self) -> None:
        """Ask for one query's worth of items, and have them answered."""
        most = min(self.cell.query, self.cell.labels - len(self.labelled))
        self.labelled += selectors.select(self.cell.selector, self.situation(), most).indices.tolist()

    def learn(self) -> None:
        """Refit the head as the ranker does. On the plain encoder the guard decides first; later the newest run's check stands."""
        situation, method = self.situation(), self.method
        if method != "none" and not self.cell.guard:
            self.used = True
        elif method != "none" and self.model == 0:
            self.note(learning.check(situation, method, self.cell.seed))
        learned = learning.learn(situation, method if self.used else "none", self.cell.seed)
        self.proba, self.pseudo = (None, None) if learned is None else (learned.proba, learned.pseudo)

    @property
    def method(self) -> str:
        return learning.method_of(self.cell.self_training, self.dataset.exclusive)

    def note(self, found: Check | None) -> None:
        if found is not None:
            self.checks.append({**asdict(found), "labels": len(self.labelled), "helps": found.helps})
        self.used = found is not None and found.helps

    def judge(self) -> None:
        """Note the quality on the test part."""
        self.points.append(point(self, time.perf_counter() - self.started))

    def run(self, scratch: Path) -> None:
        """Do what a run does, but for its gate: check self-training, fine-tune in a round of it if it helps, re-encode everything."""
        places = np.array(self.labelled, np.int64)
        targets = self.dataset.targets[places]
        if (targets.sum(axis=0) > 0).sum() < 2:
            return
        free = np.setdiff1d(np.arange(self.dataset.pool), places)
        material = rounds.Material(
            encoders.identify(self.cell.encoder),
            Recipe(objective=self.cell.objective, steps=self.cell.run_steps, seed=self.cell.seed),
            [self.dataset.texts[place] for place in places],
            targets,
            [self.dataset.texts[place] for place in np.random.default_rng(self.cell.seed).permutation(free)[: rounds.POOL]],
            np.full(len(self.dataset.labels), -1),
            self.dataset.exclusive,
            self.method,
        )
        if material.method != "none" and self.cell.guard:
            shorter = replace(material.recipe, steps=max(1, round(material.recipe.steps * GATE_STEPS_SHARE)))
            self.note(rounds.check(replace(material, recipe=shorter), scratch / "check", lambda step, what: None))
            material = material if self.used else replace(material, method="none")
        tuned, _ = rounds.fine_tune(material, scratch / "encoder", lambda step, what: None)
        self.vectors = encoders.load(tuned).encode(self.dataset.texts)
        self.model += 1


def point(state: Replay, seconds: float) -> Point:
    """Return the quality of the present model on the test part."""
    truth = state.dataset.targets[state.dataset.test]
    said = np.zeros_like(truth) if state.proba is None else learning.predict(state.proba[state.dataset.test], state.dataset.exclusive)
    accuracy, macro_f1 = (round(float(one.value), 4) for one in (quality.accuracy(truth, said), quality.macro_f1(truth, said)))
    pseudo = 0 if state.pseudo is None else len(state.pseudo)
    return Point(len(state.labelled), accuracy, macro_f1, state.model, pseudo, round(seconds, 1))


def replay(cell: Cell, dataset: Dataset, cache: Path, tell: Tell = lambda labels: None) -> Replay:
    """Run one cell to its end. ``cache`` keeps the plain encoder's vectors for the next cell."""
    base = encoders.identify(cell.encoder)
    vectors, names = plain_vectors(dataset, base, cache)
    state = Replay(
        cell, dataset, vectors, zero_shot(vectors, names), twins.leaders(vectors[: dataset.pool]), np.random.default_rng(cell.seed)
    )
    state.groups = np.concatenate([state.groups, np.full(len(dataset.texts) - dataset.pool, -1)])
    scratch = Path(tempfile.mkdtemp(prefix="annot-simulate-"))
    most = min(cell.labels, dataset.pool)
    due = sorted({min(labels, dataset.pool) for labels in cell.runs_at})
    try:
        state.begin()
        while True:
            state.learn()
            if due and len(state.labelled) >= due[0]:
                due = [labels for labels in due if labels > len(state.labelled)]
                state.run(scratch)
                state.learn()
            state.judge()
            tell(len(state.labelled))
            if len(state.labelled) >= most:
                return state
            state.ask()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def plain_vectors(dataset: Dataset, base: EncoderId, folder: Path) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Return the vectors of all texts and of the label names, encoded at most once."""
    cache = VectorCache(folder / base.key, base.dimensions)
    wanted = [*dataset.texts, *dataset.labels]
    keys = [content_hash(text) for text in wanted]
    missing = np.flatnonzero(cache.rows(keys) < 0)
    if len(missing):
        cache.append([keys[place] for place in missing], encoders.load(base).encode([wanted[place] for place in missing]))
    found = np.asarray(cache.matrix[cache.rows(keys)])
    return found[: len(dataset.texts)], found[len(dataset.texts) :]


def balanced(dataset: Dataset, n: int, rng: np.random.Generator) -> list[int]:
    """Draw ``n`` pool places, class by class in turn, as HAST's experiments and small-text's balanced initialisation begin."""
    targets = dataset.targets[: dataset.pool]
    classes = [rng.permutation(np.flatnonzero(column)).tolist() for column in targets.T]
    turns = chain.from_iterable(zip_longest(*classes))
    return list(dict.fromkeys(place for place in turns if place is not None))[:n]
