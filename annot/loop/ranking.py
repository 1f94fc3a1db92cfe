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
from typing import cast

import numpy as np
from numpy.typing import NDArray

from annot.compute.scoring import PoolScorer
from annot.encoders import EncoderId
from annot.learners import head as heads
from annot.loop import judging, learning
from annot.loop.drafting import Draft
from annot.loop.encoding import cache_of, label_texts, serving_encoder
from annot.loop.item_vectors import Index, Vectors
from annot.loop.targets import settle
from annot.records import Check, Kind, Label, Project, QueueRow, Ranking, Reason, Split
from annot.selectors.coldstart import zero_shot
from annot.settings import ProjectSettings, Workspace
from annot.store import Store
from annot.vectors import Rows, VectorCache, content_hash

GUESSES = 5
# While texts are being encoded the queue waits for so many more of them before it is rewritten for their sake alone.
GROWTH = 0.02
CHOSEN_BY_MODEL = (Reason.UNCERTAIN, Reason.DIVERSE, Reason.RANDOM)


class Ranker:
    """Keeps one project's queue up to date.

    After a refresh ``missing`` counts the items, and label names while they matter, without a vector, and ``classes`` the labels that
    occur among the training labels.
    """

    def __init__(self, workspace: Workspace, project: int, scorer: PoolScorer | None = None) -> None:
        """``scorer`` scores the pool elsewhere than in this process; None in it."""
        self._workspace = workspace
        self._project = project
        self._scorer = scorer
        self._index: dict[Split, Index] = {}
        self._cache: tuple[str, VectorCache] | None = None
        self._seen: tuple[object, ...] | None = None
        self._encoded = self._unranked = 0
        self._estimated: tuple[int, int, int] | None = None
        self._head: heads.Head | None = None
        self._twins: tuple[str, NDArray[np.int64]] | None = None
        self._asked: list[int] = []
        self._audit: set[int] = set()
        self._lease = 0
        self.missing = 0
        self.classes = 0

    def refresh(self, store: Store) -> Ranking | None:
        """Rewrite the queue if anything it rests on has changed; return its stamp, None when all was as before."""
        project = store.projects.get(self._project)
        encoder = serving_encoder(self._workspace, project)
        cache = self._cache_of(encoder)
        newest_event = store.answers.newest_event(project.id)
        labels = store.projects.labels(project.id)
        now_seen = (
            newest_event,
            *(store.items.newest_id(project.id, split) for split in Split),
            encoder.key,
            project.settings,
            store.twins.stamp(project.id),
            labels,
        )
        if now_seen == self._seen and not self._has_grown(cache):
            return None
        vectors = {split: self._vectors(store, split, cache) for split in Split}
        self.missing = sum(index.missing for index in self._index.values())
        names = cache.rows([content_hash(text) for text in label_texts(labels)])
        if project.published_run is None:  # what the names suggest matters before the first model only
            self.missing += int((names < 0).sum())
        ranking = (
            self._rank(store, project, vectors, newest_event, cache.matrix[names[names >= 0]]) if len(vectors[Split.POOL].ids) else None
        )
        self._seen, self._encoded, self._unranked = now_seen, len(cache), 0
        return ranking

    def _has_grown(self, cache: VectorCache) -> bool:
        """Tell whether so many more of this project's texts are encoded that the queue is due for a look at them."""
        if len(cache) == self._encoded or not self.missing:
            return False
        found = sum(index.find(cache) for index in self._index.values())
        left, there = (sum(count) for count in zip(*((index.missing, len(index.ids)) for index in self._index.values()), strict=True))
        self._encoded = len(cache)
        self._unranked += found
        return self._unranked > 0 and (left == 0 or self._unranked >= GROWTH * (there - left))

    def _cache_of(self, encoder: EncoderId) -> VectorCache:
        """Return the encoder's cache, brought up to date; where each item is in it is looked up again only where that may have changed."""
        if self._cache is not None and self._cache[0] == encoder.key:
            self._cache[1].refresh()
        if self._cache is None or self._cache[0] != encoder.key or len(self._cache[1]) < self._encoded:
            self._cache, self._encoded = (encoder.key, cache_of(self._workspace, encoder)), 0
            for index in self._index.values():
                index.forget()
            self._head = self._seen = None
            if self._scorer is not None:
                self._scorer.forget()
        return self._cache[1]

    def _score(self, head: heads.Head, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        if self._scorer is None:
            return head.proba(vectors)
        assert self._cache is not None
        return cast(Rows, vectors).of(self._scorer.proba(self._cache[1].matrix, head))

    def _vectors(self, store: Store, split: Split, cache: VectorCache) -> Vectors:
        index = self._index.setdefault(split, Index.empty())
        if fresh := list(store.items.hashes(self._project, split, int(index.ids[-1]) if len(index.ids) else 0)):
            index.add(fresh)
        index.find(cache)
        return index.vectors(cache)

    def _rank(self, store: Store, project: Project, vectors: dict[Split, Vectors], last_event: int, names: NDArray[np.float16]) -> Ranking:
        started = time.perf_counter()
        settings = ProjectSettings.parse(project.settings)
        labels = store.projects.labels(project.id)
        answers = list(store.answers.current(project.id))
        held = store.queue.held(project.id, time.time())
        self._release(store)
        released = store.queue.released(project.id)
        labelled = settle(answers, labels, project.exclusive, released)
        spent = sum(answer.kind is Kind.LABEL and answer.split is Split.POOL for answer in answers)
        pool = vectors[Split.POOL]
        self.classes = int((labelled.targets[labelled.train].sum(axis=0) > 0).sum())
        model = store.runs.get(project.published_run).number if project.published_run else 0
        rng = np.random.default_rng([settings.seed, last_event])
        waiting = np.array([item for item, _ in held], np.int64)
        left = len(pool.ids) - int((pool.places(np.union1d(labelled.items[~labelled.test], waiting)) >= 0).sum())
        if settings.rank_at_most:
            pool = pool.part(settings.rank_at_most, np.array([answer.item for answer in answers], np.int64), rng)
        seen = len(pool.ids) / max(1, len(vectors[Split.POOL].ids))
        draft = Draft(pool, answers, labelled, held, settings, rng, len(released), left, seen)
        situation = replace(draft.situation(project.exclusive), groups=self._groups(store, pool))
        method = learning.method_of(settings.self_training, project.exclusive)
        check = store.runs.newest_check(project.id, run=model > 0)
        used = method if learning.uses(check, method) else "none"
        learned = learning.learn(situation, used, settings.seed, self._head, self._score)
        self._head = None if learned is None else learned.head
        if learned is None:
            prior = zero_shot(situation.vectors, names) if len(names) == len(labels) > 0 else None
            selector, situation = settings.cold_start, replace(situation, prior=prior)
        else:
            selector, situation = settings.selector, replace(situation, proba=learned.proba)
        guess = Guesser(labels, situation.proba)
        picked, asked = draft.pick(situation, selector)
        rows = [
            QueueRow(int(pool.ids[place]), reason, value, chance, guess.at(place))
            for place, reason, value, chance in draft.with_audit(picked)
        ]
        pseudo = 0 if learned is None else len(learned.pseudo)
        ranking = Ranking(0, model, spent, selector, time.perf_counter() - started, time.time(), pseudo)
        with store.unit():
            self._release(store)  # by the order that was asked in while this one was made
            store.queue.rewrite(project.id, rows, ranking, last_event)
            self._asked, self._lease = asked, store.queue.newest_lease()
            self._audit = set(labelled.items[labelled.audit].tolist())
        judged = (last_event, model, len(vectors[Split.TEST].ids))
        if learned is not None and self._estimated != judged:
            judge = judging.Judge(pool, learned, labelled, project.exclusive, len(vectors[Split.POOL].ids), settings.seed)
            store.runs.note(project.id, judge.estimates(vectors[Split.TEST], spent=spent, model=model))
            self._estimated = judged
        if learned is not None and check_is_due(check, method, spent, model):
            found = learning.check(situation, method, settings.seed)
            if found is not None:
                store.runs.note_check(project.id, replace(found, labels=spent, model=model, at=time.time()))
        return ranking

    def _release(self, store: Store) -> None:
        """Release the audit items that stand before an item somebody took since, in the order last asked in."""
        got = store.queue.taken_since(self._project, self._lease, CHOSEN_BY_MODEL)
        last = max((place for place, item in enumerate(self._asked) if item in got), default=-1)
        store.queue.release(self._project, [item for item in self._asked[: last + 1] if item in self._audit], time.time())

    def _groups(self, store: Store, pool: Vectors) -> NDArray[np.int64]:
        """Return the group (n,) of near-duplicates each item is in, named by its leader; -1 where it stands alone."""
        stamp = store.twins.stamp(self._project)
        if self._twins is None or self._twins[0] != stamp:
            self._twins = (stamp, store.twins.groups(self._project))
        members = self._twins[1]
        places = pool.places(members[:, 0])
        groups = np.full(len(pool.ids), -1, np.int64)
        groups[places[places >= 0]] = members[places >= 0, 1]
        return groups


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

    def __init__(self, labels: Sequence[Label], proba: NDArray[np.float32] | None) -> None:
        self._ids = [label.id for label in labels]
        self._proba = proba

    def at(self, place: int) -> tuple[tuple[int, float], ...]:
        if self._proba is None:
            return ()
        best = np.argsort(-self._proba[place], kind="stable")[:GUESSES]
        return tuple((self._ids[column], round(float(self._proba[place, column]), 4)) for column in best)
