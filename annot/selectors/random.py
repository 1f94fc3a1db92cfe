"""Uniform draws: the baseline every other selector is measured against. Must not look at anything but the pool."""

from annot.selectors.base import draw, register

register("random", "Anything: the baseline every other is measured against.")(draw)
