"""The losses on tensors small enough to work out by hand."""

import numpy as np
import pytest
import torch

from annot.learners.objectives import OBJECTIVES, contrastive, cross_entropy
from annot.loop.targets import with_ancestors

# Two branches (columns 0 and 1) with two labels each (2, 3 and 4, 5).
PARENTS = np.array([-1, -1, 0, 0, 1, 1])
EACH = torch.from_numpy(with_ancestors(np.eye(6, dtype=np.float32), PARENTS))
ONES = torch.ones(3)


def unit(*degrees: float) -> torch.Tensor:
    turn = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([turn.cos(), turn.sin()], dim=1)


def by_hand(vectors: np.ndarray, truth: np.ndarray, weights: np.ndarray, temperature: float) -> float:
    """Work out the contrastive loss item by item, as its docstring says it."""
    n, total, count = len(vectors), 0.0, 0.0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        odds = {j: np.exp(vectors[i] @ vectors[j] / temperature) for j in others}
        alike = {j: (truth[i] * truth[j]).sum() / max(1, np.maximum(truth[i], truth[j]).sum()) for j in others}
        pull = {j: alike[j] * weights[j] for j in others}
        if sum(pull.values()) > 0:
            loss = -sum(pull[j] * np.log(odds[j] / sum(odds.values())) for j in others) / sum(pull.values())
            total += loss * weights[i] * max(alike.values())
            count += weights[i] * max(alike.values())
    return total / count


def test_the_contrastive_loss_is_what_it_says() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(6, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    truth, weights = EACH[[2, 2, 3, 4, 5, 0]].double().numpy(), np.array([1, 0.5, 2, 1, 1, 0.1])
    found = contrastive(*(torch.from_numpy(one) for one in (vectors, truth, weights)), temperature=0.5)
    assert float(found) == pytest.approx(by_hand(vectors, truth, weights, 0.5), rel=1e-6)


def test_siblings_attract_each_other_but_less_than_their_own_kind() -> None:
    labels = EACH[[2, 3, 4]]
    near_sibling, near_stranger = contrastive(unit(0, 20, 180), labels, ONES, 0.5), contrastive(unit(0, 180, 20), labels, ONES, 0.5)
    assert near_sibling < near_stranger
    labels = EACH[[2, 2, 3]]
    near_own, near_other = contrastive(unit(0, 20, 90), labels, ONES, 0.5), contrastive(unit(0, 90, 20), labels, ONES, 0.5)
    assert near_own < near_other


def test_an_item_that_met_only_siblings_counts_a_third() -> None:
    vectors, labels = unit(0, 10, 100, 150), EACH[[2, 2, 4, 5]]
    pairs = [float(contrastive(vectors, labels, torch.tensor(weights), 0.5)) for weights in ([1.0, 1, 1e-9, 1e-9], [1e-9, 1e-9, 1, 1])]
    both = float(contrastive(vectors, labels, torch.ones(4), 0.5))
    assert both == pytest.approx((3 * pairs[0] + pairs[1]) / 4, rel=1e-5)


def test_a_guess_in_the_right_branch_costs_less_than_one_outside_it() -> None:
    truth, ones = EACH[[2]], torch.ones(1)
    right, sibling, stranger = (cross_entropy(10 * EACH[[guess]] - 5, truth, ones, one_each=False) for guess in (2, 3, 4))
    assert right < sibling < stranger


def test_one_label_each_is_a_softmax_and_several_are_a_sigmoid_a_label() -> None:
    logits = torch.tensor([[2.0, 0.0]])
    truth, ones = torch.tensor([[1.0, 0.0]]), torch.ones(1)
    assert float(cross_entropy(logits, truth, ones, one_each=True)) == pytest.approx(np.log1p(np.exp(-2)), rel=1e-6)
    assert float(cross_entropy(logits, truth, ones, one_each=False)) == pytest.approx((np.log1p(np.exp(-2)) + np.log(2)) / 2, rel=1e-6)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_an_item_without_weight_changes_nothing(objective: str) -> None:
    torch.manual_seed(0)
    truth = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 0]], np.float32)
    loss, _ = OBJECTIVES[objective](truth, 2, 0.5, "cpu")
    weights, vectors = torch.tensor([1.0, 1, 1, 1, 0]), unit(0, 20, 90, 120, 100)
    other_label = torch.from_numpy(np.vstack([truth[:4], [[0, 1]]]).astype(np.float32))
    one, other = (loss(vectors, labels, weights).item() for labels in (torch.from_numpy(truth), other_label))
    assert one == pytest.approx(other, rel=1e-6)


def test_a_batch_in_which_nothing_is_alike_gives_no_gradient_and_no_nan() -> None:
    vectors = unit(0, 90, 200).requires_grad_()
    contrastive(vectors, torch.eye(3), ONES, 0.1).backward()
    assert vectors.grad is not None
    assert vectors.grad.abs().max() == 0


def test_items_without_a_label_are_of_a_kind() -> None:
    labels = torch.tensor([[0.0, 0], [0, 0], [1, 0]])
    assert contrastive(unit(0, 10, 180), labels, ONES, 0.5) < contrastive(unit(0, 180, 10), labels, ONES, 0.5)
