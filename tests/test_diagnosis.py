"""What holds a model back, on matrices small enough to check by hand."""

import numpy as np
import pytest

from annot.errors import BadInput
from annot.quality.calibration import calibration
from annot.quality.confusion import EXAMPLES, Confusion, Pair, confusion, recalls
from annot.quality.diagnosis import CONFUSED, ENCODER, Disagreement, Scarce, advice, skips, too_few
from annot.quality.drift import FEWEST, drift
from annot.quality.estimates import wilson

NAMES = ("ham", "spam", "ads")


def exclusive(columns: list[int], k: int = 3) -> np.ndarray:
    """Return the indicator matrix of one label a row."""
    return np.eye(k, dtype=np.float32)[columns]


def texts(seed: int, n: int, shift: float = 0.0, d: int = 40) -> np.ndarray:
    """Return unit vectors around one direction, moved by ``shift`` along another."""
    vectors = np.random.default_rng(seed).normal(size=(n, d)) + 2 * np.eye(d)[0] + shift * np.eye(d)[1]
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def test_a_label_taken_for_another_is_counted_one_way() -> None:
    found = confusion(exclusive([0, 0, 0, 1, 2]), exclusive([1, 1, 0, 1, 0]), [10, 11, 12, 13, 14])
    assert found.n == 5
    assert found.pairs == (Pair(0, 1, 2, wilson(2, 3), (10, 11)), Pair(2, 0, 1, wilson(1, 1), (14,)))
    assert found.words(NAMES) == ["ham taken for spam: 2 of 3, 67 % (25 to 92)", "ads taken for ham: 1 of 1, 100 % (27 to 100)"]


def test_labels_missed_and_added_pair_up_or_stand_alone() -> None:
    truth = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 0, 0]])
    predicted = np.array([[1, 0, 1], [0, 0, 0], [0, 0, 1], [1, 0, 0]])
    found = {(pair.label, pair.taken_for): pair for pair in confusion(truth, predicted, [1, 2, 3, 4]).pairs}
    assert set(found) == {(1, 2), (0, None), (None, 2)}
    assert (found[1, 2].rate.n, found[0, None].rate.n, found[None, 2].rate.n) == (1, 3, 4)
    assert found[None, 2].items == (3,)
    lines = confusion(truth, predicted, [1, 2, 3, 4]).words(NAMES)
    assert lines[0] == "spam taken for ads: 1 of 1, 100 % (27 to 100)"
    assert {line.split(":")[0] for line in lines[1:]} == {"ham missed", "ads added where it does not hold"}


def test_a_pair_shows_at_most_twenty_examples() -> None:
    found = confusion(exclusive([0] * 50), exclusive([1] * 50), range(50))
    assert found.pairs[0].count == 50
    assert found.pairs[0].items == tuple(range(EXAMPLES))


def test_nothing_judged_is_no_confusion() -> None:
    nothing = np.empty((0, 3))
    assert confusion(nothing, nothing, []) == Confusion(0, ())
    assert [one.n for one in recalls(nothing, nothing)] == [0, 0, 0]


@pytest.mark.parametrize("predicted", [np.full((2, 3), np.nan), np.full((2, 3), 0.5), np.zeros((1, 3)), np.zeros(3)])
def test_confusion_refuses_what_is_no_label_matrix(predicted: np.ndarray) -> None:
    with pytest.raises(BadInput):
        confusion(exclusive([0, 1]), predicted, [1, 2])


def test_recall_is_by_label() -> None:
    found = recalls(exclusive([0, 0, 1]), exclusive([0, 1, 1]))
    assert [(one.value, one.n) for one in found] == [(0.5, 2), (1.0, 1), (0.0, 0)]


def test_labels_under_five_answers_or_a_fifth_of_the_even_share_are_scarce() -> None:
    assert too_few(np.array([4, 0, 20]), np.array([7, 0, 9])) == (Scarce(1, 0, 5, 0), Scarce(0, 4, 5, 7))
    assert too_few(np.array([280, 20, 19]), np.array([1, 1, 1])) == (Scarce(2, 19, 22, 1), Scarce(1, 20, 22, 1))
    assert too_few(np.array([], int), np.array([], int)) == ()
    assert too_few(np.array([4, 0, 20]), np.array([7, 0, 9]))[0].words(NAMES) == (
        "spam: 0 of at least 5 answers; the model sees it in no unlabelled text"
    )


