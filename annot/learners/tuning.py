"""What of an encoder learns, and how fast: frozen lower layers, low-rank adapters, a learning rate that falls from layer to layer.

Must not train: it is given a model and says which parameters move. ``merge`` turns a model with adapters back into a plain one.
"""

from collections.abc import Sequence
from typing import Any

from annot.errors import ModelError

TUNINGS = ("full", "lora")
# Rank and scale of the adapters, as is customary; with LORA_RATE they came within a point of full tuning (docs/decisions.md).
LORA_RANK = 16
LORA_SCALE = 2.0
# An adapter starts as a product with zero and has far fewer parameters, so it wants larger steps than the weights themselves.
LORA_RATE = 10.0


def layers(model: Any) -> list[Any]:
    """Return the encoder's layers from the lowest up: its longest stack of modules; none where it has no stack."""
    import torch

    return list(max((part for part in model.modules() if isinstance(part, torch.nn.ModuleList)), key=len, default=[]))


def prepare(model: Any, tuning: str, frozen_share: float) -> Any:
    """Let only what is to learn require gradients, and return the model to train.

    The embeddings and the lowest ``frozen_share`` of the layers stay as they are; the backward pass ends above them. "lora" freezes
    the rest as well and puts a low-rank adapter beside every linear map of the layers above (LoRA: Hu et al., ICLR 2022).
    Raises ModelError where peft is missing, or there is nothing an adapter fits.
    """
    stack = layers(model)
    frozen = stack[: round(len(stack) * frozen_share)]
    if frozen:
        for part in [getattr(model, "embeddings", model.get_input_embeddings()), *frozen]:
            part.requires_grad_(False)
    return _with_adapters(model, stack[len(frozen) :]) if tuning == "lora" else model


def _with_adapters(model: Any, open_layers: Sequence[Any]) -> Any:
    import torch

    try:
        from peft import LoraConfig, LoraModel
    except ImportError:
        raise ModelError("LoRA needs peft, which is not installed. Run: pip install -c constraints.txt peft") from None
    inside = {id(part) for layer in open_layers for part in layer.modules()}
    maps = [name for name, part in model.named_modules() if id(part) in inside and isinstance(part, torch.nn.Linear)]
    if not maps:
        raise ModelError("This encoder has no linear maps left for LoRA to adapt. Use the tuning full, or freeze fewer layers.")
    config = LoraConfig(r=LORA_RANK, lora_alpha=round(LORA_SCALE * LORA_RANK), target_modules=maps)
    return LoraModel(model, config, "default")


def merge(model: Any) -> Any:
    """Return the plain transformers model that computes what ``model`` does: adapters added into the weights they stand beside."""
    return model.merge_and_unload() if hasattr(model, "merge_and_unload") else model


def parameter_groups(model: Any, extra: Sequence[Any], learning_rate: float, layer_decay: float) -> list[dict[str, Any]]:
    """Return an optimiser's groups ({params, lr}) of all that requires gradients, ``extra`` and what is above the layers first.

    Those and the topmost layer learn at ``learning_rate``, each layer below at ``layer_decay`` times the one above it, what is
    below all layers (embeddings) slowest (Howard & Ruder, ACL 2018; Clark et al., ICLR 2020). A layer_decay of 1 makes one group.
    """
    stack = layers(model)
    depth = {id(parameter): len(stack) - 1 - at for at, layer in enumerate(stack) for parameter in layer.parameters()}
    below = {id(parameter) for parameter in model.get_input_embeddings().parameters()}
    embeddings = getattr(model, "embeddings", None)
    below |= {id(parameter) for parameter in embeddings.parameters()} if embeddings is not None else set()
    groups: dict[float, list[Any]] = {learning_rate: [parameter for parameter in extra if parameter.requires_grad]}
    for parameter in model.parameters():
        if parameter.requires_grad:
            steps = depth.get(id(parameter), len(stack) if id(parameter) in below else 0)
            groups.setdefault(learning_rate * layer_decay**steps, []).append(parameter)
    return [{"params": parameters, "lr": rate} for rate, parameters in sorted(groups.items(), reverse=True) if parameters]
