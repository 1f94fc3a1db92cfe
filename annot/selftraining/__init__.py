"""Which pool items become pseudo-labels, and with which weight: self-training methods as pure functions of arrays, one registry.

A pseudo-label is a model's label used for training; it is never anyone's answer. A new method is a new file here. Must not read the
store or run a model.
"""

from annot.registry import load
from annot.selftraining.base import Method, PseudoLabels, choose, methods, names

load(__name__)

__all__ = ["Method", "PseudoLabels", "choose", "methods", "names"]
