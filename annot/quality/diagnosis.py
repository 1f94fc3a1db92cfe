"""What holds the model back, and what might help: labels with too few answers, texts people skip or flag, advice.

Pure functions over arrays and small records. Must not be given actively chosen labels where quality is meant (``recalls``, ``pairs``);
counts of answers may be of any.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from annot.errors import BadInput
from annot.quality.confusion import EXAMPLES, Confusion, Pair
from annot.quality.estimates import Interval, wilson
from annot.quality.phrases import percent

# A label has too few answers with less than FEWEST, or less than EVEN_SHARE of what each would have if all had equally many.
FEWEST, EVEN_SHARE = 5, 0.2
# A pair confused less often than this may be chance. It also must have so many times its even share of all confusions, or it is no pair
# that stands out: of two labels all errors are one pair's.
CONFUSED, STANDS_OUT = 3, 2
# Annotators who were shown the same text and chose between two labels: below this share of different choices the guidelines are clear.
DISAGREE = 0.1
ENCODER = "A stronger encoder, or more steps of fine-tuning: neither a rare label nor a confused pair stands out."


@dataclass(frozen=True, slots=True)
class Scarce:
    """A label with ``answers`` from people where ``needed`` are; ``likely`` is how many pool texts the model gives it."""

    label: int
    answers: int
    needed: int
    likely: int

    def words(self, names: Sequence[str]) -> str:
        """Return one phrase; ``names`` belong to the labels."""
        where = f"the model sees it in {self.likely:,} unlabelled texts" if self.likely else "the model sees it in no unlabelled text"
        return f"{names[self.label]}: {self.answers} of at least {self.needed} answers; {where}"


@dataclass(frozen=True, slots=True)
class SkipRate:
    """The share of the texts the model gives ``label`` that people skipped or flagged, and the ids of at most EXAMPLES of those."""

    label: int
    rate: Interval
    items: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Skips:
    """``overall`` share of shown texts that were skipped or flagged, and every label's, the surest high one first."""

    overall: Interval
    labels: tuple[SkipRate, ...]

    @property
    def worst(self) -> tuple[SkipRate, ...]:
        """The labels whose share is higher than the overall one beyond their interval."""
        return tuple(one for one in self.labels if one.items and one.rate.low > self.overall.value)

    def words(self, names: Sequence[str]) -> list[str]:
        """Return the overall share and a line for each of ``worst``; ``names`` belong to the labels."""
        lines = [f"{round(self.overall.value * self.overall.n)} of {self.overall.n} texts were skipped or flagged"]
        return lines + [f"{names[one.label]}: {percent(one.rate)} of {one.rate.n} texts skipped or flagged" for one in self.worst]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Of ``n`` texts that several people answered with ``label`` or ``other``, how many were answered with both."""

    label: int
    other: int
    count: int
    n: int


def too_few(answers: NDArray[np.integer], likely: NDArray[np.integer]) -> tuple[Scarce, ...]:
    """Return the labels with too few of people's ``answers`` (k,), scarcest first; ``likely`` (k,) counts predictions in the pool.

    Needed are FEWEST, or EVEN_SHARE of the even share (all answers over k) where that is more. Raises BadInput for other shapes or
    counts below 0.
    """
    have, seen = np.asarray(answers), np.asarray(likely)
    if have.ndim != 1 or have.shape != seen.shape or not np.all(have >= 0) or not np.all(seen >= 0):
        raise BadInput(f"Scarce labels need two counts of 0 or more a label, got shapes {have.shape} and {seen.shape}.")
    needed = max(FEWEST, ceil(EVEN_SHARE * have.sum() / max(1, len(have))))
    rare = [place for place in np.argsort(have, kind="stable").tolist() if have[place] < needed]
    return tuple(Scarce(place, int(have[place]), needed, int(seen[place])) for place in rare)


def skips(predicted: NDArray[np.integer], skipped: NDArray[np.bool_], items: Sequence[int]) -> Skips:
    """Return how often people skip or flag, by what the model takes the text for: ``predicted`` (n,) labels, -1 where it says nothing.

    ``skipped`` (n,) and the ids ``items`` (n,) are of the texts people were shown. Raises BadInput where their lengths differ.
    """
    label, passed = np.asarray(predicted), np.asarray(skipped, bool)
    if label.ndim != 1 or label.shape != passed.shape or len(items) != len(label):
        raise BadInput(f"Skips need a label, an outcome and an id a text, got {label.shape}, {passed.shape} and {len(items)} ids.")
    found: dict[int, list[int]] = defaultdict(list)
    for place in np.flatnonzero(passed).tolist():
        found[int(label[place])].append(int(items[place]))
    shown = {int(one): int((label == one).sum()) for one in np.unique(label) if one >= 0}
    rates = [SkipRate(one, wilson(len(found[one]), n), tuple(found[one][:EXAMPLES])) for one, n in shown.items()]
    return Skips(wilson(int(passed.sum()), len(passed)), tuple(sorted(rates, key=lambda one: (-one.rate.low, -one.rate.value, one.label))))


def advice(
    recalls: Sequence[Interval],
    scarce: Sequence[Scarce],
    confused: Confusion,
    names: Sequence[str],
    disagreements: Sequence[Disagreement] = (),
) -> tuple[str, ...]:
    """Say what might help a model that will not get to its target, likeliest first: labels to add, guidelines to clear up, an encoder.

    ``recalls`` are by label, from labels the model did not choose. The label named is the scarce one with the lowest recall, if that is
    under the share found of all labels; the pair is the one confused most often, both ways together, if it stands out
    and annotators are not known to agree on it, or they are known to disagree. Where there is neither, the encoder.
    """
    if len(recalls) != len(names):
        raise BadInput(f"Advice needs one recall a label, got {len(recalls)} for {len(names)} labels.")
    found = []
    overall = sum(one.value * one.n for one in recalls) / max(1, sum(one.n for one in recalls))
    missed = [one for one in scarce if recalls[one.label].n == 0 or recalls[one.label].value < overall]
    # Of labels no audit item has had yet nothing is known but that they are rare: they come after those known to be missed.
    if missed:
        rare = min(missed, key=lambda one: (recalls[one.label].n == 0, recalls[one.label].value, one.answers, one.label))
        known = recalls[rare.label]
        found_of = f"the model finds {percent(known)} of it, {known.n} audit label{'s' if known.n > 1 else ''}"
        seen = found_of if known.n else "no audit label has it yet"
        found.append(f"More labels of {rare.words(names)}; {seen}.")
    pair = _most_confused(confused, len(names), disagreements)
    if pair is not None:
        found.append(_guidelines(*pair, confused.n, names, disagreements))
    return tuple(found) or (ENCODER,)


def _most_confused(confused: Confusion, labels: int, disagreements: Sequence[Disagreement]) -> tuple[int, int, int] | None:
    """Return (label, other, items) of the pair confused most often whose guidelines may be unclear, None where none is."""
    both: dict[tuple[int, int], int] = defaultdict(int)
    first: dict[tuple[int, int], Pair] = {}
    for pair in confused.pairs:
        if pair.label is not None and pair.taken_for is not None:
            key = min(pair.label, pair.taken_for), max(pair.label, pair.taken_for)
            both[key] += pair.count
            first.setdefault(key, pair)
    even = sum(both.values()) / max(1, labels * (labels - 1) / 2)
    for key in sorted(both, key=lambda key: (-both[key], key)):
        people = _between(*key, disagreements)
        unclear = people.count > DISAGREE * people.n if people and people.n >= FEWEST else both[key] >= STANDS_OUT * even
        if both[key] >= CONFUSED and unclear:
            label, other = first[key].label, first[key].taken_for
            assert label is not None
            assert other is not None
            return label, other, both[key]
    return None


def _between(label: int, other: int, disagreements: Sequence[Disagreement]) -> Disagreement | None:
    return next((one for one in disagreements if {one.label, one.other} == {label, other}), None)


def _guidelines(label: int, other: int, count: int, n: int, names: Sequence[str], disagreements: Sequence[Disagreement]) -> str:
    people = _between(label, other, disagreements)
    also = f"; annotators disagree on {people.count} of {people.n}" if people else ""
    return f"Clearer guidelines for {names[label]} against {names[other]}: the model confuses them in {count} of {n} audit labels{also}."
