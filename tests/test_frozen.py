"""Records that are stored as JSON come back as they were."""

from dataclasses import dataclass
from enum import StrEnum

import pytest

from annot import frozen


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Inner:
    value: float
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outer:
    colour: Colour
    inner: Inner
    several: tuple[Inner, ...]
    pair: tuple[int, str]
    pairs: tuple[tuple[int, float], ...]
    maybe: Inner | None
    listed: list[int]


WHOLE = Outer(Colour.RED, Inner(float("inf"), ("a", 'b"</script>')), (Inner(1.0),), (1, "x"), ((1, 0.5),), None, [1, 2])


def test_what_was_frozen_thaws_to_the_same() -> None:
    assert frozen.thaw(Outer, frozen.freeze(WHOLE)) == WHOLE


def test_what_leaves_annot_holds_no_infinity() -> None:
    assert frozen.plain(WHOLE)["inner"]["value"] is None


@pytest.mark.parametrize("text", ['{"value": 1}', "[]", "nonsense", '{"colour": "blue"}'])
def test_another_record_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        frozen.thaw(Outer, text)
