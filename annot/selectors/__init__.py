"""Which items to ask next, and why: given probabilities, vectors, what is labelled and a seeded generator. One registry.

Pure functions over arrays. Must not read the store, run a model or know of items beyond their places in the arrays.
"""

from annot.selectors import coldstart, confidence, diversity, random, smalltext, strategies
from annot.selectors.base import Picked, Selector, Situation, names, select, selectors

__all__ = [
    "Picked",
    "Selector",
    "Situation",
    "coldstart",
    "confidence",
    "diversity",
    "names",
    "random",
    "select",
    "selectors",
    "smalltext",
    "strategies",
]