def test_scarce_labels_refuse_counts_that_do_not_match() -> None:
    for answers in (np.array([1, 2]), np.array([-1]), np.array([np.nan])):
        with pytest.raises(BadInput):
            too_few(answers, np.array([1]))


def test_the_label_that_is_skipped_more_than_the_rest_is_worst() -> None:
    predicted = np.repeat([0, 1, -1], [40, 40, 5])
    skipped = np.isin(np.arange(85), [0, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 80])
    found = skips(predicted, skipped, range(85))
    assert (found.overall.n, [one.label for one in found.labels]) == (85, [1, 0])
    assert [one.label for one in found.worst] == [1]
    assert found.worst[0].items == tuple(range(40, 50))
    assert found.words(NAMES) == ["12 of 85 texts were skipped or flagged", "spam: 25 % (16 to 38) of 40 texts skipped or flagged"]


def test_nothing_shown_is_nothing_skipped() -> None:
    found = skips(np.empty(0, int), np.empty(0, bool), [])
    assert (found.overall.n, found.labels, found.worst) == (0, (), ())


def test_skips_refuse_lengths_that_differ() -> None:
    with pytest.raises(BadInput):
        skips(np.array([0, 1]), np.array([True]), [1, 2])


def test_the_same_kind_of_text_does_not_drift() -> None:
    found = drift(texts(1, 300), texts(2, 100), range(100))
    assert not found.found
    assert found.words().startswith("the newest texts look like the labelled ones (AUC 0.")


def test_another_kind_of_text_drifts_and_its_most_typical_ones_are_named() -> None:
    mixed = np.concatenate([texts(2, 150), texts(3, 50, shift=8)])
    found = drift(texts(1, 300), mixed, range(1000, 1200))
    assert found.found
    assert found.p_value == 1 / 200
    assert all(item >= 1150 for item in found.typical)
    assert "differ" in found.words()
    assert drift(texts(1, 300), mixed, range(1000, 1200)) == found


def test_drift_is_found_in_five_of_a_hundred_where_there_is_none() -> None:
    p_values = np.array([drift(texts(seed, 30, d=8), texts(seed + 1000, 30, d=8), range(30), seed).p_value for seed in range(100)])
    assert (p_values <= 0.05).mean() <= 0.11  # more than 11 of 100 at a level of 5 % happens once in 230 times
    assert 0.35 < p_values.mean() < 0.65


@pytest.mark.parametrize("sizes", [(0, 0), (0, 50), (50, FEWEST - 1)])
def test_too_few_texts_are_not_compared(sizes: tuple[int, int]) -> None:
    found = drift(np.zeros((sizes[0], 4)), np.zeros((sizes[1], 4)), range(sizes[1]))
    assert (found.auc, found.found) == (None, False)
    assert "too few texts" in found.words()


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, 1e200])
def test_identical_texts_cannot_be_told_apart(value: float) -> None:
    found = drift(np.full((43, 7), value), np.full((31, 7), value), range(31))
    assert found.auc == pytest.approx(0.5)
    assert not found.found


@pytest.mark.parametrize("incoming", [np.full((30, 4), np.nan), np.zeros((30, 5)), np.zeros((30, 0)), np.zeros(30)])
def test_drift_refuses_vectors_it_cannot_compare(incoming: np.ndarray) -> None:
    with pytest.raises(BadInput):
        drift(np.zeros((30, 4)), incoming, range(30))


def test_a_model_surer_than_right_is_overconfident() -> None:
    truth = exclusive([0] * 70 + [1] * 30, 2)
    found = calibration(truth, np.tile([0.9, 0.1], (100, 1)))
    assert len(found.bins) == 1
    assert (found.bins[0].right.value, found.gap.n) == (0.7, 100)
    assert found.gap.value == pytest.approx(0.2)
    assert found.error.value == pytest.approx(np.sqrt(0.04 - 0.21 / 99))
    assert found.brier.value == pytest.approx(0.7 * 0.01 + 0.3 * 0.81)
    assert found.words() == "overconfident by 20 points (13 to 28)"


def test_a_model_as_sure_as_it_is_right_is_neither() -> None:
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 400)
    truth = exclusive((rng.random(400) > sure).astype(int).tolist(), 2)
    found = calibration(truth, np.stack([sure, 1 - sure], axis=1))
    assert found.gap.low <= 0 <= found.gap.high
    assert "no over- or underconfidence" in found.words()
    assert [one.right.n for one in found.bins] == [40] * 10
    assert all(before.high <= after.low for before, after in zip(found.bins, found.bins[1:], strict=False))


