"""A project as a report sees it: its answers, a head fitted on them anew, and what that says of the pool. Reads the store and vectors.

Must not judge or keep anything: ``curve``, ``shadow``, ``findings`` and ``weighing`` say what follows from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from annot import encoders, quality
from annot.encoders import EncoderId
from annot.loop import judging, learning
from annot.loop.drafting import Draft
from annot.loop.encoding import cache_of, model_number, serving_encoder
from annot.loop.item_vectors import Index, Vectors
from annot.loop.targets import pool_labels, settle
from annot.quality.confusion import Confusion, confusion
from annot.quality.effort import Answered
from annot.records import Answer, Project, Reason, Split
from annot.settings import ProjectSettings, Workspace
from annot.store import Store

# Of a larger pool a random part is looked at.
PART = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Labels the model did not choose (n items), what the model says of them, and the sample estimates are made of."""

    source: str
    items: NDArray[np.int64]
    truth: NDArray[np.float32]
    proba: NDArray[np.float32]
    sample: quality.PoolSample

    def predicted(self, exclusive: bool) -> NDArray[np.float32]:
        return learning.predict(self.proba, exclusive)


@dataclass(frozen=True)
class Look:
    """A project as it is now, with the head its ranking rests on, fitted anew, and the key of the encoder the head reads.

    ``plain`` are the pool's vectors by the plain encoder.
    """

    store: Store
    project: Project
    settings: ProjectSettings
    answers: list[Answer]
    labels: list[tuple[int, str]]  # id and title, in the order of all columns
    draft: Draft
    test: Vectors
    plain: Vectors
    learned: learning.Learned
    encoder: str
    model: int
    whole: int

    @classmethod
    def at(cls, workspace: Workspace, store: Store, project: Project) -> "Look | None":
        settings = ProjectSettings.parse(project.settings)
        answers = list(store.answers.current(project.id))
        labels = store.projects.labels(project.id)
        labelled = settle(answers, labels, project.exclusive, store.queue.released(project.id))
        serving, plain = serving_encoder(workspace, project), encoders.identify(settings.encoder)
        rng = np.random.default_rng(settings.seed)
        items = {split: list(store.items.hashes(project.id, split)) for split in Split}
        pool, test = (_vectors(workspace, serving, items[split]) for split in (Split.POOL, Split.TEST))
        answered = np.array([answer.item for answer in answers], np.int64)
        part = pool.part(PART, answered, rng)
        draft = Draft(part, answers, [label.id for label in labels], labelled, [], settings, rng, released=0, left=0)
        model = model_number(store, project)
        method = learning.method_of(settings.self_training, project.exclusive)
        used = method if learning.uses(store.runs.newest_check(project.id, run=model > 0), method) else "none"
        learned = learning.learn(draft.situation(project.exclusive), used, settings.seed) if len(part.ids) else None
        if learned is None:
            return None
        as_text = part if plain == serving else _vectors(workspace, plain, items[Split.POOL]).part(PART, answered, rng)
        named = [(label.id, label.title) for label in labels]
        return cls(store, project, settings, answers, named, draft, test, as_text, learned, serving.key, model, len(pool.ids))

    @cached_property
    def names(self) -> list[str]:
        return [name for _, name in self.labels]

    @cached_property
    def spent(self) -> int:
        return self.draft.spent

    @cached_property
    def judged(self) -> "Judged":
        """The labels quality rests on, and what the model says of their items."""
        labelled, exclusive = self.draft.labelled, self.project.exclusive
        use = labelled.test & (self.test.places(labelled.items) >= 0)
        if use.any() and judging.prefers_test(int(use.sum()), int((labelled.audit & ~labelled.test).sum())):
            proba = self.learned.head.proba(self.test.of(labelled.items[use]))
            sample = judging.split_sample(proba, exclusive, labelled.targets[use])
            return Judged("test", labelled.items[use], labelled.targets[use], proba, sample)
        places = self.draft.pool.places(labelled.items)
        audit = labelled.audit & ~labelled.test & (places >= 0)
        sample = judging.labelled_sample(
            self.draft.pool, labelled, self.learned.proba, exclusive, whole=self.whole, seed=self.settings.seed
        )
        return Judged("audit", labelled.items[audit], labelled.targets[audit], self.learned.proba[places[audit]], sample)

    @cached_property
    def predicted(self) -> NDArray[np.float32]:
        return learning.predict(self.learned.proba, self.project.exclusive)

    @cached_property
    def confused(self) -> Confusion:
        """Which labels the model takes for which among the judged items."""
        return confusion(self.judged.truth, self.judged.predicted(self.project.exclusive), self.judged.items.tolist())

    @cached_property
    def spending(self) -> list[Answered]:
        """All of the pool's labels in order; one that came with a file took nobody's time."""
        return [
            Answered(answer.at, None if answer.reason is Reason.IMPORTED else answer.seconds, answer.user)
            for answer in pool_labels(self.answers)
        ]

    @cached_property
    def given_here(self) -> list[Answered]:
        """Those of them that people gave here, none from a file."""
        return [
            Answered(answer.at, answer.seconds, answer.user) for answer in pool_labels(self.answers) if answer.reason is not Reason.IMPORTED
        ]


def _vectors(workspace: Workspace, encoder: EncoderId, items: Sequence[tuple[int, bytes]]) -> Vectors:
    cache, index = cache_of(workspace, encoder), Index.empty()
    index.add(items)
    index.find(cache)
    return index.vectors(cache)
