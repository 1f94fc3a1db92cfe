"""What answers come to: settled label sets, what "not" and "either" leave open, and what a tree's labels imply."""

import numpy as np
import pytest

from annot.errors import BadInput
from annot.loop.targets import parents_of, settle, with_ancestors
from annot.records import Answer, Kind, Label, Reason, Relation, Split

# The places: 0 right ankle, 1 body, 2 ankle, 3 mind; a child may stand before its parent.
PARENTS = np.array([2, -1, 1, -1])


def test_a_label_brings_all_labels_above_it() -> None:
    assert with_ancestors(np.eye(4, dtype=np.float32), PARENTS).tolist() == [[1, 1, 1, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]]


def test_expanding_twice_changes_nothing_and_leaves_the_input_alone() -> None:
    targets = np.array([[1, 0, 0, 1], [0, 0, 0, 0]], np.float32)
    once = with_ancestors(targets, PARENTS)
    assert once.tolist() == [[1, 1, 1, 1], [0, 0, 0, 0]]
    assert np.array_equal(with_ancestors(once, PARENTS), once)
    assert targets.sum() == 2


def test_a_flat_label_set_and_an_empty_one_come_back_as_they_were() -> None:
    targets = np.array([[1, 0], [0, 1]], np.float32)
    assert np.array_equal(with_ancestors(targets, np.array([-1, -1])), targets)
    assert with_ancestors(np.empty((0, 4), np.float32), PARENTS).shape == (0, 4)


def test_soft_targets_give_an_ancestor_the_largest_below_it() -> None:
    assert with_ancestors(np.array([[0.2, 0, 0.5, 0]]), PARENTS).tolist() == [[np.float32(0.2), 0.5, 0.5, 0]]


def test_labels_in_a_circle_are_refused() -> None:
    with pytest.raises(BadInput, match="circle"):
        with_ancestors(np.eye(2), np.array([1, 0]))


def test_parents_are_found_by_their_place() -> None:
    labels = [Label(7, "ankle", "Ankle", parent=9), Label(9, "body", "Body"), Label(4, "mind", "Mind")]
    assert parents_of(labels).tolist() == [1, -1, -1]


# A tree of 1 (2, 3) and 4.
TREE = [Label(1, "body", "Body"), Label(2, "ankle", "Ankle", parent=1), Label(3, "wrist", "Wrist", parent=1), Label(4, "mind", "Mind")]


def said(item: int, relation: Relation, *labels: int, reason: Reason = Reason.UNCERTAIN, split: Split = Split.POOL) -> Answer:
    return Answer(
        0, f"uid-{item}", item, "", "mira", Kind.LABEL, labels, relation, "", 0.0, 1.0, reason, None, None, None, None, None, None, split
    )


def test_what_not_and_either_leave_open() -> None:
    answers = [
        said(10, Relation.NOT, 1),  # with what is below it
        said(11, Relation.NOT, 2),
        said(11, Relation.NOT, 4),
        said(12, Relation.EITHER, 2, 3),
        said(13, Relation.EITHER, 2, 3),
        said(13, Relation.EITHER, 3, 4),  # narrowed to what they share
        said(14, Relation.EITHER, 2, 4),
        said(14, Relation.NOT, 1),
        said(15, Relation.EITHER, 1, 4),  # "body" may be ankle or wrist
    ]
    known = settle(answers, TREE, True).partial
    assert known.rows.tolist() == [10, 11, 12, 13, 14]
    assert known.ruled_out.astype(int).tolist() == [[1, 1, 1, 0], [0, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0]]
    assert known.one_of.astype(int).tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def test_nothing_is_known_in_part_of_what_is_settled_contradicted_or_kept_for_judging() -> None:
    answers = [
        said(10, Relation.NOT, 2),
        said(10, Relation.IS, 3),
        said(11, Relation.EITHER, 2, 3),
        said(11, Relation.NOT, 1),
        said(12, Relation.NOT, 2, reason=Reason.AUDIT),
        said(13, Relation.NOT, 2, reason=Reason.AUDIT),
        said(14, Relation.NOT, 2, split=Split.TEST),
    ]
    labelled = settle(answers, TREE, True, released={13})
    assert labelled.items.tolist() == [10]
    assert labelled.partial.rows.tolist() == [13]
    assert len(settle([], TREE, True).partial) == 0
