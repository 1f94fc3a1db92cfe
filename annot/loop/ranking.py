"""The fast tier: refit the head on all labels, score the pool, rewrite the queue, estimate quality. After every label.

Must not load torch: it works on cached vectors. One Ranker lives in the worker per project and keeps only what a query over the
database would rebuild.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from annot import quality
from annot.compute.scoring import PoolScorer
from annot.encoders import EncoderId
from annot.learners import head as heads
from annot.loop import learning
from annot.loop.encoding import cache_of, label_texts, serving_encoder
from annot.loop.item_vectors import Index, Vectors
from annot.loop.learning import predict
from annot.loop.targets import Labelled, settle
from annot.records import Answer, Check, Estimate, Kind, Label, Project, QueueRow, Ranking, Reason, Split
from annot.selectors import Situation, select
from annot.selectors.coldstart import zero_shot
from annot.settings import ProjectSettings, Workspace
from annot.store import Store
from annot.vectors import Rows, VectorCache, content_hash

GUESSES = 5
# While texts are being encoded the queue waits for so many more of them before it is rewritten for their sake alone.
GROWTH = 0.02
# A place in the pool, why it is asked, its score, and the probability of its draw.
Place = tuple[int, Reason, float | None, float | None]


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
        labelled = settle(answers, labels, project.exclusive)
        spent = sum(answer.kind is Kind.LABEL and answer.split is Split.POOL for answer in answers)
        pool = vectors[Split.POOL]
        self.classes = int((labelled.targets[labelled.train].sum(axis=0) > 0).sum())
        model = store.runs.get(project.published_run).number if project.published_run else 0
        rng = np.random.default_rng([settings.seed, last_event])
        held = store.queue.held(project.id, time.time())
        waiting = np.array([item for item, _ in held], np.int64)
        left = len(pool.ids) - int((pool.places(np.union1d(labelled.items[~labelled.test], waiting)) >= 0).sum())
        if settings.rank_at_most:
            pool = pool.part(settings.rank_at_most, np.array([answer.item for answer in answers], np.int64), rng)
        draft = Draft(pool, answers, labelled, held, settings, rng, left)
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
        rows = [
            QueueRow(int(pool.ids[place]), reason, value, chance, guess.at(place))
            for place, reason, value, chance in draft.with_audit(draft.pick(situation, selector))
        ]
        pseudo = 0 if learned is None else len(learned.pseudo)
        ranking = Ranking(0, model, spent, selector, time.perf_counter() - started, time.time(), pseudo)
        store.queue.rewrite(project.id, rows, ranking, last_event)
        judged = (last_event, model, len(vectors[Split.TEST].ids))
        if learned is not None and self._estimated != judged:
            store.runs.note(project.id, estimate(learned.head, vectors, labelled, project.exclusive, spent=spent, model=model))
            self._estimated = judged
        if learned is not None and check_is_due(check, method, spent, model):
            found = learning.check(situation, method, settings.seed)
            if found is not None:
                store.runs.note_check(project.id, replace(found, labels=spent, model=model, at=time.time()))
        return ranking

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


@dataclass(frozen=True, slots=True)
class Draft:
    """One rewriting of the queue in the making. Places are indices into ``pool.ids``."""

    pool: Vectors
    answers: list[Answer]
    labelled: Labelled
    held: list[tuple[int, Reason]]
    settings: ProjectSettings
    rng: np.random.Generator
    left: int  # items nobody has labelled or holds, also those outside ``pool`` where that is a part

    def free(self, besides: Sequence[int] = ()) -> NDArray[np.int64]:
        """Return the places of items that nobody has labelled and that are not ``besides`` those."""
        taken = self.pool.places(np.concatenate([self.labelled.items[~self.labelled.test], np.array(besides, np.int64)]))
        free = np.ones(len(self.pool.ids), bool)
        free[taken[taken >= 0]] = False
        return np.flatnonzero(free)

    def unfinished(self) -> list[int]:
        """Return the places of items that have fewer labels than the overlap asks for."""
        if self.settings.overlap == 1:
            return []
        counts = Counter(answer.item for answer in self.answers if answer.kind is Kind.LABEL and answer.split is Split.POOL)
        short = np.array([item for item, n in counts.items() if n < self.settings.overlap], np.int64)
        return [int(place) for place in self.pool.places(short) if place >= 0]

    def situation(self, exclusive: bool) -> Situation:
        """Return what selectors and self-training methods may look at; audit items are not among the labelled."""
        known = self.labelled.train & (self.pool.places(self.labelled.items) >= 0)
        return Situation(
            proba=None,
            vectors=self.pool.matrix,
            pool=self.free(),
            labelled=self.pool.places(self.labelled.items[known]),
            targets=self.labelled.targets[known],
            rng=self.rng,
            exclusive=exclusive,
        )

    def pick(self, situation: Situation, selector: str) -> list[Place]:
        """Return the queue without its audit items: unfinished items first, then what the selector chose."""
        picked = select(selector, situation, self.settings.queue_size)
        rows: list[Place] = [(place, Reason.RECHECK, None, None) for place in self.unfinished()]
        return rows + [(int(place), picked.reason, float(value), None) for place, value in zip(picked.indices, picked.scores, strict=True)]

    def with_audit(self, picked: list[Place]) -> list[Place]:
        """Weave uniformly drawn audit items in, so that their share of everything asked stays at the setting."""
        asked = [answer.reason for answer in self.answers if answer.kind is Kind.LABEL and answer.split is Split.POOL]
        asked = [reason for reason in asked if reason not in (Reason.IMPORTED, Reason.TWIN)] + [reason for _, reason in self.held]
        before, audits = len(asked), asked.count(Reason.AUDIT)
        eligible = self.free(besides=[item for item, _ in self.held])
        # More than can be due, as those that were picked anyway are passed over.
        drawn = iter(self.rng.choice(eligible, min(len(eligible), 2 * self.settings.queue_size), replace=False).tolist())
        chance = 1 / self.left if len(eligible) else None
        rows: list[Place] = []
        used: set[int] = set()
        waiting = iter(picked)
        while len(rows) < self.settings.queue_size:
            due = audits + 1 <= self.settings.audit_share * (before + len(rows) + 1) + 1e-9
            place = next((one for one in drawn if one not in used), None) if due else None
            row = (
                (int(place), Reason.AUDIT, None, chance)
                if place is not None
                else next((one for one in waiting if one[0] not in used), None)
            )
            if row is None:
                break
            audits += row[1] is Reason.AUDIT
            used.add(row[0])
            rows.append(row)
        return rows


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


def estimate(
    head: heads.Head, vectors: dict[Split, Vectors], labelled: Labelled, exclusive: bool, *, spent: int, model: int
) -> list[Estimate]:
    """Estimate accuracy and macro-F1 from the audit labels and from the test split, each where there are any."""
    found: list[Estimate] = []
    for source, mask, where in (("audit", labelled.audit & ~labelled.test, Split.POOL), ("test", labelled.test, Split.TEST)):
        use = mask.copy()
        use[mask] = vectors[where].places(labelled.items[mask]) >= 0
        if not use.any():
            continue
        truth = labelled.targets[use]
        predicted = predict(head.proba(vectors[where].of(labelled.items[use])), exclusive)
        for metric, interval in (("accuracy", quality.accuracy(truth, predicted)), ("macro_f1", quality.macro_f1(truth, predicted))):
            found.append(Estimate(spent, source, metric, interval.value, interval.low, interval.high, interval.n, model, time.time()))
    return found
