"""Fine-tuning the encoder on labelled texts: one loop that can be read from top to bottom, seeded, on CUDA or CPU.

What is minimised, which examples a step sees and what of the encoder moves are in ``objectives``, ``batches`` and ``tuning``. The
result is a folder any transformers or sentence-transformers program loads, written whole or not at all. Must not judge the result or
publish it.
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
from annot.learners import batches, tuning
from annot.learners.objectives import OBJECTIVES

__all__ = ["OBJECTIVES", "Recipe", "finetune"]

# A batch goes through the model in groups of this many texts of like length: less padding, and on a CPU activations that stay in
# its cache.
GROUP = 8


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train. ``warmup_share`` is of the steps, ``frozen_share`` of the layers; ``device`` None takes the best there is.

    ``tuning`` is full, or lora: low-rank adapters, merged when saved, which learn at ``tuning.LORA_RATE`` times the rate.
    ``layer_decay`` is the learning rate of a layer over that of the layer above it. ``balance`` evens out rare and common labels in
    the batches, in the loss, or not (``batches.plan``). ``patience`` above 0 ends the training after as many steps in which the
    smoothed training loss reached no new low; that spends no label, but tells nothing of overfitting. Raises ModelError naming a
    value that cannot be.

    The defaults were first chosen on test texts of trec6 and ag_news; a small measurement with training texts alone found no clear
    winner over them (docs/decisions.md, Measured).
    """

    objective: str = "contrastive"
    steps: int = 40
    batch: int = 32
    learning_rate: float = 1e-4
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    temperature: float = 0.1
    # Longer texts are cut in training only: the first tokens of a text mostly carry its topic, and time is linear in them.
    max_tokens: int = 128
    # The embeddings and the lower layers stay as they are: half to two thirds of the time, for a point or two on trec6 and none on ag_news.
    frozen_share: float = 0.5
    seed: int = 0
    device: str | None = None
    tuning: str = "full"
    layer_decay: float = 1.0
    balance: str = "batches"
    patience: int = 0

    def __post_init__(self) -> None:
        for what, known in (("objective", tuple(OBJECTIVES)), ("tuning", tuning.TUNINGS), ("balance", batches.BALANCES)):
            if getattr(self, what) not in known:
                raise ModelError(f"There is no {what} named {getattr(self, what)!r}. Known: {', '.join(known)}.")
        if not (0 < self.layer_decay <= 1 and self.patience >= 0 and self.steps >= 1 and self.batch >= 4):
            raise ModelError(f"Fine-tuning needs 0 < layer_decay <= 1, patience >= 0, steps >= 1 and batch >= 4, got {self}.")


class Plateau:
    """Tells when a training loss has stopped falling; with a patience of 0, never.

    The loss of one batch says little, so it is smoothed over about the last ten steps; a new low has to be lower by a hundredth.
    """

    SMOOTHING = 0.9
    LEAST_GAIN = 0.01

    def __init__(self, patience: int) -> None:
        self._patience, self._steps, self._waited = patience, 0, 0
        self._sum, self._low = 0.0, float("inf")

    def reached(self, loss: float) -> bool:
        """Take in the loss of one more step."""
        self._steps += 1
        self._sum = self.SMOOTHING * self._sum + (1 - self.SMOOTHING) * loss
        smoothed = self._sum / (1 - self.SMOOTHING**self._steps)
        self._waited += 1
        if smoothed < self._low * (1 - self.LEAST_GAIN):
            self._low, self._waited = smoothed, 0
        return 0 < self._patience <= self._waited


class Descent:
    """AdamW over what learns, its rate rising shortly and then falling straight to 0, in the device's fastest number format ``half``."""

    def __init__(self, model: Any, head: Sequence[Any], recipe: Recipe) -> None:
        import torch

        rate = recipe.learning_rate * (tuning.LORA_RATE if recipe.tuning == "lora" else 1)
        groups = tuning.parameter_groups(model, head, rate, recipe.layer_decay)
        warmup = max(1, round(recipe.steps * recipe.warmup_share))
        fall = max(1, recipe.steps - warmup)
        self.half = encoders.fast_dtype(str(model.device))
        self._parameters = [parameter for group in groups for parameter in group["params"]]
        self._optimiser = torch.optim.AdamW(groups, lr=rate, weight_decay=recipe.weight_decay)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimiser, lambda step: min((step + 1) / warmup, max(0.0, (recipe.steps - step) / fall))
        )
        self._scaler = torch.amp.GradScaler(model.device.type, enabled=self.half == torch.float16)

    def step(self, loss: Any) -> bool:
        """Go one step down the gradient of ``loss``; False, and no step, where that leads nowhere (it is not finite)."""
        import torch

        self._optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        self._scaler.unscale_(self._optimiser)
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        # A gradient too large for half precision is no divergence: the scaler leaves that step out and scales less.
        if not bool(torch.isfinite(loss if self._scaler.is_enabled() else norm)):
            return False
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self._schedule.step()
        return True


