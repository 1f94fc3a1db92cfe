"""One round of fine-tuning with self-training: train on people's labels, let that model label texts nobody has, train again with both.

Works on texts and arrays; a run and `simulate` both go through here. A run has its trainings done as tasks, which may be on another
machine; a cell of `simulate` is a task itself. Must not read the store, or judge what it trained but to find out whether pseudo-labels
help.

Schröder and Heyer (EMNLP 2024) use one such round a query. Both trainings begin with the plain encoder.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annot import encoders, quality, selftraining
from annot.compute import Executor, Needs, Telling, folders, shipping
from annot.compute.folders import Files
from annot.encoders import EncoderId
from annot.learners.finetune import Recipe, finetune
from annot.loop import learning
from annot.loop.targets import with_ancestors
from annot.records import Check
from annot.selftraining import PseudoLabels
from annot.situation import Situation

FOLDS = 2
# Texts nobody has labelled that a round may take pseudo-labels from, and that a check does with.
POOL, CHECK_POOL = 2_048, 1_024
NEEDS = Needs(cpus=4, gpu=True)

# Told the step and what is being done.
Tell = Callable[[int, str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What a round learns from: labelled ``texts`` (n) with ``targets`` (n, k), and unlabelled ``pool`` texts (u).

    ``parents`` (k,) is the place of each label's parent, -1 at the top.
    """

    base: EncoderId
    recipe: Recipe
    texts: Sequence[str]
    targets: NDArray[np.float32]
    pool: Sequence[str]
    parents: NDArray[np.int64]
    exclusive: bool
    method: str

    def known(self, rows: NDArray[np.integer]) -> tuple[list[str], NDArray[np.float32]]:
        return [self.texts[row] for row in rows], self.targets[rows]

    def situation(self, encoder: EncoderId, rows: NDArray[np.integer]) -> Situation:
        """Return all texts as ``encoder`` sees them, the labelled first, with nothing known but the labels of ``rows``."""
        vectors = encoders.load(encoder).encode([*self.texts, *self.pool])
        free = np.arange(len(self.texts), len(vectors))
        rng = np.random.default_rng(self.recipe.seed)
        return Situation(None, vectors, free, np.asarray(rows, np.int64), self.targets[rows], rng, self.exclusive)


def fine_tune(material: Material, out: Path, tell: Tell) -> tuple[EncoderId, int]:
    """Train on the labelled texts and, with a method, once more with the pseudo-labels that the first result chooses.

    Returns the encoder saved to ``out`` and the number of pseudo-labels it learned from. Raises ModelError as ``finetune`` does.
    """
    rows = np.arange(len(material.texts))
    encoder = _train(material, rows, None, out, lambda step: tell(step, "Fine-tuning"))
    if material.method == "none" or not len(material.pool):
        return encoder, 0
    situation = material.situation(encoder, rows)
    pseudo = _choose(material, situation)
    if not len(pseudo):
        return encoder, 0
    return _train(material, rows, pseudo, out, lambda step: tell(step, "Fine-tuning with pseudo-labels")), len(pseudo)


def check(material: Material, scratch: Path, tell: Tell) -> Check | None:
    """Find out whether the method helps: encoder and head with pseudo-labels against without, on labels neither has seen.

    FOLDS-fold cross-fitting over the labelled texts, both sides beginning with the plain encoder. Pseudo-labels come from the side
    without, so nothing of a fold's labels reaches the side that is judged on them. None where no fold's rest has texts to tell apart.
    """
    small = replace(material, pool=material.pool[:CHECK_POOL])
    rows = np.random.default_rng(material.recipe.seed).permutation(len(material.texts))
    before, after, found = [np.empty(0, bool)], [np.empty(0, bool)], []
    for fold in np.array_split(rows, FOLDS):
        learn = np.setdiff1d(rows, fold)
        if len(np.unique(small.targets[learn], axis=0)) < 2 or not len(fold):
            continue
        plain = small.situation(_train(small, learn, None, scratch, lambda step: tell(step, "Checking self-training")), learn)
        pseudo = _choose(small, plain)
        found.append(len(pseudo))
        right = _right(plain, None, fold, small)
        before.append(right)
        if len(pseudo):
            encoder = _train(small, learn, pseudo, scratch, lambda step: tell(step, "Checking self-training"))
            taught = small.situation(encoder, learn)
            right = _right(taught, _choose(small, taught), fold, small)
        after.append(right)
    shutil.rmtree(scratch, ignore_errors=True)
    judged = np.concatenate(before), np.concatenate(after)
    if not found:
        return None
    gain, error = quality.paired_difference(*judged)
    return Check(material.method, int(np.mean(found)), gain, error, len(judged[0]), run=True)


def fine_tune_each(
    executor: Executor, materials: Sequence[Material], outs: Sequence[Path], tell: Tell
) -> Iterator[tuple[int, EncoderId, int]]:
    """``fine_tune`` as tasks, of materials with one base: yield (place, encoder, number of pseudo-labels) as each is written to its out.

    A folder is written whole or not at all. ``tell`` hears of the steps of what is trained in this process only.
    """
    calls = [(material, Telling(tell)) for material in materials]
    base = materials[0].base
    for place, (files, pseudo) in shipping.stream(executor, _fine_tuned, base, calls, NEEDS):
        folders.write(files, outs[place])
        yield place, encoders.identify(str(outs[place])), pseudo


def check_apart(executor: Executor, material: Material, tell: Tell) -> Check | None:
    """``check`` as a task."""
    ((_, found),) = shipping.stream(executor, _checked, material.base, [(material, Telling(tell))], NEEDS)
    return found


def _fine_tuned(base: EncoderId, material: Material, tell: Tell) -> tuple[Files, int]:
    with tempfile.TemporaryDirectory(prefix="annot-run-") as folder:
        encoder, pseudo = fine_tune(replace(material, base=base), Path(folder) / "encoder", tell)
        return folders.read(encoder.path), pseudo


def _checked(base: EncoderId, material: Material, tell: Tell) -> Check | None:
    with tempfile.TemporaryDirectory(prefix="annot-check-") as folder:
        return check(replace(material, base=base), Path(folder) / "encoder", tell)


def _train(
    material: Material, rows: NDArray[np.integer], pseudo: PseudoLabels | None, out: Path, on_progress: Callable[[int], None]
) -> EncoderId:
    texts, targets = material.known(rows)
    weights = np.ones(len(texts), np.float32)
    if pseudo is not None:
        texts += [material.pool[place - len(material.texts)] for place in pseudo.indices]
        targets, weights = np.concatenate([targets, pseudo.labels]), np.concatenate([weights, pseudo.weights])
    targets = with_ancestors(targets, material.parents)
    return finetune(material.base, texts, targets, weights=weights, recipe=material.recipe, out=out, on_progress=on_progress)


def _choose(material: Material, situation: Situation) -> PseudoLabels:
    head = learning.fit(situation, material.recipe.seed)
    if head is None:
        return selftraining.choose("none", situation)
    return learning.pseudo_labels(situation, head, material.method, len(material.pool))


def _right(situation: Situation, pseudo: PseudoLabels | None, judged: NDArray[np.integer], material: Material) -> NDArray[np.bool_]:
    head = learning.fit(situation, material.recipe.seed, pseudo)
    assert head is not None
    said = learning.predict(head.proba(situation.vectors[judged]), material.exclusive)
    right: NDArray[np.bool_] = np.all(said == material.targets[judged], axis=1)
    return right
