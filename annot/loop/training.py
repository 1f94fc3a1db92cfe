"""The deep tier: fine-tune the encoder on the labels so far, re-encode, and publish it only if it is not worse.

Runs in a child process of the worker. Must not touch the queue: the ranker notices the published encoder by itself.

The gate compares candidate and present model on labels neither has learned from: audit labels (never trained on), and
labels given since the present encoder was trained, predicted by two-fold cross-fitting (each half by an encoder trained without
it). The second kind was chosen by the model, so its figures are used for this decision only and never shown as quality.
"""

import dataclasses
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annot import compute, encoders, quality
from annot.compute import Executor
from annot.encoders import EncoderId
from annot.learners import head as heads
from annot.learners.finetune import Recipe
from annot.loop import learning, rounds
from annot.loop.encoding import Progress, encode_project, run_folder, serving_encoder
from annot.loop.learning import predict
from annot.loop.targets import Labelled, parents_of, pool_labels, settle
from annot.records import Check, Label, Project, Run, RunState, Split
from annot.settings import ProjectSettings, Workspace
from annot.store import Store

FOLDS = 2
# Steps of a gate fold relative to the run's: enough to see a failed recipe, cheap enough to do every time.
GATE_STEPS_SHARE = 0.5
# Self-training is checked again when labels have grown to so many times what they were; a check costs about two more trainings.
CHECK_AGAIN = 1.5
TRAINED_ON = "training_items.json"


def run_is_due(store: Store, project: Project, spent: int) -> bool:
    """Tell whether enough labels came since the newest run (whatever became of it) to start another."""
    every = ProjectSettings.parse(project.settings).run_every
    newest = store.runs.newest(project.id)
    return every > 0 and spent - (newest.labels if newest else 0) >= every


def fail_unfinished(store: Store) -> None:
    """Close the runs a killed process left open; what they had written is never looked at."""
    for run in store.runs.unfinished():
        store.runs.finish(
            run.id, RunState.FAILED, time.time(), error="The process was stopped before the run ended. Nothing was published."
        )


def perform_run(workspace: Workspace, store: Store, project: Project, tell: Progress) -> Run:
    """Train, judge and, if not worse, publish. Returns the closed run; an exception leaves it failed and the old encoder serving."""
    answers = list(store.answers.current(project.id))
    labels = store.projects.labels(project.id)  # after the answers, whose labels are all among them then
    spent = len(pool_labels(answers))
    labelled = settle(answers, labels, project.exclusive, store.queue.released(project.id))
    run = store.runs.start(project.id, spent, time.time())
    started = time.perf_counter()
    try:
        texts = dict(zip(labelled.items.tolist(), store.items.texts(labelled.items.tolist()), strict=True))
        with compute.executor(on_wait=lambda: tell(0, 0, "Fine-tuning on the cluster")) as executor:
            trial = Trial(workspace, store, project, labels, labelled, texts, run, tell, executor)
            check = trial.check_self_training()
            method = check.method if check is not None and check.helps else "none"
            ((_, candidate, pseudo),) = trial.fine_tune([trial.material(method, labelled.train)], [run_folder(workspace, run.id)])
            gate = trial.gate(candidate, method)
        card = trial.card(candidate, gate) | {"self_training": {"method": method, "pseudo_labels": pseudo}}
        if gate.passed:
            encode_project(workspace, store, project, candidate, tell)
        card["seconds"] = round(time.perf_counter() - started, 1)
        (run_folder(workspace, run.id) / TRAINED_ON).write_text(json.dumps(labelled.items[labelled.train].tolist()))
        (run_folder(workspace, run.id) / "card.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n")
        store.runs.finish(run.id, RunState.PUBLISHED if gate.passed else RunState.REJECTED, time.time(), card)
        if not gate.passed:
            _keep_only_the_card(run_folder(workspace, run.id))
    except BaseException as fault:
        shutil.rmtree(run_folder(workspace, run.id), ignore_errors=True)
        shutil.rmtree(run_folder(workspace, run.id).with_suffix(".gate"), ignore_errors=True)
        store.runs.finish(run.id, RunState.FAILED, time.time(), error=str(fault) or type(fault).__name__)
        raise
    return store.runs.get(run.id)


