"""Whether to go on labelling, in one sentence a lead can send on. Must not compute quality, forecasts or votes.

The verdict is the first of RULES that applies. Two things hold for all of them. While there is anything left to ask, a stop rests on
labels the model did not choose, ENOUGH of them at least, never on a model's agreement with itself alone. And where a target is set only
the estimate's interval meets it: criteria that see gains end can then say no more than that it will not be met.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import floor, inf, isinf

from annot.quality.estimates import wilson
from annot.quality.phrases import points
from annot.quality.votes import ENOUGH, Facts, Says, Vote, budget_vote, gain_vote, more, target_vote

# So far below the target, or nearer, is near it, while the interval reaches it.
NEAR = 0.03
# A number of audit labels beyond this is no advice.
MOST_AUDIT = 5_000


class Kind(StrEnum):
    """What the sentence on top says; OUT_OF_REACH is: this will not get there."""

    TOO_EARLY = "too_early"
    GO_ON = "go_on"
    NEAR = "near"
    STOP = "stop"
    OUT_OF_REACH = "out_of_reach"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The sentence on top, its kind, what to do next, and the votes behind it."""

    kind: Kind
    sentence: str
    advice: tuple[str, ...] = ()
    votes: tuple[Vote, ...] = ()


def verdict(criteria: Iterable[Vote], facts: Facts, hints: Sequence[str] = ()) -> Verdict:
    """Weigh the votes of ``criteria`` with those the facts cast; ``hints`` is what might help a model that will not get there."""
    votes = (*criteria, gain_vote(facts), target_vote(facts), budget_vote(facts))
    kind, sentence = next(found for rule in RULES if (found := rule(votes, facts)))
    advice = tuple(hints) if kind is Kind.OUT_OF_REACH else _settling(facts) if kind is Kind.NEAR else ()
    return Verdict(kind, sentence, advice, votes)


# The rules, first to last: each returns its kind and sentence, or None where it does not apply.
Found = tuple[Kind, str] | None


def used_up(votes: Sequence[Vote], facts: Facts) -> Found:
    """Stop where no text is left to ask about."""
    if facts.left != 0:
        return None
    return Kind.STOP, f"Stop: every text has its answer{f'; {facts.quality}' if facts.estimate and facts.estimate.n else ''}."


def too_early(votes: Sequence[Vote], facts: Facts) -> Found:
    """Say nothing on fewer than ENOUGH labels the model did not choose."""
    sooner = f"it takes {ENOUGH}" + (", and a larger audit share (Settings) gives them sooner" if facts.source == "audit" else "")
    if facts.estimate is None or facts.estimate.n == 0:
        return Kind.TOO_EARLY, f"Too early to say: no {facts.source} labels yet; {sooner}."
    if facts.estimate.n >= ENOUGH:
        return None
    wide, n = 100 * (facts.estimate.high - facts.estimate.low), facts.estimate.n
    labels = f"only {n} {facts.source} label{'s' if n > 1 else ''}"
    return Kind.TOO_EARLY, f"Too early to say: {labels}, the interval is {wide:.0f} points wide; {sooner}."


def target_met(votes: Sequence[Vote], facts: Facts) -> Found:
    """Stop where the estimate is clearly above the target."""
    if facts.target is None or _says(votes, "target") is not Says.STOP:
        return None
    return Kind.STOP, f"Stop: the target of {100 * facts.target:g} % is met; {facts.quality}."


def out_of_reach(votes: Sequence[Vote], facts: Facts) -> Found:
    """Say so where the interval is below the target and either the forecast does not get there or gains have ended."""
    if facts.target is None or facts.estimate is None or facts.estimate.high >= facts.target:
        return None
    short = f"This will not get to {100 * facts.target:g} %"
    if _says(votes, "budget") is Says.STOP:
        return Kind.OUT_OF_REACH, f"{short}: {_why(votes, 'budget')}; now {facts.quality}."
    if gains_ended(votes):
        return Kind.OUT_OF_REACH, f"{short}: gains have ended ({_tally(votes)}; {_hour(facts)}) at {facts.quality}."
    return None


