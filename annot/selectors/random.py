"""Uniform draws: the baseline every other selector is measured against. Must not look at anything but the pool."""

from annot.selectors.base import draw, selectors

selectors.register("random")(draw)
