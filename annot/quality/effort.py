"""What labelling costs: seconds an answer, hours so far, and the pace by the calendar. Pure functions; must not read the store.

An answer's seconds are those its text was on screen. Somebody may have gone for coffee meanwhile, so no answer counts for more than
IDLE_S; answers without a time (imports, API clients) count for none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

IDLE_S = 120.0
# The pace is that of so many days before the newest answer.
PACE_DAYS = 7.0
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Effort:
    """``labels`` of people with a known time took ``hours`` of theirs; ``per_hour`` is None before the first.

    ``per_day`` counts labels by the calendar over the days before the newest answer, ``people`` those who gave them.
    """

    labels: int
    hours: float
    seconds: float | None
    per_hour: float | None
    per_day: float | None
    people: int

    def cost(self, rate: float) -> float:
        return self.hours * rate


@dataclass(frozen=True, slots=True)
class Answered:
    """One label somebody gave at a time (UNIX seconds), and for how long its text was on screen."""

    at: float
    seconds: float | None
    user: str


def effort(answers: Sequence[Answered]) -> Effort:
    """Return what ``answers`` took; ``seconds`` is their median. Negative and unbelievable times count as none."""
    timed = [min(one.seconds, IDLE_S) for one in answers if one.seconds is not None and 0 < one.seconds < float("inf")]
    hours = sum(timed) / 3600
    seconds = float(np.median(timed)) if timed else None
    if not answers:
        return Effort(0, 0.0, None, None, None, 0)
    newest = max(one.at for one in answers)
    recent = [one for one in answers if one.at > newest - PACE_DAYS * DAY_S]
    # A project of an hour is not thought to go on day and night.
    days = max(1.0, (newest - min(one.at for one in recent)) / DAY_S)
    return Effort(len(timed), hours, seconds, len(timed) / hours if hours else None, len(recent) / days, len({one.user for one in recent}))


def hours_at(labels: Sequence[int], answers: Sequence[Answered]) -> list[float]:
    """Return the hours spent when so many labels had been given, in the order of ``answers``; beyond them at the mean so far."""
    spent = np.cumsum([min(max(one.seconds or 0.0, 0.0), IDLE_S) for one in answers]) / 3600 if answers else np.zeros(0)
    counts = np.arange(len(spent) + 1)
    known = np.concatenate([[0.0], spent])
    mean = float(known[-1]) / max(1, len(spent))
    return [float(np.interp(one, counts, known)) + mean * max(0, one - len(spent)) for one in labels]
