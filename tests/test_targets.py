"""Label sets with their ancestors: what a tree's labels imply."""

import numpy as np
import pytest

from annot.errors import BadInput
from annot.loop.targets import parents_of, with_ancestors
from annot.records import Label

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
