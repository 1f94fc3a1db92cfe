"""The shadow random arm on hand-made clouds: what it says, what it leaves unsaid, and that nothing is judged by what it has learned."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from annot.errors import BadInput
from annot.loop.report import worlds as replays
from annot.loop.report.shadow import Saved, shadow, tell
from annot.loop.report.worlds import Material, Worlds
from annot.simulate.studies import shadow as studies


@pytest.fixture(autouse=True)
def few_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look into two worlds of three queries each, so that a test is quick."""
    monkeypatch.setattr(replays, "WORLDS", 2)
    monkeypatch.setattr(replays, "QUERIES", 3)


def clouds(seed: int = 0, texts: int = 400, labelled: int = 100, audits: int = 24, classes: int = 3) -> tuple[Material, np.ndarray]:
    """Return a project of overlapping clouds on the sphere of four dimensions, labelled at random, and the labels of all."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=texts)
    vectors = np.eye(4)[truth] + rng.normal(0, 0.6, (texts, 4))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    places = rng.permutation(texts)
    audit = np.zeros(labelled, bool)
    audit[rng.choice(labelled, audits, replace=False)] = True
    targets = np.eye(classes, dtype=np.float32)[truth]
    return Material(vectors, np.sort(places[labelled:]), places[:labelled], targets[places[:labelled]], audit), targets


def worlds(gap: float = 0.0, spread: float = 0.0, step: float = 0.05) -> Worlds:
    """Return worlds whose random arm gains ``step`` per doubling and is ``gap`` behind the active arm at 100 labels."""
    moved = spread * np.array([-1.0, 1.0, -1.0, 1.0])
    curve = 0.7 + step * np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    return Worlds(np.array([25, 50, 100, 200, 400]), 0.7 + gap + moved, np.tile(curve, (4, 1)))


def right(share: float = 0.7, n: int = 40) -> np.ndarray:
    return np.arange(n) < share * n


def test_a_saving_is_told_with_a_curve_that_rises() -> None:
    arms, _ = clouds()
    found = shadow(arms, 1)
    assert found.active is not None
    assert found.saved is not None
    assert [point.labels for point in found.curve] == [25, 50, 100, 200, 400]
    assert all(np.diff([point.value for point in found.curve]) >= 0)
    for point in (*found.curve, found.active):
        assert 0 <= point.low <= point.value <= point.high <= 1
    assert found.saved.low <= found.saved.value <= found.saved.high
    assert found.active.labels == 100


def test_the_truth_of_random_draws_lies_within_the_curve() -> None:
    held = []
    for seed in range(3):
        arms, targets = clouds(seed, texts=1200)
        found = shadow(arms, seed)
        everything = replace(arms, vectors=np.asarray(arms.vectors, np.float32))
        rng = np.random.default_rng(seed)
        for point in found.curve[2:4]:
            rows = [rng.permutation(len(targets))[: point.labels] for _ in range(5)]
            truth = np.mean([replays._expected(everything, targets, chosen, targets.astype(float)) for chosen in rows])
            held.append(point.low <= truth <= point.high)
    assert sum(held) >= 4


def test_the_same_seed_gives_the_same_answer_and_another_one_other_worlds() -> None:
    arms, _ = clouds()
    assert shadow(arms, 1) == shadow(arms, 1)
    assert shadow(arms, 1).curve != shadow(arms, 2).curve


def test_audit_items_are_never_learned_from_by_what_they_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    arms, _ = clouds()
    small = replays.small(arms, 1)
    audits = small.vectors[small.labelled[small.audit]]
    learned: list[np.ndarray] = []
    fit = replays.heads.fit

    def watched(vectors: np.ndarray, *rest: Any) -> Any:
        learned.append(vectors)
        return fit(vectors, *rest)

    monkeypatch.setattr(replays.heads, "fit", watched)
    replays.audit_right(small)
    assert not any((vectors[:, None] == audits).all(axis=2).any() for vectors in learned)
    learned.clear()
    replays.label_law(small)
    assert not (learned[0][:, None] == audits).all(axis=2).any()  # the head that tells how sure the law is


def test_audit_labels_move_what_is_said_of_the_active_arm() -> None:
    good, bad = tell(worlds(), right(0.9), 100), tell(worlds(), right(0.5), 100)
    assert good.active is not None
    assert bad.active is not None
    assert (good.active.value, bad.active.value) == (0.9, 0.5)
    assert good.curve[2].value == pytest.approx(0.9)
    assert good.saved == bad.saved


def test_equal_arms_save_nothing_and_a_gain_of_a_doubling_saves_half() -> None:
    equal, twice = tell(worlds(), right(), 100).saved, tell(worlds(0.05), right(), 100).saved
    assert equal is not None
    assert twice is not None
    assert equal.value == pytest.approx(100)
    assert twice.value == pytest.approx(200)


def test_worlds_that_differ_widen_the_interval_of_the_saving() -> None:
    near, far = tell(worlds(0.02), right(), 100).saved, tell(worlds(0.02, spread=0.02), right(), 100).saved
    assert near is not None
    assert far is not None
    assert near.low > far.low
    assert near.high < far.high
    assert near.value == pytest.approx(far.value)


def test_a_flat_curve_tells_no_saving() -> None:
    found = tell(worlds(step=0.002), right(), 100)
    assert found.saved == Saved(pytest.approx(100), 0.0, np.inf)
    assert not found.known
    assert found.words == ("The saving is not known yet: 100 labels may have done the work of under 25 to over 400 drawn at random (80 %).")


def test_a_curve_that_ends_below_the_active_arm_gives_a_lower_bound() -> None:
    found = tell(worlds(0.2), right(), 100)
    assert found.saved is not None
    assert (found.saved.value, found.saved.high) == (np.inf, np.inf)
    assert found.known
    assert found.words == "100 labels did the work of 400 or more drawn at random (80 %)."


def test_a_saving_is_said_with_its_interval() -> None:
    found = tell(worlds(0.05), right(), 100)
    assert found.known
    assert found.words == "100 labels did the work of about 200 drawn at random (80 %: 160 to 250)."


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"audits": 19}, "it takes 20 audit labels"),
        ({"audits": 0}, "it takes 20 audit labels"),
        ({"labelled": 30, "audits": 30}, "the model has chosen 0 of the labelled items"),
        ({"labelled": 240}, "more than half of the texts are labelled"),
        ({"labelled": 400}, "more than half of the texts are labelled"),
        ({"classes": 1}, "the labels that the model learns from are all the same"),
    ],
)
def test_what_cannot_be_known_is_said_with_the_reason(change: dict[str, int], reason: str) -> None:
    found = shadow(clouds(**change)[0], 1)
    assert (found.curve, found.active, found.saved, found.known) == ((), None, None, False)
    assert found.words.startswith("The saving is not known yet: ")
    assert reason in found.words


def test_no_labels_at_all_is_an_answer_too() -> None:
    arms, _ = clouds()
    empty = np.empty(0, np.int64)
    found = shadow(replace(arms, labelled=empty, targets=np.empty((0, 3)), audit=np.empty(0, bool)), 1)
    assert not found.known


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.5])
def test_vectors_that_are_no_numbers_or_all_alike_are_no_fault(value: float) -> None:
    arms, _ = clouds()
    vectors = np.array(arms.vectors, np.float32)
    vectors[: 400 if value == 0.5 else 50] = value
    found = shadow(replace(arms, vectors=vectors), 1)
    assert found.active is not None
    assert all(np.isfinite([point.value, point.low, point.high]).all() for point in (*found.curve, found.active))


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    arms, _ = clouds()
    with pytest.raises(BadInput, match="do not belong together"):
        shadow(replace(arms, audit=arms.audit[1:]), 1)
    with pytest.raises(BadInput, match="must hold no labelled item"):
        shadow(replace(arms, pool=np.arange(400)), 1)
    with pytest.raises(BadInput, match="Targets must be 0 or 1"):
        shadow(replace(arms, targets=arms.targets * np.nan), 1)
    with pytest.raises(BadInput, match="within the 400 vectors"):
        shadow(replace(arms, pool=arms.pool + 400), 1)


def test_several_labels_may_hold_of_one_item() -> None:
    arms, targets = clouds()
    several = targets.copy()
    several[:, 1] = np.maximum(several[:, 1], np.asarray(arms.vectors[:, 1] > 0.4))
    several[arms.labelled[:3]] = 0
    found = shadow(replace(arms, targets=several[arms.labelled], exclusive=False), 1)
    assert found.active is not None
    assert 0.2 < found.active.value < 1
    assert all(np.diff([point.value for point in found.curve]) >= 0)


def test_of_a_large_pool_a_random_part_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    arms, _ = clouds(texts=900)
    monkeypatch.setattr(replays, "PART", 200)
    small = replays.small(arms, 1)
    assert (len(small.vectors), len(small.pool)) == (300, 200)
    assert np.array_equal(small.vectors[:100], np.asarray(arms.vectors[arms.labelled], np.float32))
    assert shadow(arms, 1).curve[-1].labels == 300


def test_a_law_has_the_shares_of_the_audit_labels_where_there_are_many() -> None:
    logits = np.random.default_rng(0).normal(size=(500, 3))
    audits = np.eye(3)[np.repeat([0, 1, 2], [700, 200, 100])]
    law = replays._law(logits, 3.0, audits, True)
    assert law.mean(axis=0) == pytest.approx([0.7, 0.2, 0.1], abs=0.02)
    assert law.sum(axis=1) == pytest.approx(np.ones(500))


def ground() -> studies.Ground:
    arms, targets = clouds(texts=300)
    names = np.eye(4, dtype=np.float16)[:3]
    judges = np.asarray(arms.vectors[200:], np.float32)
    return studies.Ground("clouds", arms.vectors[:200], targets[:200], names, judges, targets[200:], True)


def test_a_replayed_project_asks_nothing_twice_and_audits_a_tenth() -> None:
    pool, asked, released_at = studies.project(ground(), 1, most=60)
    assert len(set(asked.tolist())) == len(asked) == 60
    assert asked.max() < len(pool)
    assert set(released_at) <= set(asked.tolist())
    left = [at for at in released_at.values() if at > 60]
    assert len(left) == 6
    assert all(at > asked.tolist().index(place) for place, at in released_at.items())


def test_the_study_writes_a_line_a_data_set_with_the_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies, "CHECKPOINTS", (20, 60))
    monkeypatch.setattr(studies, "COUNTS", (10, 40, 150))
    monkeypatch.setattr("annot.loop.report.shadow.MIN_AUDIT", 5)
    found = studies.cases(ground(), [1], [0.5, 0.7, 0.8])
    assert [case.labels for case in found] == [20, 60]
    assert found[0].told["saved"] is None
    facts = {"seeds": 1, "curves": {"clouds": {}}, "cases": [asdict(case) for case in found]}
    lines = studies.table(facts)
    assert lines[0].startswith("At 20 labels nothing is said")
    assert sum(line.startswith("| clouds | 60 |") for line in lines) == 2
    missed = {**facts, "cases": [{**facts["cases"][1], "equal": 1e6}]}
    assert "| 0% |" in next(line for line in studies.table(missed)[::-1] if line.startswith("| clouds | 60 |"))
