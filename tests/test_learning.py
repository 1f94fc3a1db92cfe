"""Learning on arrays: with a method that only helps and one that only harms, the check tells which is which."""

from dataclasses import replace

import numpy as np
import pytest

from annot import selftraining
from annot.loop import learning
from annot.records import Check
from annot.selectors import Situation
from annot.selftraining import PseudoLabels

CLASSES = 4


def blobs(seed: int = 0, each: int = 100, labelled: int = 12) -> tuple[Situation, np.ndarray]:
    """Return four overlapping clouds of unit vectors, a few of each labelled, and the truth of all."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(CLASSES), each)
    vectors = np.eye(24)[truth] * 1.2 + rng.normal(0, 0.35, (len(truth), 24))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    places = np.concatenate([rng.choice(np.flatnonzero(truth == one), labelled // CLASSES, replace=False) for one in range(CLASSES)])
    targets = np.eye(CLASSES, dtype=np.float32)[truth[places]]
    pool = np.setdiff1d(np.arange(len(truth)), places)
    return Situation(None, vectors, pool, places, targets, np.random.default_rng(seed)), truth


@pytest.fixture
def methods(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Register `oracle`, which is told the truth by the vectors' places, and `liar`, which turns it by one class."""
    _, truth = blobs()
    vectors = blobs()[0].vectors

    def told(shift: int) -> selftraining.Method:
        def method(situation: selftraining.Situation) -> PseudoLabels:
            found = situation.pool[::4]
            # The check works on fewer rows, so a row is known again by its vector.
            rows = [int(np.argmin(np.abs(vectors - situation.vectors[place]).sum(axis=1))) for place in found]
            labels = np.eye(CLASSES, dtype=np.float32)[(truth[rows] + shift) % CLASSES]
            return PseudoLabels(found, labels, np.ones(len(found), np.float32))

        return method

    monkeypatch.setitem(selftraining.methods._entries, "oracle", told(0))
    monkeypatch.setitem(selftraining.methods._entries, "liar", told(1))
    return truth


NONE = (np.empty(0, np.int64), np.empty((0, CLASSES), np.float32))


def test_the_check_finds_help_and_harm(methods: np.ndarray) -> None:
    situation, _ = blobs(labelled=40)
    helped = learning.check(situation, "oracle", 1, *NONE)
    situation, _ = blobs(labelled=40)
    harmed = learning.check(situation, "liar", 1, *NONE)
    assert (helped.pseudo, harmed.pseudo, helped.n, harmed.n) == (90, 90, 40, 40)
    assert helped.gain > harmed.gain
    assert harmed.gain < -2 * harmed.error
    assert not harmed.helps


def test_audit_labels_are_judged_and_never_trained_on(methods: np.ndarray) -> None:
    situation, truth = blobs(labelled=8)
    audit = situation.pool[::10]
    free = np.setdiff1d(situation.pool, audit)
    found = learning.check(replace(situation, pool=free), "oracle", 1, audit, np.eye(CLASSES, dtype=np.float32)[truth[audit]])
    assert found.n == 8 + len(audit)
    assert found.gain > 0
    assert found.helps


def test_a_check_is_the_same_under_the_same_seed() -> None:
    found = [learning.check(blobs(labelled=24)[0], "hast", 3, *NONE) for _ in range(2)]
    assert found[0] == found[1]


def test_pseudo_labels_change_the_head_only_when_there_are_some() -> None:
    situation, _ = blobs()
    plain, nothing = learning.learn(situation, "none", 1), learning.learn(replace(situation, exclusive=False), "hast", 1)
    taught = learning.learn(blobs()[0], "hast", 1)
    assert plain is not None
    assert nothing is not None
    assert taught is not None
    assert (len(plain.pseudo), len(nothing.pseudo)) == (0, 0)
    assert len(taught.pseudo) > 0
    assert not np.array_equal(plain.proba, taught.proba)
    assert not set(taught.pseudo.indices) & set(situation.labelled)


def test_one_class_seen_teaches_nothing_and_is_no_fault() -> None:
    situation, _ = blobs()
    one = replace(situation, labelled=situation.labelled[:2], targets=np.eye(CLASSES, dtype=np.float32)[[0, 0]])
    assert learning.learn(one, "hast", 1) is None
    assert learning.check(one, "hast", 1, *NONE) == Check("hast", 0, 0.0, 0.0, 0)


def test_seventy_seven_classes_with_one_label_each_can_be_learned_and_checked() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(400, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    situation = Situation(None, vectors, np.arange(77, 400), np.arange(77), np.eye(77, dtype=np.float32), rng)
    for method in selftraining.names():
        learned = learning.learn(situation, method, 1)
        assert learned is not None
        assert np.isfinite(learned.proba).all()
        assert np.isfinite(learning.check(situation, method, 1, np.empty(0, np.int64), np.empty((0, 77))).gain)


@pytest.mark.parametrize(
    ("check", "method", "expected"),
    [
        (None, "hast", False),
        (Check("hast", 9, 0.02, 0.01, 50), "hast", True),
        (Check("hast", 9, 0.02, 0.01, 50), "ust", False),
        (Check("hast", 9, 0.0, 0.01, 50), "hast", False),
        (Check("hast", 0, 0.02, 0.01, 50), "hast", False),
        (Check("none", 0, 0.0, 0.0, 0), "none", False),
    ],
)
def test_a_method_is_used_while_its_own_newest_check_found_help(check: Check | None, method: str, expected: bool) -> None:
    assert learning.uses(check, method) is expected
