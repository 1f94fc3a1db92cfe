"""Which items to ask next, and why: given probabilities, vectors, what is labelled and a seeded generator. One registry.

Pure functions over arrays; a new strategy is a new file here. Must not read the store, run a model or know of items beyond their places
in the arrays.
"""

from annot.registry import load
from annot.selectors.base import Picked, Selector, names, select, selectors

load(__name__)

__all__ = ["Picked", "Selector", "names", "select", "selectors"]
