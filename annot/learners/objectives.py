"""What fine-tuning makes small: losses of a batch's vectors against its label sets.

Flat, multi-label and tree take the same functions. In a tree a label set holds the ancestors too (``loop.targets.with_ancestors``): two
siblings then share what is above them, so they attract each other partly, and a guess in the right branch costs less than one outside it.
Pure functions of tensors. Must not know an encoder, draw a batch or take a step.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# (vectors (n, d), truth (n, k), weights (n,)) -> the loss, all torch tensors on one device.
Loss = Callable[[Any, Any, Any], Any]


def contrastive(vectors: Any, truth: Any, weights: Any, temperature: float) -> Any:
    """Return the supervised contrastive loss (Khosla et al., NeurIPS 2020): texts of one label together, all others apart.

    ``vectors`` (n, d) L2-normalised, ``truth`` (n, k) of 0/1, ``weights`` (n,). Two items attract by the share of labels they have in
    common (Jaccard): 0 or 1 where labels exclude each other, and two items with no label are alike. An item counts by what it has most
    in common with any other, so one that met only siblings pulls at them a third as hard as at its own kind.
    """
    both = truth @ truth.T
    union = truth.sum(1, keepdim=True) + truth.sum(1) - both
    alike = (both / union.clamp(min=1e-6)).where(union > 0, 1.0).fill_diagonal_(0)
    strength = alike.amax(1) * weights
    pairs = alike * weights
    similarity = (vectors @ vectors.T / temperature).fill_diagonal_(-1e4)
    per_item = -(pairs * similarity.log_softmax(dim=1)).sum(1) / pairs.sum(1).clamp(min=1e-6)
    return (per_item * strength).sum() / strength.sum().clamp(min=1e-6)


def cross_entropy(logits: Any, truth: Any, weights: Any, one_each: bool) -> Any:
    """Return the cross-entropy of ``logits`` (n, k): of a softmax where each item has one label, else of a sigmoid a label."""
    import torch

    if one_each:
        per_item = torch.nn.functional.cross_entropy(logits, truth, reduction="none")
    else:
        per_item = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(1)
    return (per_item * weights).sum() / weights.sum().clamp(min=1e-6)


def _contrastive(truth: NDArray[np.float32], dimensions: int, temperature: float, device: str) -> tuple[Loss, list[Any]]:
    return lambda vectors, truth, weights: contrastive(vectors, truth, weights, temperature), []


def _cross_entropy(truth: NDArray[np.float32], dimensions: int, temperature: float, device: str) -> tuple[Loss, list[Any]]:
    """A linear layer trained with the encoder and thrown away after."""
    import torch

    layer = torch.nn.Linear(dimensions, truth.shape[1]).to(device)
    one_each = bool((truth.sum(axis=1) == 1).all())
    return lambda vectors, truth, weights: cross_entropy(layer(vectors) / temperature, truth, weights, one_each), list(layer.parameters())


# Each is built from all targets (n, k), the vectors' width, the temperature and the device; gives the loss and what it has to learn itself.
OBJECTIVES: dict[str, Callable[[NDArray[np.float32], int, float, str], tuple[Loss, list[Any]]]] = {
    "contrastive": _contrastive,
    "cross_entropy": _cross_entropy,
}
