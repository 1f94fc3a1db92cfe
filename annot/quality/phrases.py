"""How shares and their intervals are put in words, alike in every sentence. Must not compute any."""

from annot.quality.estimates import Interval


def percent(interval: Interval) -> str:
    """Return an interval as ``81 % (70 to 89)``."""
    return f"{100 * interval.value:.0f} % ({100 * interval.low:.0f} to {100 * interval.high:.0f})"


def points(gain: float) -> str:
    """Return a difference of shares as ``0.4 points``."""
    return f"{100 * gain:.1f} points"
