"""The fast tier: refit the head on all labels, score the pool, rewrite the queue, estimate quality. After every label.

Must not load torch: it works on cached vectors. One Ranker lives in the worker per project and keeps only what a query over the
database would rebuild, and the order it last asked in.

Audit items stay among what the selector ranks. One that it ranks before an item that people then got would have been asked by the model
too, had chance not been first: it is *released*, and is a training label from then on. So the audit items that are left are a uniform
sample of what the model has not asked for, and their labels are not lost to training (docs/estimates.md has what that is worth).
"""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from annot.compute.scoring import PoolScorer
from annot.learners.head import Head
from annot.loop import judging, learning
from annot.loop.drafting import Draft
from annot.loop.encoding import model_number, serving_encoder
from annot.loop.item_vectors import Vectors
from annot.loop.targets import pool_labels, settle
from annot.loop.texts import Texts
from annot.records import Check, Project, QueueRow, Ranking, Reason, Split
from annot.selectors.coldstart import zero_shot
from annot.settings import ProjectSettings, Workspace
from annot.store import Store

GUESSES = 5
CHOSEN_BY_MODEL = (Reason.UNCERTAIN, Reason.DIVERSE, Reason.RANDOM)


class Ranker:
    """Keeps one project's queue up to date. After a refresh ``classes`` counts the labels that occur among the training labels."""

    def __init__(self, workspace: Workspace, project: int, scorer: PoolScorer | None = None) -> None:
        """``scorer`` scores the pool elsewhere than in this process; None in it."""
        self._workspace = workspace
        self._project = project
        self._texts = Texts(workspace, scorer)
        self._seen: tuple[object, ...] | None = None
        self._estimated: tuple[int, int, int] | None = None
        self._head: Head | None = None
        self._asked: list[int] = []
        self._audit: set[int] = set()
        self._lease = 0
        self.classes = 0

    @property
    def missing(self) -> int:
        """How many items, and label names while they matter, have no vector yet."""
        return self._texts.missing

    def refresh(self, store: Store) -> Ranking | None:
        """Rewrite the queue if anything it rests on has changed; return its stamp, None when all was as before."""
        project = store.projects.get(self._project)
        encoder = serving_encoder(self._workspace, project)
        if self._texts.turn_to(encoder):
            self._head = self._seen = self._estimated = None
        newest_event = store.answers.newest_event(project.id)
        now_seen = (
            newest_event,
            *(store.items.newest_id(project.id, split) for split in Split),
            encoder.key,
            project.settings,
            store.twins.stamp(project.id),
            store.projects.labels(project.id),
        )
        if now_seen == self._seen and not self._texts.have_grown():
            return None
        vectors = self._texts.vectors(store, project)
        names = self._texts.names(store, project)
        ranking = self._rank(store, project, vectors, names, newest_event) if len(vectors[Split.POOL].ids) else None
        self._seen = now_seen
        return ranking

    def _rank(
        self, store: Store, project: Project, vectors: dict[Split, Vectors], names: NDArray[np.float16] | None, last_event: int
    ) -> Ranking:
        started = time.perf_counter()
        settings = ProjectSettings.parse(project.settings)
        self._release(store)
        draft = _begin(store, project, vectors[Split.POOL], settings, last_event)
        self.classes = int((draft.labelled.targets[draft.labelled.train].sum(axis=0) > 0).sum())
        situation = replace(draft.situation(project.exclusive), groups=self._texts.groups(store, project, draft.pool))
        model = model_number(store, project)
        method = learning.method_of(settings.self_training, project.exclusive)
        check = store.runs.newest_check(project.id, run=model > 0)
        used = method if learning.uses(check, method) else "none"
        learned = learning.learn(situation, used, settings.seed, self._head, self._texts.score)
        if learned is None:
            self._head, selector = None, settings.cold_start
            situation = replace(situation, prior=None if names is None else zero_shot(situation.vectors, names))
        else:
            self._head, selector = learned.head, settings.selector
            situation = replace(situation, proba=learned.proba)
        picked, asked = draft.pick(situation, selector)
        guess = Guesser(draft.label_ids, situation.proba)
        rows = [
            QueueRow(int(draft.pool.ids[place]), reason, value, chance, guess.at(place))
            for place, reason, value, chance in draft.with_audit(picked)
        ]
        pseudo = 0 if learned is None else len(learned.pseudo)
        ranking = Ranking(0, model, draft.spent, selector, time.perf_counter() - started, time.time(), pseudo)
        with store.unit():
            self._release(store)  # by the order that was asked in while this one was made
            store.queue.rewrite(project.id, rows, ranking, last_event)
            self._asked, self._lease = asked, store.queue.newest_lease()
            self._audit = set(draft.labelled.items[draft.labelled.audit].tolist())
        if learned is not None:
            self._judge(store, project, draft, learned, vectors, (last_event, model))
        if learned is not None and check_is_due(check, method, draft.spent, model):
            found = learning.check(situation, method, settings.seed)
            if found is not None:
                store.runs.note_check(project.id, replace(found, labels=draft.spent, model=model, at=time.time()))
        return ranking

    def _judge(
        self, store: Store, project: Project, draft: Draft, learned: learning.Learned, vectors: dict[Split, Vectors], now: tuple[int, int]
    ) -> None:
        """Note the estimates of what was learned, once for the same answers, model and test items. ``now`` is (last event, model)."""
        judged = (*now, len(vectors[Split.TEST].ids))
        if self._estimated == judged:
            return
        whole, seed = len(vectors[Split.POOL].ids), draft.settings.seed
        judge = judging.Judge(draft.pool, learned, draft.labelled, project.exclusive, whole, seed)
        store.runs.note(project.id, judge.estimates(vectors[Split.TEST], spent=draft.spent, model=now[1]))
        self._estimated = judged

    def _release(self, store: Store) -> None:
        """Release the audit items that stand before an item somebody took since, in the order last asked in."""
        got = store.queue.taken_since(self._project, self._lease, CHOSEN_BY_MODEL)
        last = max((place for place, item in enumerate(self._asked) if item in got), default=-1)
        store.queue.release(self._project, [item for item in self._asked[: last + 1] if item in self._audit], time.time())