def finetune(
    base: EncoderId,
    texts: Sequence[str],
    targets: NDArray[np.floating],
    weights: NDArray[np.floating] | None,
    recipe: Recipe,
    out: Path,
    on_progress: Callable[[int], None] = lambda step: None,
) -> EncoderId:
    """Train ``base`` on texts with targets (n, k) of 0/1 and example weights (n,), None for all 1; save to ``out``, return its identity.

    An example of weight 0.1 is seen a tenth as often as one of weight 1. In a tree the targets hold the ancestors
    (``loop.targets.with_ancestors``). Calls ``on_progress(step)`` after every step. Raises ModelError when all examples have the
    same labels, the training diverges, or peft is missing for lora.
    """
    import torch

    truth = np.asarray(targets, np.float32)
    share = np.ones(len(truth), np.float32) if weights is None else np.asarray(weights, np.float32)
    _check(texts, truth, share)
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    device = recipe.device or encoders.best_device()
    model, tokenizer = encoders.load_parts(base)
    model = tuning.prepare(model, recipe.tuning, recipe.frozen_share).to(device).train()
    tokens = encoders.tokenize(tokenizer, texts, min(recipe.max_tokens, base.max_tokens))
    loss_of, head = OBJECTIVES[recipe.objective](truth, base.dimensions, recipe.temperature, device)
    drawing, descent, plateau = batches.plan(truth, share, recipe.balance), Descent(model, head, recipe), Plateau(recipe.patience)

    for step in range(recipe.steps):
        rows = drawing.rows(recipe.batch, rng)
        rows = rows[np.argsort([len(tokens[row]) for row in rows], kind="stable")]
        with torch.autocast(device, dtype=descent.half, enabled=descent.half != torch.float32):
            groups = [rows[at : at + GROUP] for at in range(0, len(rows), GROUP)]
            vectors = torch.cat([encoders.embed(model, [tokens[row] for row in group], base.pooling) for group in groups])
        loss = loss_of(vectors, *(torch.from_numpy(facts[rows]).to(device) for facts in (truth, drawing.loss_weights)))
        if not descent.step(loss):
            raise ModelError(f"Fine-tuning diverged at step {step + 1}. Lower the learning rate ({recipe.learning_rate}).")
        on_progress(step + 1)
        if plateau.reached(float(loss.detach())):
            break

    _save(tuning.merge(model), tokenizer, base, out)
    return encoders.identify(str(out))


def _check(texts: Sequence[str], truth: NDArray[np.float32], share: NDArray[np.float32]) -> None:
    if truth.ndim != 2 or not len(texts) == len(truth) == len(share):
        raise ModelError(f"{len(texts)} texts, targets {truth.shape} and weights {share.shape} do not belong together.")
    if not (np.isfinite(share) & (share >= 0)).all() or not np.isin(truth, (0, 1)).all():
        raise ModelError("Fine-tuning takes targets of 0 and 1, and weights that are numbers of at least 0.")
    if len(np.unique(truth[share > 0], axis=0)) < 2:
        raise ModelError("Fine-tuning needs examples of at least two labels. Label items of another label first.")


def _save(model: Any, tokenizer: Any, base: EncoderId, out: Path) -> None:
    """Write weights, tokenizer and pooling into ``out`` in one step, so that nobody ever sees half a model."""
    unfinished, old = (out.with_name(f"{out.name}.{state}") for state in ("unfinished", "old"))
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.save_pretrained(unfinished)
    model.eval().save_pretrained(unfinished)
    flags = {"cls": "pooling_mode_cls_token", "mean": "pooling_mode_mean_tokens", "max": "pooling_mode_max_tokens"}
    parts = (("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize"))
    contents = {
        "sentence_bert_config.json": {"max_seq_length": base.max_tokens, "do_lower_case": False},
        "1_Pooling/config.json": {
            "word_embedding_dimension": base.dimensions,
            **{flag: kind == base.pooling for kind, flag in flags.items()},
        },
        "modules.json": [
            {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for at, (kind, path) in enumerate(parts)
        ],
        "base.json": {"name": base.name, "key": base.key},
    }
    for name, content in contents.items():
        (unfinished / name).parent.mkdir(exist_ok=True)
        (unfinished / name).write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    for path in unfinished.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.replace(old)
    unfinished.replace(out)
    shutil.rmtree(old, ignore_errors=True)
