"""Learning on arrays: with a method that only helps and one that only harms, the check tells which is which."""

from dataclasses import replace

import numpy as np
import pytest

from annot import selftraining
from annot.loop import learning
from annot.records import Check
from annot.selftraining import PseudoLabels
from annot.situation import PartialLabels, Situation

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
        def method(situation: Situation) -> PseudoLabels:
            found = situation.pool[::4]
            # The check works on fewer rows, so a row is known again by its vector.
            rows = [int(np.argmin(np.abs(vectors - situation.vectors[place]).sum(axis=1))) for place in found]
            labels = np.eye(CLASSES, dtype=np.float32)[(truth[rows] + shift) % CLASSES]
            return PseudoLabels(found, labels, np.ones(len(found), np.float32))

        return method

    monkeypatch.setitem(selftraining.methods._entries, "oracle", told(0))
    monkeypatch.setitem(selftraining.methods._entries, "liar", told(1))
    return truth


def test_the_check_finds_help_and_harm(methods: np.ndarray) -> None:
    situation, _ = blobs(labelled=40)
    helped = learning.check(situation, "oracle", 1)
    situation, _ = blobs(labelled=40)
    harmed = learning.check(situation, "liar", 1)
    assert helped is not None
    assert harmed is not None
    assert (helped.pseudo, harmed.pseudo, helped.n, harmed.n) == (90, 90, 40, 40)
    assert helped.gain > harmed.gain
    assert harmed.gain < -2 * harmed.error
    assert not harmed.helps


def test_a_check_of_noise_finds_no_help() -> None:
    gains = []
    for seed in range(10):
        situation, _ = blobs(seed, each=60, labelled=48)
        noise = np.random.default_rng(seed).permutation(situation.targets)
        found = learning.check(replace(situation, targets=noise), "actune", seed)
        assert found is not None
        gains.append(found.gain)
    assert abs(np.mean(gains)) < 2 * np.std(gains) / np.sqrt(len(gains)) + 0.01


def test_a_check_is_the_same_under_the_same_seed() -> None:
    found = [learning.check(blobs(labelled=24)[0], "hast", 3) for _ in range(2)]
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
    assert learning.check(one, "hast", 1) is None
    two = replace(situation, labelled=situation.labelled[:2], targets=np.eye(CLASSES, dtype=np.float32)[[0, 1]])
    assert learning.check(two, "hast", 1) is None  # without either, the rest has one class


def test_no_method_is_used_where_several_labels_may_hold() -> None:
    assert (learning.method_of("hast", True), learning.method_of("hast", False)) == ("hast", "none")


def test_seventy_seven_classes_with_one_label_each_can_be_learned_and_checked() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(400, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    situation = Situation(None, vectors, np.arange(77, 400), np.arange(77), np.eye(77, dtype=np.float32), rng)
    for method in selftraining.names():
        learned = learning.learn(situation, method, 1)
        assert learned is not None
        assert np.isfinite(learned.proba).all()
        found = learning.check(situation, method, 1)
        assert found is not None
        assert np.isfinite(found.gain)


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


def known_in_part(truth: np.ndarray, rows: np.ndarray, either: bool) -> PartialLabels:
    """Say of each row: its label or the one after it; or, not that one."""
    after = np.eye(CLASSES, dtype=bool)[(truth[rows] + 1) % CLASSES]
    one_of = after | np.eye(CLASSES, dtype=bool)[truth[rows]]
    return PartialLabels(rows, after & (not either), one_of & either)


@pytest.mark.parametrize("either", [True, False], ids=["either", "not"])
def test_partial_labels_teach_and_no_full_label_would_have_taught_less(either: bool) -> None:
    gains = []
    for seed in range(5):
        situation, truth = blobs(seed)
        rows = situation.pool[::5]
        rest = np.setdiff1d(situation.pool, rows)
        told = replace(situation, pool=rest, partial=known_in_part(truth, rows, either))
        whole = replace(
            situation,
            labelled=np.concatenate([situation.labelled, rows]),
            targets=np.eye(CLASSES, dtype=np.float32)[truth[np.concatenate([situation.labelled, rows])]],
        )
        right = []
        for known in (situation, told, whole):
            head = learning.fit(known, 1)
            assert head is not None
            right.append((head.proba(situation.vectors[rest]).argmax(axis=1) == truth[rest]).mean())
        gains.append(right)
    plain, taught, gold = np.mean(gains, axis=0)
    assert plain + 0.01 < taught <= gold + 0.005


def test_partial_labels_change_nothing_where_there_are_none_or_several_labels_may_hold() -> None:
    situation, truth = blobs()
    nothing = known_in_part(truth, np.empty(0, np.int64), True)
    some = known_in_part(truth, situation.pool[:40], True)
    for exclusive, partial in ((True, nothing), (False, some)):
        plain = learning.fit(replace(situation, exclusive=exclusive), 1)
        told = learning.fit(replace(situation, exclusive=exclusive, partial=partial), 1)
        assert plain is not None
        assert told is not None
        assert np.array_equal(plain.weights, told.weights)


def test_a_self_training_method_and_its_check_go_on_beside_partial_labels() -> None:
    situation, truth = blobs()
    told = replace(situation, pool=situation.pool[40:], partial=known_in_part(truth, situation.pool[:40], False))
    learned = learning.learn(told, "hast", 1)
    assert learned is not None
    assert not set(learned.pseudo.indices) & set(situation.pool[:40])
    assert learning.check(told, "hast", 1) is not None
