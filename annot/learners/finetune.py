"""Fine-tuning the encoder on labelled texts: one loop that can be read from top to bottom, seeded, on CUDA or CPU.

The result is a folder any transformers program loads, written whole or not at all. Must not judge the result or publish it.
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annot import encoders
from annot.encoders import EncoderId
from annot.errors import ModelError

COPIED = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train. Defaults are those of the table in docs/decisions.md."""

    objective: str = "contrastive"
    steps: int = 150
    batch: int = 32
    learning_rate: float = 5e-5
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    temperature: float = 0.1
    # Longer texts are cut in training only: the first tokens of a text mostly carry its topic, and time is linear in them.
    max_tokens: int = 128
    seed: int = 0


def finetune(
    base: EncoderId,
    texts: Sequence[str],
    targets: NDArray[np.floating],
    *,
    weights: NDArray[np.floating] | None,
    recipe: Recipe,
    out: Path,
    on_progress: Callable[[int], None] = lambda step: None,
) -> EncoderId:
    """Train ``base`` on texts with 0/1 targets (n, k) and optional example weights (n,); save to ``out`` and return its identity.

    Raises ModelError when fewer than two labels occur. Calls ``on_progress(step)`` after every step.
    """
    import torch

    if (np.asarray(targets).sum(axis=0) > 0).sum() < 2:
        raise ModelError("Fine-tuning needs examples of at least two labels.")
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model, tokenizer = encoders.load_parts(base)
    model.to(device).train()
    tokenizer._tokenizer.enable_truncation(min(recipe.max_tokens, base.max_tokens))
    tokens = [one.ids for one in tokenizer._tokenizer.encode_batch([text or " " for text in texts])]
    truth = torch.tensor(np.asarray(targets, np.float32), device=device)
    share = torch.tensor(np.ones(len(texts), np.float32) if weights is None else np.asarray(weights, np.float32), device=device)
    objective = OBJECTIVES[recipe.objective](base.dimensions, truth.shape[1], recipe)
    objective.to(device)
    parameters = [*model.parameters(), *objective.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _warm_then_linear(recipe))
    half = encoders.fast_dtype(device)

    for step in range(recipe.steps):
        rows = _balanced_batch(np.asarray(targets), recipe.batch, rng)
        ids, mask = _pad([tokens[row] for row in rows], tokenizer.pad_token_id or 0, device)
        with torch.autocast(device, dtype=half, enabled=half != torch.float32):
            hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
        vectors = encoders.pool(hidden, mask, base.pooling)
        loss = objective(vectors, truth[rows], share[rows])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        on_progress(step + 1)

    _save(model, base, out)
    return encoders.identify(str(out))


def _warm_then_linear(recipe: Recipe) -> Callable[[int], float]:
    warmup = max(1, round(recipe.steps * recipe.warmup_share))
    return lambda step: min((step + 1) / warmup, max(0.0, (recipe.steps - step) / max(1, recipe.steps - warmup)))


def _balanced_batch(targets: NDArray[np.floating], size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw rows so that every label occurs about equally often; an item with no label counts as a label of its own."""
    labels = [np.flatnonzero(column) for column in targets.T if column.any()]
    if len(none := np.flatnonzero(~targets.any(axis=1))):
        labels.append(none)
    chosen = rng.permutation(np.resize(rng.permutation(len(labels)), size))
    return np.array([rng.choice(labels[label]) for label in chosen])


def _pad(tokens: list[list[int]], padding: int, device: str) -> tuple[Any, Any]:
    import torch

    width = max(len(one) for one in tokens)
    ids = torch.tensor([one + [padding] * (width - len(one)) for one in tokens], device=device)
    mask = torch.tensor([[1] * len(one) + [0] * (width - len(one)) for one in tokens], device=device)
    return ids, mask


def _contrastive(dimensions: int, labels: int, recipe: Recipe) -> Any:
    """Supervised contrastive loss (Khosla et al. 2020, NeurIPS): texts of one label together, all others apart.

    Two items attract by the share of labels they have in common (Jaccard), which is 0 or 1 where labels exclude each other.
    """
    import torch

    class Contrastive(torch.nn.Module):
        def forward(self, vectors: Any, truth: Any, weights: Any) -> Any:
            both = truth @ truth.T
            union = truth.sum(1, keepdim=True) + truth.sum(1) - both
            alike = torch.where(union > 0, both / union.clamp(min=1), torch.ones_like(both))
            other = ~torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
            similarity = (vectors @ vectors.T / recipe.temperature).masked_fill(~other, float("-inf"))
            logs = similarity - similarity.logsumexp(dim=1, keepdim=True)
            pull = alike * other * weights
            per_item = -(pull * logs.masked_fill(~other, 0)).sum(1) / pull.sum(1).clamp(min=1e-6)
            return (per_item * weights).sum() / weights.sum().clamp(min=1e-6)

    return Contrastive()


def _cross_entropy(dimensions: int, labels: int, recipe: Recipe) -> Any:
    """A linear layer trained with the encoder and thrown away after: softmax for single labels, else one sigmoid a label."""
    import torch

    class CrossEntropy(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(dimensions, labels)

        def forward(self, vectors: Any, truth: Any, weights: Any) -> Any:
            logits = self.layer(vectors) / recipe.temperature
            if bool((truth.sum(1) == 1).all()):
                per_item = torch.nn.functional.cross_entropy(logits, truth.argmax(1), reduction="none")
            else:
                per_item = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(1)
            return (per_item * weights).sum() / weights.sum().clamp(min=1e-6)

    return CrossEntropy()


OBJECTIVES = {"contrastive": _contrastive, "cross_entropy": _cross_entropy}


def _save(model: Any, base: EncoderId, out: Path) -> None:
    """Write weights, tokenizer and pooling into ``out`` in one step, so that nobody ever sees half a model."""
    unfinished = out.with_name(out.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    model.save_pretrained(unfinished, safe_serialization=True)
    for name in COPIED:
        if (base.path / name).is_file():
            (unfinished / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(base.path / name, unfinished / name)
    (unfinished / "base.json").write_text(json.dumps({"name": base.name, "key": base.key}) + "\n", "utf-8")
    shutil.rmtree(out, ignore_errors=True)
    os.replace(unfinished, out)
