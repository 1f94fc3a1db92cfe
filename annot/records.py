"""The nouns of Annot as frozen records: what the store returns and the use cases pass on.

Standard library only. Must hold no behaviour beyond what a record can tell of itself. Times are UNIX seconds (float).
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    LEAD = "lead"
    ANNOTATOR = "annotator"


class Split(StrEnum):
    POOL = "pool"
    TEST = "test"


class Kind(StrEnum):
    """What an annotation event says. An undo names the uid of the event it takes back."""

    LABEL = "label"
    SKIP = "skip"
    FLAG = "flag"
    UNDO = "undo"


class Relation(StrEnum):
    """How the labels of a label event bear on the item: it is all of them, none of them, or one of them."""

    IS = "is"
    NOT = "not"
    EITHER = "either"


class Reason(StrEnum):
    """Why an item was put in front of a person."""

    UNCERTAIN = "uncertain"
    DIVERSE = "diverse"
    AUDIT = "audit"
    RANDOM = "random"
    RECHECK = "recheck"
    TWIN = "twin"
    IMPORTED = "imported"
    CHOSEN = "chosen"


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class RunState(StrEnum):
    RUNNING = "running"
    PUBLISHED = "published"
    REJECTED = "rejected"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class User:
    id: int
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Project:
    """``put_away``: nobody sees it or answers in it, and nothing works on it, until a lead brings it back. Nothing of it is deleted."""

    id: int
    name: str
    exclusive: bool
    guidelines: str
    settings: dict[str, Any]
    published_run: int | None
    created_at: float
    put_away: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """One label; ``parent`` is the id of the label above it in a tree, None at the top."""

    id: int
    name: str
    title: str
    description: str = ""
    key: str = ""
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class Item:
    id: int
    external_id: str
    text: str
    split: Split
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One place in the ranking.

    ``probability`` is the chance of this draw where the item was sampled, else None; ``guesses`` are the model's most likely
    labels as (label id, probability), best first.
    """

    item: int
    reason: Reason
    score: float | None = None
    probability: float | None = None
    guesses: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Ranking:
    """The stamp of one rewritten queue. ``model`` is the number of the published run (0: the plain encoder), ``pseudo`` how many
    pseudo-labels its head learned from."""

    id: int
    model: int
    labels: int
    selector: str
    seconds: float
    created_at: float
    pseudo: int = 0


@dataclass(frozen=True, slots=True)
class Twin:
    """An item whose text is as good as identical with another's, and the beginning of that text."""

    item: int
    text: str


@dataclass(frozen=True, slots=True)
class Lease:
    """One person's reservation of one item, with what the queue knew when it was handed out, and the twins it may answer for."""

    id: int
    item: int
    text: str
    reason: Reason
    score: float | None
    probability: float | None
    guesses: tuple[tuple[int, float], ...]
    model: int
    labels: int
    expires_at: float
    twins: tuple[Twin, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """One decision as the client sends it. ``uid`` is made by the client and unique for ever.

    ``target`` is the uid an undo takes back, ``copy_of`` the uid of the answer that a label repeats for a twin of its item.
    """

    uid: str
    kind: Kind
    item: int
    labels: tuple[int, ...] = ()
    relation: Relation = Relation.IS
    lease: int | None = None
    target: str | None = None
    copy_of: str | None = None
    note: str = ""
    shown_at: float | None = None
    seconds: float | None = None
    suggestion: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one person currently says of one item: their newest label or skip event that was not undone."""

    event: int
    uid: str
    item: int
    external_id: str
    user: str
    kind: Kind
    labels: tuple[int, ...]
    relation: Relation
    note: str
    at: float
    seconds: float | None
    reason: Reason | None
    score: float | None
    probability: float | None
    model: int | None
    selector: str | None
    suggestion: str | None  # off, on, after: whether the model's guess was shown
    copy_of: str | None
    split: Split


@dataclass(frozen=True, slots=True)
class Job:
    id: int
    project: int
    kind: str
    state: JobState
    done: int
    total: int
    message: str
    error: str
    created_at: float
    finished_at: float | None


@dataclass(frozen=True, slots=True)
class Run:
    """One fine-tuning job. ``number`` counts within the project; the card holds settings, estimates and times."""

    id: int
    project: int
    number: int
    state: RunState
    labels: int
    card: dict[str, Any]
    error: str
    started_at: float
    finished_at: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A quality number with its interval. ``source`` says which labels it rests on: test or audit."""

    labels: int
    source: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    model: int
    at: float


@dataclass(frozen=True, slots=True)
class Check:
    """What pseudo-labels were found to do: ``gain`` is the share right with them minus without, ``error`` its standard error.

    ``n`` is the number of people's training labels it rests on, each predicted by a model that does not know it. The model chose most
    of them, so it decides about self-training only and is no estimate of quality. ``pseudo`` is how many pseudo-labels the check took
    in, ``run`` tells a check of fine-tuned encoders from one of heads alone; the rest is the stamp of when it was made.
    """

    method: str
    pseudo: int
    gain: float
    error: float
    n: int
    labels: int = 0
    model: int = 0
    run: bool = False
    at: float = 0.0

    @property
    def helps(self) -> bool:
        """Tell whether pseudo-labels are to be used: there were some, and they did more good than harm."""
        return self.pseudo > 0 and self.gain > 0
