"""small-text's stopping criteria as votes, replayed over the stored predictions of one fixed stop set. Must not decide by them.

The classes are used as they are: KappaAverage (Bloodgood and Vijay-Shanker, CoNLL 2009), OverallUncertainty and ClassificationChange
(Zhu, Wang and Hovy, COLING 2008), DeltaFScore (Altschuler and Bloodgood, ICSC 2019; for two labels only, as its authors define it).
MaxIterations is left out: a fixed number of queries knows nothing of the project. None of them sees a label, so each speaks of a model
that no longer changes, not of a good one. small-text is imported inside functions, as it brings torch along (3 s the first time).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annot.errors import BadInput
from annot.quality.votes import Checkpoint, Says, Vote

# The criteria were made for queries of 10 or more labels: of checkpoints that lie closer some are passed over.
STEP = 10
WINDOW = 3
KAPPA = 0.99
DELTA_F = 0.05
CHANGED = 0.0
UNCERTAINTY = 0.05
# Rows the mean uncertainty rests on: small-text takes 160 microseconds for each (one core).
MOST_UNCERTAIN = 500


def criteria(
    checkpoints: Sequence[Checkpoint], labels: int, proba: NDArray[np.floating] | None = None, exclusive: bool = True
) -> list[Vote]:
    """Return a vote of each criterion on ``checkpoints``, oldest first, of a model with so many ``labels``.

    ``proba`` (m, k) is what the newest model says of the stop set, None where it is not known. Only the newest checkpoints that share the
    newest one's stop set are looked at, STEP labels apart. Raises BadInput where a prediction is no label or the shapes differ.
    """
    for one in checkpoints:
        if one.predicted.ndim != 1 or not np.all((one.predicted >= -1) & (one.predicted < labels)):
            raise BadInput(f"The predictions at {one.labels} labels must be labels 0 to {labels - 1}, or -1 for none.")
    recent = _recent(checkpoints)
    votes = [_kappa(recent, labels), _change(recent, labels)]
    if exclusive and labels == 2:
        votes.append(_delta_f(recent))
    return [*votes, _uncertainty(proba, labels, exclusive)]


def _recent(checkpoints: Sequence[Checkpoint]) -> list[Checkpoint]:
    """Return the newest checkpoint and up to WINDOW before it on the same stop set, each STEP labels or more after the last."""
    kept: list[Checkpoint] = []
    for one in reversed(checkpoints):
        if kept and len(one.predicted) != len(kept[-1].predicted):
            break
        if not kept or kept[-1].labels - one.labels >= STEP:
            kept.append(one)
    return kept[WINDOW::-1]


def _silent(name: str, recent: list[Checkpoint], needed: int) -> Vote | None:
    """Return the vote of a criterion that has too little to look at, None where it has enough.

    A model that takes everything for one label never changes, though it has learned nothing yet.
    """
    if len(recent) < needed:
        return Vote(name, Says.UNSURE, f"{len(recent)} of {needed} checkpoints, {STEP} labels apart, so far")
    if len(np.unique(recent[-1].predicted)) < 2:
        return Vote(name, Says.UNSURE, "the model takes every text for the same label")
    return None


def _kappa(recent: list[Checkpoint], labels: int) -> Vote:
    from small_text.stopping_criteria import KappaAverage

    if vote := _silent("kappa", recent, WINDOW + 1):
        return vote
    criterion = KappaAverage(labels + 1, window_size=WINDOW, kappa=KAPPA)  # one more for none
    stops = _replay(criterion, [one.predicted + 1 for one in recent])
    mean = float(np.mean(criterion.kappa_history))
    why = f"successive models agree on {len(recent[-1].predicted):,} texts with a mean kappa of {mean:.3f}; {KAPPA} or more says stop"
    return Vote("kappa", Says.STOP if stops else Says.GO_ON, why, counts=True)


def _change(recent: list[Checkpoint], labels: int) -> Vote:
    from small_text.stopping_criteria import ClassificationChange

    if vote := _silent("change", recent, 2):
        return vote
    before, now = recent[-2:]
    stops = _replay(ClassificationChange(labels, threshold=CHANGED), [before.predicted, now.predicted])
    changed = int((before.predicted != now.predicted).sum())
    why = f"the last {now.labels - before.labels} labels changed {changed} of {len(now.predicted):,} predictions; none says stop"
    return Vote("change", Says.STOP if stops else Says.GO_ON, why, counts=True)


def _delta_f(recent: list[Checkpoint]) -> Vote:
    """Vote by the change of F1 of the rarer label, which its authors call the positive one."""
    from small_text.stopping_criteria import DeltaFScore

    if vote := _silent("delta_f", recent, WINDOW + 1):
        return vote
    rare = int(np.argmin(np.bincount(recent[-1].predicted[recent[-1].predicted >= 0], minlength=2)))
    criterion = DeltaFScore(2, window_size=WINDOW, threshold=DELTA_F)
    stops = _replay(criterion, [(one.predicted == rare).astype(np.int64) for one in recent])
    largest = float(np.max(criterion.delta_history))
    why = f"F1 of the rarer label is predicted to change by {largest:.3f} at most from model to model; under {DELTA_F} says stop"
    if np.isnan(largest):
        return Vote("delta_f", Says.UNSURE, "successive models found no text with the rarer label")
    return Vote("delta_f", Says.STOP if stops else Says.GO_ON, why, counts=True)


def _uncertainty(proba: NDArray[np.floating] | None, labels: int, exclusive: bool) -> Vote:
    """Vote by the mean entropy, of each label alone where several may hold. It counts only where it says stop.

    The head on cached vectors is regularised so much that its mean entropy never fell under 0.45 of the largest on seven data sets up
    to 600 labels, however good it was: not being under the paper's threshold says nothing.
    """
    from small_text.stopping_criteria import OverallUncertainty

    rows = np.empty((0, 2)) if proba is None else np.asarray(proba, np.float64)
    if proba is not None and rows.shape[1:] != (labels,):
        raise BadInput(f"The probabilities of the stop set must have {labels} columns, got shape {rows.shape}.")
    if not exclusive:
        rows = np.stack([rows.ravel(), 1 - rows.ravel()], axis=1)
    if not len(rows) or rows.shape[1] < 2 or not np.all(rows >= 0) or not np.all(rows.sum(axis=1) > 0):
        return Vote("uncertainty", Says.UNSURE, "no probabilities of the stop set")
    some = np.unique(np.linspace(0, len(rows) - 1, MOST_UNCERTAIN).astype(np.int64))
    stops = OverallUncertainty(rows.shape[1], threshold=UNCERTAINTY).stop(proba=rows, indices_stopping=some)
    if stops:
        return Vote("uncertainty", Says.STOP, f"the model's mean uncertainty is under {UNCERTAINTY} of the largest possible", counts=True)
    return Vote(
        "uncertainty", Says.UNSURE, f"the model's mean uncertainty is not under {UNCERTAINTY} of the largest possible, as heads rarely are"
    )


def _replay(criterion: Any, predictions: Sequence[NDArray[np.integer]]) -> bool:
    """Show the criterion the predictions in turn and return what it says of the last."""
    says = False
    with np.errstate(all="ignore"):
        for one in predictions:
            says = bool(criterion.stop(predictions=one))
    return says
