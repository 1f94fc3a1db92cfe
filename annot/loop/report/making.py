"""Making a project's report: a background job, as it learns a head, replays labels and draws curves for some seconds.

Must not decide what is asked or published: what it says is read by people only. Quality rests on the test split where there is one,
else on audit items.
"""

import io
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from annot import encoders, frozen
from annot.loop.encoding import Progress
from annot.loop.report.curve import judge_labels, look_ahead, measured_curve, target_of, thinned
from annot.loop.report.findings import find_held_back
from annot.loop.report.look import Look
from annot.loop.report.record import Change, Memory, Milestone, Report, earlier
from annot.loop.report.shadow import Shadow, shadow
from annot.loop.report.weighing import weigh
from annot.loop.report.worlds import Material
from annot.quality.effort import effort
from annot.records import Project, Reason, Split
from annot.settings import ProjectSettings, Workspace
from annot.store import Store
from annot.store.reports import Stored

# New labels after which a report is made again: so many, or so large a share of the labels there are. It takes some 7 s of one core.
EVERY, EVERY_SHARE = 20, 0.05
STOP_SET, CHECKPOINTS = 500, 8
# So many earlier reports, and changes of strategy, are remembered.
MILESTONES, CHANGES = 40, 10
# Where more of the labels than this share came with a file or were chosen by hand, the saving is not the model's.
OTHERS_SHARE = 0.1


def is_due(store: Store, project: Project, spent: int) -> bool:
    """Tell whether labels have come, or the model, the label set or a setting it rests on changed, since the newest report."""
    last = store.reports.newest(project.id)
    before, _ = earlier(last)
    if last is None or before is None or last.model != (project.published_run or 0) or before.stamp != stamp_of(store, project):
        return True
    return abs(spent - last.labels) >= max(EVERY, EVERY_SHARE * last.labels)


def stamp_of(store: Store, project: Project) -> str:
    """Return what a report must be made anew for when it changes."""
    chosen = ProjectSettings.parse(project.settings)
    labels = [(label.id, label.title) for label in store.projects.labels(project.id)]
    test = store.items.newest_id(project.id, Split.TEST)
    return json.dumps([encoders.identify(chosen.encoder).key, chosen.target, chosen.target_metric, chosen.min_gain, labels, test])


def report_project(workspace: Workspace, store: Store, project: Project, tell: Progress) -> bool:
    """Make the project's report and keep it; False where no model can be made of the labels yet."""
    started = time.perf_counter()
    tell(0, 3, "Judging the model")
    before, memory = earlier(store.reports.newest(project.id))
    look = Look.at(workspace, store, project)
    if look is None:
        return False
    memory = remember(look, memory)
    tell(1, 3, "Comparing with random labelling")
    beside = compare_with_random(look)
    tell(2, 3, "Looking ahead")
    report = replace(assemble(look, before, memory, beside), seconds=round(time.perf_counter() - started, 2))
    head = io.BytesIO()
    np.savez(head, encoder=np.array(look.encoder), **look.learned.head.to_arrays())
    facts, remembered = frozen.freeze(report), frozen.freeze(memory)
    store.reports.replace(project.id, Stored(report.labels, project.published_run or 0, report.at, facts, remembered, head.getvalue()))
    tell(3, 3, "The report is made")
    return True


def compare_with_random(look: Look) -> Shadow:
    labelled, plain = look.draft.labelled, look.plain
    others = sum(answer.split is Split.POOL and answer.reason in (Reason.IMPORTED, Reason.CHOSEN) for answer in look.answers)
    if others > OTHERS_SHARE * look.spent:
        words = f"The saving is not known: {others} of {look.spent} labels came with a file or were chosen by hand, not by the model."
        return Shadow((), None, None, False, words)
    places = plain.places(labelled.items)
    mine = ~labelled.test & (places >= 0)
    free = np.setdiff1d(np.arange(len(plain.ids)), places[mine])
    arms = Material(plain.matrix, free, places[mine], labelled.targets[mine], labelled.audit[mine], look.project.exclusive)
    return shadow(replace(arms, selector=look.settings.selector), look.settings.seed)


def remember(look: Look, before: Memory) -> Memory:
    """Return the memory with what this model takes the stop set for, as one checkpoint more."""
    ids = tuple(label for label, _ in look.labels)
    items, kept = before.items, before.checkpoints
    places = look.draft.pool.places(np.array(items, np.int64))
    if ids != before.labels or not len(items) or (places < 0).any():
        items = tuple(sorted(look.draft.rng.choice(look.draft.pool.ids, min(STOP_SET, len(look.draft.pool.ids)), replace=False).tolist()))
        places, kept = look.draft.pool.places(np.array(items, np.int64)), ()
    top = tuple(ids[column] for column in look.learned.proba[places].argmax(axis=1))
    kept = tuple(one for one in kept if one[0] < look.spent)
    return Memory(items, ids, (*kept, (look.spent, top))[-CHECKPOINTS:])


def assemble(look: Look, before: Report | None, memory: Memory, beside: Shadow) -> Report:
    judged = look.judged
    per_label = judge_labels(look)
    metric, curve = measured_curve(look, judged.source)
    ahead = look_ahead(look, metric, curve)
    work = effort(look.given_here)
    f1 = tuple((row.label, row.f1.value, row.f1.low, row.f1.high) for row in per_label)
    passed = tuple(one for one in before.history if one.labels < look.spent) if before else ()
    history = thinned((*passed, Milestone(look.spent, work.hours, look.model, f1)), MILESTONES)
    return Report(
        labels=look.spent,
        at=time.time(),
        model=look.model,
        source=judged.source,
        metric=metric,
        target=target_of(look, metric),
        released=len(look.store.queue.released(look.project.id)),
        audit=int((look.draft.labelled.audit & ~look.draft.labelled.test).sum()),
        curve=curve,
        per_label=per_label,
        history=tuple(history),
        effort=work,
        forecast=ahead,
        shadow=beside,
        verdict=weigh(look, metric, curve, ahead, work, memory),
        held_back=find_held_back(look),
        seconds=0.0,
        stamp=stamp_of(look.store, look.project),
        changes=changes(look.store.queue.strategies(look.project.id)),
    )


def changes(strategies: Sequence[tuple[int, str, bool]]) -> tuple[Change, ...]:
    """Put in words at how many labels the query strategy or the use of pseudo-labels changed, the newest CHANGES of them."""
    found: list[Change] = []
    for (_, before, used), (labels, selector, uses) in pairwise(strategies):
        words = [] if selector == before else [f"{selector} after {before}"]
        words += [] if uses == used else [f"self-training {'on' if uses else 'off'}"]
        found.append(Change(labels, ", ".join(words)))
    return tuple(found[-CHANGES:])