def near(votes: Sequence[Vote], facts: Facts) -> Found:
    """Say so where the estimate is within NEAR of the target or above, or an hour's labels are forecast to reach it."""
    if facts.target is None or facts.estimate is None:
        return None
    here = facts.estimate.value >= facts.target - NEAR and facts.estimate.high >= facts.target
    soon = facts.to_target is not None and facts.labels_per_hour is not None and facts.to_target.median <= facts.labels_per_hour
    if not here and not soon:
        return None
    ahead = f"; {_ahead(votes, facts)}" if facts.estimate.value < facts.target else ""
    return Kind.NEAR, f"Near the target of {100 * facts.target:g} %: {facts.quality}{ahead}."


def ended(votes: Sequence[Vote], facts: Facts) -> Found:
    """Stop, where no target is set, once gains have ended."""
    if facts.target is not None or not gains_ended(votes):
        return None
    return Kind.STOP, f"Stop: gains have ended ({_tally(votes)}; {_hour(facts)}); {facts.quality}."


def go_on(votes: Sequence[Vote], facts: Facts) -> Found:
    """Go on in all other cases."""
    if facts.target is None:
        return Kind.GO_ON, f"Go on: {facts.quality}; {_hour(facts)}."
    return Kind.GO_ON, f"Go on: {facts.quality}, the target is {100 * facts.target:g} %; {_ahead(votes, facts)}."


RULES: tuple[Callable[[Sequence[Vote], Facts], Found], ...] = (used_up, too_early, target_met, out_of_reach, near, ended, go_on)


def gains_ended(votes: Sequence[Vote]) -> bool:
    """Tell whether the forecast's gain is under its threshold and most of the votes that count, two at least, say stop."""
    stops, counted = _count_stops(votes)
    return _says(votes, "forecast") is Says.STOP and stops >= 2 and 2 * stops > counted


def _count_stops(votes: Sequence[Vote]) -> tuple[int, int]:
    counted = [vote.says for vote in votes if vote.counts]
    return counted.count(Says.STOP), len(counted)


def _tally(votes: Sequence[Vote]) -> str:
    stops, counted = _count_stops(votes)
    return f"{stops} of {counted} votes say stop"


def _says(votes: Sequence[Vote], name: str) -> Says:
    return next(vote.says for vote in votes if vote.name == name)


def _why(votes: Sequence[Vote], name: str) -> str:
    return next(vote.why for vote in votes if vote.name == name)


def _ahead(votes: Sequence[Vote], facts: Facts) -> str:
    """Return what the forecast says of the way to the target."""
    if _says(votes, "budget") is Says.STOP:
        return f"the forecast doubts that it gets there: {_why(votes, 'budget')}"
    return _hour(facts) if facts.to_target is None else more(facts)


def _hour(facts: Facts) -> str:
    """Return what the next hour is expected to add."""
    if facts.gain_per_hour is None:
        return "there is no forecast yet"
    return f"the next hour is expected to add {points(facts.gain_per_hour)}"


def _settling(facts: Facts) -> tuple[str, ...]:
    """Return how many labels the model did not choose would put an estimate clearly above the target, if it stays what it is."""
    assert facts.estimate is not None
    assert facts.target is not None
    value = facts.estimate.value
    if value <= facts.target:
        return ()
    enough = next((n for n in range(facts.estimate.n + 1, MOST_AUDIT) if _bound(value, n) >= facts.target), inf)
    if isinf(enough):
        return ()
    return (f"About {enough:,} {facts.source} labels in all would settle it, if {facts.metric} is {100 * value:.0f} % indeed.",)


def _bound(value: float, n: int) -> float:
    """Return the bound a stop is judged by at ``n`` labels of which the share ``value``, rounded down to whole labels, is right."""
    return Facts(wilson(floor(value * n + 1e-9), n)).bound
