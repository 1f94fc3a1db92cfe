"""Annot: active-learning annotation of text. Holds the version; must not import anything."""

__version__ = "0.1.0"
