"""One rewriting of the queue: what nobody has labelled, in the selector's order, with audit items woven in.

Must not read or write the store, nor fit anything.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annot.loop.item_vectors import Vectors
from annot.loop.targets import Labelled, pool_labels
from annot.records import Answer, Reason
from annot.selectors import select
from annot.settings import ProjectSettings
from annot.situation import PartialLabels, Situation

# A place in the pool, why it is asked, its score, and the probability of its draw.
Place = tuple[int, Reason, float | None, float | None]


@dataclass(frozen=True, slots=True)
class Draft:
    """One rewriting of the queue in the making. Places are indices into ``pool.ids``."""

    pool: Vectors
    answers: list[Answer]
    label_ids: list[int]  # in the order of all columns
    labelled: Labelled
    held: list[tuple[int, Reason]]
    settings: ProjectSettings
    rng: np.random.Generator
    released: int  # audit items that became training labels, so that others are drawn in their place
    left: int  # items nobody has labelled or holds, also those outside ``pool`` where that is a part
    seen: float = 1.0  # the share of the encoded pool that ``pool`` is

    @property
    def spent(self) -> int:
        return len(pool_labels(self.answers))

    def free(self, besides: Sequence[int] = ()) -> NDArray[np.int64]:
        """Return the places of items that nobody has answered with a label, "not" and "either" included, nor are ``besides`` those."""
        taken = self.pool.places(np.array([*(answer.item for answer in pool_labels(self.answers)), *besides], np.int64))
        free = np.ones(len(self.pool.ids), bool)
        free[taken[taken >= 0]] = False
        return np.flatnonzero(free)

    def unfinished(self) -> list[int]:
        """Return the places of items that have fewer labels than the overlap asks for."""
        if self.settings.overlap == 1:
            return []
        counts = Counter(answer.item for answer in pool_labels(self.answers))
        short = np.array([item for item, n in counts.items() if n < self.settings.overlap], np.int64)
        return [int(place) for place in self.pool.places(short) if place >= 0]

    def situation(self, exclusive: bool) -> Situation:
        """Return what selectors and self-training methods may look at; audit items are not among the labelled."""
        known = self.labelled.train & (self.pool.places(self.labelled.items) >= 0)
        hints = self.labelled.partial
        there = self.pool.places(hints.rows) >= 0
        return Situation(
            proba=None,
            vectors=self.pool.matrix,
            pool=self.free(),
            labelled=self.pool.places(self.labelled.items[known]),
            targets=self.labelled.targets[known],
            rng=self.rng,
            exclusive=exclusive,
            partial=PartialLabels(self.pool.places(hints.rows[there]), hints.ruled_out[there], hints.one_of[there]),
        )

    def pick(self, situation: Situation, selector: str) -> tuple[list[Place], list[int]]:
        """Return the queue without its audit items, unfinished items first, then what the selector chose; and the selector's order as
        item ids, in which audit items that have their label stand where they would be asked. Of a part of the pool as large a part of
        them takes part."""
        audit = self.pool.places(self.labelled.items[self.labelled.audit & ~self.labelled.test])
        audit = audit[(audit >= 0) & (self.rng.random(len(audit)) < self.seen)]
        may = np.zeros(len(self.pool.ids), bool)  # a union of sorted places would cost more than the selector
        may[situation.pool] = may[audit] = True
        wanted = replace(situation, pool=np.flatnonzero(may))
        picked = select(selector, wanted, self.settings.queue_size + len(audit))
        rows: list[Place] = [(place, Reason.RECHECK, None, None) for place in self.unfinished()]
        there = ~np.isin(picked.indices, audit)
        rows += [
            (int(place), picked.reason, float(value), None)
            for place, value in zip(picked.indices[there], picked.scores[there], strict=True)
        ]
        return rows[: self.settings.queue_size], self.pool.ids[picked.indices].tolist()

    def with_audit(self, picked: list[Place]) -> list[Place]:
        """Weave uniformly drawn audit items in, so that their share of everything asked stays at the setting, released ones not counted."""
        asked = [answer.reason for answer in pool_labels(self.answers)]
        asked = [reason for reason in asked if reason not in (Reason.IMPORTED, Reason.TWIN)] + [reason for _, reason in self.held]
        before, audits = len(asked), asked.count(Reason.AUDIT) - self.released
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
