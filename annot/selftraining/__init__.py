"""Which pool items become pseudo-labels, and with which weight: self-training methods as pure functions of arrays, one registry.

A pseudo-label is a model's label used for training; it is never anyone's answer. Must not read the store or run a model.
"""

from annot.selftraining import actune, hast, nest, ust, verips
from annot.selftraining.base import Method, PseudoLabels, Situation, choose, methods, names

__all__ = ["Method", "PseudoLabels", "Situation", "actune", "choose", "hast", "methods", "names", "nest", "ust", "verips"]
