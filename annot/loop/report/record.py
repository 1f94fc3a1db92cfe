"""What a report on a project says: records that are stored as JSON, shown on the Lead page and printed by ``stats --json``.

Must not compute anything (``making`` does) nor know how it is shown.
"""

from dataclasses import dataclass
from functools import lru_cache

from annot import frozen
from annot.loop.report.shadow import Shadow
from annot.quality import Interval
from annot.quality.calibration import Calibration
from annot.quality.diagnosis import Scarce, Skips
from annot.quality.effort import Effort
from annot.quality.forecast import Forecast
from annot.quality.stopping import Verdict
from annot.store.reports import Stored


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One label: people's ``answers`` with it, how often it is ``predicted`` in the pool, and the model's quality on it."""

    label: int
    name: str
    answers: int
    predicted: int
    precision: Interval
    recall: Interval
    f1: Interval


@dataclass(frozen=True, slots=True)
class Milestone:
    """Where the project was at an earlier report: hours of labelling, the model, and F1 of each label by its id."""

    labels: int
    hours: float
    model: int
    f1: tuple[tuple[int, float, float, float], ...]  # (label id, value, low, high)


@dataclass(frozen=True, slots=True)
class Confused:
    """A pair of labels, in words, and items to look at as (id, text)."""

    words: str
    examples: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Drifted:
    """What was compared, in words, and the most typical of the newer texts as (id, text)."""

    words: str
    found: bool
    examples: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class HeldBack:
    """What holds the model back."""

    confusion: tuple[Confused, ...]
    judged: int
    scarce: tuple[tuple[str, Scarce], ...]
    skips: Skips
    skip_words: tuple[str, ...]
    drift: tuple[Drifted, ...]
    calibration: Calibration
    calibration_words: str


@dataclass(frozen=True, slots=True)
class Curve:
    """One measured point of the budget curve with the hours and the money it had taken."""

    labels: int
    hours: float
    value: float
    low: float
    high: float
    n: int
    model: int


@dataclass(frozen=True, slots=True)
class Change:
    """From how many labels on texts were chosen otherwise, in words."""

    labels: int
    words: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything but what changes with each label. ``source`` says which labels the quality rests on, ``metric`` which figure the
    curve, the forecast and the verdict are about; ``target`` is None where none is set."""

    labels: int
    at: float
    model: int
    source: str
    metric: str
    target: float | None
    released: int
    audit: int
    curve: tuple[Curve, ...]
    per_label: tuple[LabelRow, ...]
    history: tuple[Milestone, ...]
    effort: Effort
    forecast: Forecast | None
    shadow: Shadow | None
    verdict: Verdict
    held_back: HeldBack
    seconds: float
    changes: tuple[Change, ...] = ()
    stamp: str = ""  # of the settings and labels it was made for


@dataclass(frozen=True, slots=True)
class Memory:
    """What the next report needs of this one: what the models so far took the items of the stop set for."""

    items: tuple[int, ...]
    labels: tuple[int, ...]
    checkpoints: tuple[tuple[int, tuple[int, ...]], ...]  # (labels spent, predicted label ids)


@lru_cache(maxsize=16)  # every open Lead page asks for the same every few seconds
def earlier(stored: Stored | None) -> tuple[Report | None, Memory]:
    """Return the stored report and its memory; None and an empty one where there is none, or another version of Annot wrote it."""
    try:
        if stored is not None:
            return frozen.thaw(Report, stored.facts), frozen.thaw(Memory, stored.memory)
    except (ValueError, KeyError, TypeError):
        pass  # so a report is due, and the worker makes a new one
    return None, Memory((), (), ())