def test_the_error_of_a_calibrated_model_is_less_than_its_bins_show() -> None:
    plain, debiased = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        sure = rng.uniform(0.5, 1, 60)
        found = calibration(exclusive((rng.random(60) > sure).astype(int).tolist(), 2), np.stack([sure, 1 - sure], axis=1))
        plain.append(np.sqrt(np.mean([(one.confidence - one.right.value) ** 2 for one in found.bins])))
        debiased.append(found.error.value)
    assert np.mean(debiased) < 0.7 * np.mean(plain)


def test_an_underconfident_model_is_told_in_positive_points() -> None:
    found = calibration(exclusive([0] * 60, 2), np.tile([0.6, 0.4], (60, 1)))
    assert found.words() == "underconfident by 40 points (36 to 40)"


def test_several_labels_are_judged_by_the_likeliest() -> None:
    found = calibration(np.array([[1, 1, 0]] * 20 + [[0, 1, 0]] * 20), np.tile([0.8, 0.4, 0.1], (40, 1)))
    assert found.gap.value == pytest.approx(0.3)


def test_few_labels_say_little_of_calibration_and_none_nothing() -> None:
    nothing = calibration(np.empty((0, 3)), np.empty((0, 3)))
    assert (nothing.bins, nothing.gap.n) == ((), 0)
    one = calibration(exclusive([1]), np.array([[0.2, 0.7, 0.1]]))
    assert (len(one.bins), one.error.n) == (1, 1)
    assert "too early" in nothing.words()
    assert "too early" in one.words()


@pytest.mark.parametrize("proba", [np.full((2, 3), np.nan), np.full((2, 3), 1.5), np.zeros((2, 2))])
def test_calibration_refuses_what_is_no_probability(proba: np.ndarray) -> None:
    with pytest.raises(BadInput):
        calibration(exclusive([0, 1]), proba)


def confused(count: int) -> Confusion:
    return confusion(exclusive([0] * count + [1] * 9), exclusive([1] * count + [1] * 9), range(count + 9))


@pytest.mark.parametrize(
    ("scarce", "pairs", "people", "expected"),
    [
        ((), confused(0), (), [ENCODER]),
        ((), confused(CONFUSED - 1), (), [ENCODER]),
        ((), confused(6), (), ["Clearer guidelines for ham against spam: the model confuses them in 6 of 15 audit labels."]),
        ((), confused(6), (Disagreement(1, 0, 3, 9),), ["Clearer guidelines for ham against spam: the model confuses them in 6 of 15 audit "
         "labels; annotators disagree on 3 of 9."]),
        ((), confused(6), (Disagreement(1, 0, 0, 30),), [ENCODER]),
        ((Scarce(1, 2, 5, 40), Scarce(2, 3, 5, 8)), confused(0), (), ["More labels of ads: 3 of at least 5 answers; the model sees it in 8 "
         "unlabelled texts; the model finds 25 % (9 to 54) of it, 8 audit labels."]),
        ((Scarce(0, 2, 5, 40),), confused(0), (), [ENCODER]),
    ],
)  # fmt: skip
def test_advice_names_the_missed_label_the_confused_pair_or_the_encoder(
    scarce: tuple[Scarce, ...], pairs: Confusion, people: tuple[Disagreement, ...], expected: list[str]
) -> None:
    assert list(advice((wilson(9, 10), wilson(5, 10), wilson(2, 8)), scarce, pairs, NAMES, people)) == expected


def test_a_scarce_label_no_audit_item_has_had_is_named_where_no_other_is_missed() -> None:
    found = advice((wilson(9, 10), wilson(0, 0), wilson(8, 8)), (Scarce(1, 0, 5, 0), Scarce(2, 3, 5, 8)), confused(0), NAMES)
    assert found[0].endswith("in no unlabelled text; no audit label has it yet.")


def test_of_two_labels_the_only_pair_is_no_advice_unless_annotators_disagree() -> None:
    truth = exclusive([0] * 6 + [1] * 9, 2)
    pair = confusion(truth, exclusive([1] * 15, 2), range(15))
    assert advice((wilson(0, 6), wilson(9, 9)), (), pair, NAMES[:2]) == (ENCODER,)
    assert advice((wilson(0, 6), wilson(9, 9)), (), pair, NAMES[:2], (Disagreement(0, 1, 3, 9),)) != (ENCODER,)


def test_advice_needs_a_recall_for_every_label() -> None:
    with pytest.raises(BadInput):
        advice((), (), confused(0), NAMES)