def _keep_only_the_card(folder: Path) -> None:
    """Free the disk of a model that nobody will load."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "card.json":
            path.unlink()


@dataclass(frozen=True, slots=True)
class Gate:
    """Shares right of the present and the candidate model on the same ``n`` labels, and the paired difference."""

    present: quality.Interval
    candidate: quality.Interval
    difference: float
    standard_error: float
    audit_labels: int

    @property
    def passed(self) -> bool:
        """Not worse: the candidate is not below the present model by more than one standard error of the paired difference."""
        return self.difference >= -self.standard_error


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate on its way: the data it may learn from and the means to train and judge it."""

    workspace: Workspace
    store: Store
    project: Project
    labels: list[Label]  # as they were when the run began: a lead may add one meanwhile
    labelled: Labelled
    texts: dict[int, str]
    run: Run
    tell: Progress
    executor: Executor

    @property
    def settings(self) -> ProjectSettings:
        return ProjectSettings.parse(self.project.settings)

    def recipe(self, share: float) -> Recipe:
        settings = self.settings
        return Recipe(
            objective=settings.run_objective,
            steps=max(1, round(settings.run_steps * share)),
            seed=settings.seed,
            tuning=settings.run_tuning,
            layer_decay=settings.run_layer_decay,
            balance=settings.run_balance,
            patience=settings.run_patience,
        )

    def material(self, method: str, rows: NDArray[np.bool_], share: float = 1.0) -> rounds.Material:
        """Return what a round learns from: the labels of ``rows`` and, with a method, a random part of what nobody has labelled."""
        texts = [self.texts[item] for item in self.labelled.items[rows].tolist()]
        pool = [] if method == "none" else self._unlabelled()
        base = encoders.identify(self.settings.encoder)
        targets, parents = self.labelled.targets[rows], parents_of(self.labels)
        return rounds.Material(base, self.recipe(share), texts, targets, pool, parents, self.project.exclusive, method)

    def _unlabelled(self) -> list[str]:
        items = np.array([item for item, _ in self.store.items.hashes(self.project.id, Split.POOL)], np.int64)
        free = np.setdiff1d(items, self.labelled.items)
        return self.store.items.texts(np.random.default_rng(self.settings.seed).permutation(free)[: rounds.POOL].tolist())

    def fine_tune(self, materials: list[rounds.Material], outs: list[Path], what: str = "") -> Iterator[tuple[int, EncoderId, int]]:
        """Do ``rounds.fine_tune_each``, telling ``what``, or what is being done, of each step."""
        return rounds.fine_tune_each(self.executor, materials, outs, lambda step, doing: self.told(step, what or doing))

    def told(self, step: int, what: str) -> None:
        """Tell of a step of a training; some have fewer steps than the run itself."""
        self.tell(step, self.settings.run_steps, f"{what}. {self.executor.note}" if self.executor.note else what)

    def check_self_training(self) -> Check | None:
        """Find out anew whether self-training helps, once labels have grown by half since the last time; else return what was found then.

        A check of another method does not count. None where there is no method, or nothing to check it on.
        """
        method = learning.method_of(self.settings.self_training, self.project.exclusive)
        if method == "none":
            return None
        last = self.store.runs.newest_check(self.project.id, run=True)
        if last is not None and last.method == method and self.run.labels < CHECK_AGAIN * last.labels:
            return last
        material = self.material(method, self.labelled.train, GATE_STEPS_SHARE)
        found = rounds.check_apart(self.executor, material, self.told)
        if found is not None:
            found = dataclasses.replace(found, labels=self.run.labels, model=self.run.number, at=time.time())
            self.store.runs.note_check(self.project.id, found)
        return found

    def gate(self, candidate: EncoderId, method: str) -> Gate:
        present = serving_encoder(self.workspace, self.project)
        audit = self.labelled.audit & ~self.labelled.test
        old, new = [self._judge(present, self.labelled.train, audit)], [self._judge(candidate, self.labelled.train, audit)]
        scratch = run_folder(self.workspace, self.run.id).with_suffix(".gate")
        folds = [fold for fold in self._folds() if self._can_learn(self.labelled.train & ~fold)]
        if folds:
            materials = [self.material(method, self.labelled.train & ~fold, GATE_STEPS_SHARE) for fold in folds]
            outs = [scratch / str(place) for place in range(len(folds))]
            for place, without, _ in self.fine_tune(materials, outs, "Checking the recipe on held-out labels"):
                learn = self.labelled.train & ~folds[place]
                old.append(self._judge(present, learn, folds[place]))
                new.append(self._judge(without, learn, folds[place]))
            shutil.rmtree(scratch)
        before, after = np.concatenate(old), np.concatenate(new)
        difference, error = quality.paired_difference(before, after)
        n = len(before)
        return Gate(quality.wilson(int(before.sum()), n), quality.wilson(int(after.sum()), n), difference, error, int(audit.sum()))

    def _can_learn(self, rows: NDArray[np.bool_]) -> bool:
        return int((self.labelled.targets[rows].sum(axis=0) > 0).sum()) >= 2

    def _folds(self) -> list[NDArray[np.bool_]]:
        """Split the training labels of items the present encoder has not seen into folds."""
        fresh = self.labelled.train
        if self.project.published_run is not None:
            seen = json.loads((run_folder(self.workspace, self.project.published_run) / TRAINED_ON).read_text())
            fresh = fresh & ~np.isin(self.labelled.items, seen)
        unseen = np.random.default_rng([self.settings.seed, self.run.number]).permutation(np.flatnonzero(fresh))
        folds = []
        for part in np.array_split(unseen, FOLDS):
            fold = np.zeros(len(self.labelled), bool)
            fold[part] = True
            if len(part):
                folds.append(fold)
        return folds

    def _judge(self, encoder: EncoderId, learn: NDArray[np.bool_], judge: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which of the ``judge`` rows a head on this encoder, fitted on the ``learn`` rows, gets right."""
        if not judge.any():
            return np.empty(0, bool)
        engine = encoders.load(encoder)
        learned, judged = (engine.encode([self.texts[item] for item in self.labelled.items[rows].tolist()]) for rows in (learn, judge))
        head = heads.fit(learned, self.labelled.targets[learn], exclusive=self.project.exclusive, weights=None, seed=self.settings.seed)
        right: NDArray[np.bool_] = np.all(predict(head.proba(judged), self.project.exclusive) == self.labelled.targets[judge], axis=1)
        return right

    def card(self, candidate: EncoderId, gate: Gate) -> dict[str, Any]:
        base = encoders.identify(self.settings.encoder)
        return {
            "project": self.project.name,
            "run": self.run.number,
            "folder": run_folder(self.workspace, self.run.id).name,
            "encoder": {"base": base.name, "base_key": base.key, "key": candidate.key, "dimensions": candidate.dimensions},
            "labels_spent": self.run.labels,
            "training_labels": int(self.labelled.train.sum()),
            "labels_per_class": dict(
                zip(
                    (label.name for label in self.labels),
                    self.labelled.targets[self.labelled.train].sum(axis=0).astype(int).tolist(),
                    strict=True,
                )
            ),
            "recipe": dataclasses.asdict(self.recipe(1.0)),
            "gate": {
                "note": "Decides publication only; rests partly on labels the model chose, so it is not an estimate of quality.",
                "present": dataclasses.asdict(gate.present),
                "candidate": dataclasses.asdict(gate.candidate),
                "difference": round(gate.difference, 4),
                "standard_error": round(gate.standard_error, 4),
                "audit_labels": gate.audit_labels,
                "passed": gate.passed,
            },
        }
