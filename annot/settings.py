"""What can be set: where the workspace is, and the choices a lead makes for one project.

Standard library only. Must not read the database; a project's settings are stored as JSON and parsed here.
"""

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annot.errors import BadInput

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_ENCODER = "all-minilm-l6-v2"


def workspace() -> "Workspace":
    """Return the workspace ``ANNOT_HOME`` names, ``data/workspace`` of this checkout when unset."""
    return Workspace(Path(os.environ.get("ANNOT_HOME") or ROOT / "data" / "workspace").expanduser().resolve())


def machine_cache() -> Path:
    """Return the folder of what belongs to this machine and account and can be made again: not to a workspace, and not in /tmp, where
    another account could put something in its place."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "annot"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder that holds everything one installation knows."""

    home: Path

    @property
    def database(self) -> Path:
        return self.home / "annot.db"

    @property
    def vectors(self) -> Path:
        return self.home / "vectors"

    @property
    def runs(self) -> Path:
        return self.home / "runs"


def _choice(default: Any, help: str, **limits: Any) -> Any:
    return field(default=default, metadata={"help": help, **limits})


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """The ranker, run and labelling choices of one project; ``help`` is the text the Settings page shows."""

    encoder: str = _choice(
        DEFAULT_ENCODER,
        "What turns texts into vectors: a name in models/encoders.toml, or a local folder. The packaged one knows English only.",
    )
    selector: str = _choice("breaking_ties", "Which items are asked next once there are labels of two classes.")
    cold_start: str = _choice("label_names", "Which items are asked first, while there are no labels of two classes.")
    audit_share: float = _choice(
        0.10, "Share of uniformly drawn audit items in the queue; quality is estimated from them.", low=0.0, high=1.0
    )
    queue_size: int = _choice(1000, "How many ranked items are kept ready.", low=20, high=10000)
    rank_at_most: int = _choice(
        0,
        "Texts scored after each label: of a larger pool a random part, drawn anew each time. 0: always all, about 0.5 s a million.",
        low=0,
        high=10**9,
    )
    target: float = _choice(0.0, "The quality to reach, 0 to 1, that the Lead page forecasts; 0: none is set.", low=0.0, high=1.0)
    target_metric: str = _choice(
        "accuracy", "What the target, the budget curve and the forecast are about.", options=("accuracy", "macro_f1", "micro_f1")
    )
    hourly_rate: float = _choice(0.0, "What an hour of labelling costs; 0: costs are not shown.", low=0.0, high=1e6)
    currency: str = _choice("€", "The currency of the hourly rate.")
    min_gain: float = _choice(0.005, "Gain in quality an hour of labelling below which more labels are not worth it.", low=0.0, high=1.0)
    lease_minutes: float = _choice(30.0, "How long an item stays reserved for the person it was shown to.", low=0.05, high=1440.0)
    overlap: int = _choice(1, "How many people label each item.", low=1, high=20)
    run_every: int = _choice(20, "New labels after which the transformer is fine-tuned again; 0 never.", low=0, high=100000)
    run_steps: int = _choice(40, "Optimiser steps of one fine-tuning run.", low=1, high=100000)
    run_objective: str = _choice("contrastive", "How the encoder is fine-tuned.", options=("contrastive", "cross_entropy"))
    run_tuning: str = _choice(
        "full", "What of the encoder is fine-tuned: its upper layers, or small adapters beside them (LoRA).", options=("full", "lora")
    )
    run_layer_decay: float = _choice(
        1.0, "How fast a layer learns in fine-tuning, relative to the layer above it; 1 is all alike.", low=0.1, high=1.0
    )
    run_balance: str = _choice(
        "batches",
        "How rare and common labels are evened out in fine-tuning: in the batches, by weights in the loss, or not at all.",
        options=("batches", "loss", "none"),
    )
    run_patience: int = _choice(
        0, "Steps without a new low of the training loss after which fine-tuning ends early; 0 never.", low=0, high=100000
    )
    self_training: str = _choice("ust", "How pseudo-labels are chosen; they are used while they are found to help. none: never.")
    suggestions: str = _choice(
        "off", "Whether annotators see the model's guess: never, before they answer, or after.", options=("off", "on", "after")
    )
    likely_first: bool = _choice(False, "Whether labels are also offered in the model's order, most likely first.")
    allow_not: bool = _choice(False, "Whether an annotator may rule labels out instead of choosing one.")
    allow_either: bool = _choice(False, "Whether an annotator may say that one of several labels holds, undecided which.")
    allow_inner: bool = _choice(False, "In a tree of labels: whether an answer may stop above the lowest level.")
    highlights: str = _choice("", "Words to highlight in the texts, one a line; a line like /colou?r/ is a regular expression.", lines=True)
    seed: int = _choice(1, "Seed of everything random in this project.", low=0, high=2**31 - 1)

    def __post_init__(self) -> None:
        for spec in dataclasses.fields(self):
            value = getattr(self, spec.name)
            if type(spec.default) is float and type(value) is int:
                object.__setattr__(self, spec.name, float(value))
            elif type(value) is not type(spec.default):
                raise BadInput(f"Setting {spec.name} must be a {type(spec.default).__name__}, got {value!r}.")
            low, high = spec.metadata.get("low"), spec.metadata.get("high")
            if low is not None and not low <= value <= high:
                raise BadInput(f"Setting {spec.name} must lie between {low} and {high}, got {value!r}.")
            options = spec.metadata.get("options")
            if options and value not in options:
                raise BadInput(f"Setting {spec.name} must be one of {', '.join(options)}, got {value!r}.")

    @classmethod
    def parse(cls, values: dict[str, Any]) -> "ProjectSettings":
        """Build from a JSON object. Raises BadInput naming an unknown setting or a value out of range."""
        known = {spec.name for spec in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise BadInput(f"Unknown setting {unknown[0]!r}. Known: {', '.join(sorted(known))}.")
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


# Under which heading each setting stands on the Settings page.
GROUPS: dict[str, tuple[str, ...]] = {
    "Goal": ("target", "target_metric", "hourly_rate", "currency", "min_gain"),
    "Which texts are asked": ("selector", "cold_start", "audit_share", "overlap", "lease_minutes", "queue_size", "rank_at_most", "seed"),
    "The model": (
        "encoder", "self_training", "run_every", "run_steps", "run_objective", "run_tuning", "run_layer_decay", "run_balance",
        "run_patience",
    ),
    "The labelling page": ("suggestions", "likely_first", "allow_not", "allow_either", "allow_inner", "highlights"),
}  # fmt: skip