def _begin(store: Store, project: Project, pool: Vectors, settings: ProjectSettings, last_event: int) -> Draft:
    """Return a draft of the queue as things stand: who has said what, who holds what, and the part of the pool that is looked at."""
    answers = list(store.answers.current(project.id))
    held = store.queue.held(project.id, time.time())
    released = store.queue.released(project.id)
    labels = store.projects.labels(project.id)
    labelled = settle(answers, labels, project.exclusive, released)
    rng = np.random.default_rng([settings.seed, last_event])
    taken = np.unique(np.array([*(answer.item for answer in pool_labels(answers)), *(item for item, _ in held)], np.int64))
    whole = len(pool.ids)
    left = whole - int((pool.places(taken) >= 0).sum())
    if settings.rank_at_most:
        pool = pool.part(settings.rank_at_most, np.array([answer.item for answer in answers], np.int64), rng)
    ids = [label.id for label in labels]
    return Draft(pool, answers, ids, labelled, held, settings, rng, len(released), left, len(pool.ids) / max(1, whole))


def check_is_due(check: Check | None, method: str, spent: int, model: int) -> bool:
    """Tell whether heads are to be checked (again): by another method, or after CHECK_EVERY more or fewer labels.

    Only on the plain encoder. One that was fine-tuned has seen the labels, so that a head on it gets them right either way; the run
    that made it has checked self-training itself.
    """
    if method == "none" or model > 0:
        return False
    return check is None or check.method != method or abs(spent - check.labels) >= learning.CHECK_EVERY


class Guesser:
    """The model's most likely labels of an item, for the panel."""

    def __init__(self, ids: Sequence[int], proba: NDArray[np.float32] | None) -> None:
        """``ids`` are those of the labels in the order of the columns of ``proba``."""
        self._ids = ids
        self._proba = proba

    def at(self, place: int) -> tuple[tuple[int, float], ...]:
        if self._proba is None:
            return ()
        best = np.argsort(-self._proba[place], kind="stable")[:GUESSES]
        return tuple((self._ids[column], round(float(self._proba[place, column]), 4)) for column in best)
