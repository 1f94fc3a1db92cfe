"""Learning curves: a family of shapes, and how likely each is, given the points seen so far. Must not know of targets or costs.

A curve is ``asymptote - gap * shape(labels)``, where a shape falls from 1 at the first point. What a shape leaves over is a walk (a model
that is better or worse than the trend stays so for a while, and a fine-tuned encoder makes a step) plus noise of each point's own.
Shapes are taken from those reviewed in Viering & Loog, "The Shape of Learning Curves: a Review" (IEEE TPAMI 2022); weighing whole
families by their fit, with parameters integrated out, follows Domhan, Springenberg & Hutter (IJCAI 2015), on a grid instead of by MCMC.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annot.registry import Registry

Array = NDArray[np.float64]

# Asymptotes looked at, in equal steps from the lowest value seen to 1.
ASYMPTOTES = 120
# Points beyond so many are thinned, evenly; the newest always stays.
MOST_POINTS = 60
# Standard deviations of the walk over e-fold labels, equally likely before; and the part of a point's error variance that is its own.
# These, and the steps below, were chosen on replays judged on training texts, not on the curves docs/estimates.md reports.
WALKS = (0.01, 0.02, 0.04, 0.08)
OWN_SHARE = 0.1
# A fine-tuned encoder moves a curve at once: up to MOST_STEPS of its largest changes may be steps of this standard deviation, each of
# which was so likely before.
MOST_STEPS, STEP, STEP_CHANCE = 4, 0.1, 0.02
# No point is more exact than this.
LEAST_NOISE = 0.0005
# A curve that never levels off is said to do so where it would be after so many times the horizon.
ENDLESS = 10
# Near 0 and 1, where p (1 - p) would claim that a handful of items settle it.
LEAST_VARIANCE = 0.01


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Estimated quality in 0..1 after so many labels, with its standard error."""

    labels: int
    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Span:
    """The label counts a shape is scaled by: of the first and the last point, and the largest one asked about."""

    first: float
    last: float
    horizon: float


# Given label counts (n,), rows (g, n): one for each setting of the family's parameters, positive and falling.
Shape = Callable[[Array, Span], Array]
shapes: Registry[Shape] = Registry("learning curve")


@shapes.register("power law")
def power(labels: Array, span: Span) -> Array:
    """Return n^-c: what most learning curves are said to be, with exponents from slow to faster than any seen."""
    return np.asarray((labels / span.first) ** -np.geomspace(0.1, 2.5, 12)[:, None])


@shapes.register("exponential")
def exponential(labels: Array, span: Span) -> Array:
    """Return exp(-n / t): a curve that saturates early."""
    return np.asarray(np.exp((span.first - labels) / np.geomspace(span.last / 10, 2 * span.last, 10)[:, None]))


@shapes.register("Weibull")
def weibull(labels: Array, span: Span) -> Array:
    """Return exp(-(n / t)^d) with d under 1: between exponential and power law."""
    scale, exponent = (one.ravel()[:, None] for one in np.meshgrid(np.geomspace(span.last / 30, 2 * span.last, 8), (0.35, 0.5, 0.7)))
    return np.asarray(np.exp((span.first / scale) ** exponent - (labels / scale) ** exponent))


@shapes.register("Morgan-Mercer-Flodin")
def morgan_mercer_flodin(labels: Array, span: Span) -> Array:
    """Return 1 / (1 + (n / m)^d): sigmoid, slow, fast and slow again."""
    middle, exponent = (one.ravel()[:, None] for one in np.meshgrid(np.geomspace(span.first, span.last, 8), (1.0, 1.6, 2.5)))
    return np.asarray((1 + (span.first / middle) ** exponent) / (1 + (labels / middle) ** exponent))


@shapes.register(LOGARITHMIC := "logarithmic")
def logarithmic(labels: Array, span: Span) -> Array:
    """Return log(N / n) up to the horizon N, whose value takes the asymptote's place: a curve that has none in sight."""
    return np.asarray(np.log(span.horizon / labels) / np.log(span.horizon / span.first))[None]


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Curves drawn by how likely they are: values (d, n) at n label counts, and what each levels off at (d,)."""

    values: Array
    asymptotes: Array


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """One account of what curves leave over, and how the points look under it.

    ``likelihood`` (g, a) is the logarithm of that of each shape and asymptote. ``squares``, ``sums`` and ``products`` (g,) are those of a
    shape with itself, with 1 and with the values, under the inverse covariance. ``carry`` (n,) tells from residuals by how much the model
    is now off its trend, ``spread`` how exactly.
    """

    walk: float
    likelihood: Array
    squares: Array
    sums: Array
    products: Array
    carry: Array
    spread: float


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """How likely every cell of a grid of r residual models, g shapes and a asymptotes is: ``weights`` (r, g, a) sum to 1."""

    span: Span
    families: tuple[str, ...]
    asymptotes: Array
    residuals: tuple[Residuals, ...]
    weights: Array
    labels: Array
    values: Array
    level: float

    def family_weights(self) -> dict[str, float]:
        """Return the share of the probability that each family has."""
        found = dict.fromkeys(shapes, 0.0)
        for family, weight in zip(self.families, self.weights.sum(axis=(0, 2)), strict=True):
            found[family] += float(weight)
        return found

    def draw(self, n: int, ahead: Array, rng: np.random.Generator, same_items: bool = False) -> Draws:
        """Draw ``n`` curves and return them at label counts ``ahead`` (m,), rising, from the last point's on to the horizon's.

        They are of the quality on all texts; with ``same_items``, on the texts that the points were judged on.
        """
        cells = np.searchsorted(np.cumsum(self.weights), (np.arange(n) + rng.random(n)) / n)  # stratified: less noise than by chance
        model, shape, place = np.unravel_index(np.minimum(cells, self.weights.size - 1), self.weights.shape)
        squares, sums, products, carry, spread, walk = (
            np.array([getattr(one, name) for one in self.residuals]) for name in ("squares", "sums", "products", "carry", "spread", "walk")
        )
        asymptote = self.asymptotes[place] + (self.asymptotes[1] - self.asymptotes[0]) * (rng.random(n) - 0.5)
        squared = squares[model, shape]
        gap = (asymptote * sums[model, shape] - products[model, shape]) / squared
        gap = np.clip(gap + rng.standard_normal(n) / np.sqrt(squared), 0, asymptote)
        fitted = asymptote[:, None] - gap[:, None] * _all_shapes(self.labels, self.span)[shape]
        shift = (carry[model] * (self.values - fitted)).sum(axis=1) + spread[model] * rng.standard_normal(n)
        shift += 0 if same_items else self.level * rng.standard_normal(n)
        steps = np.sqrt(np.diff(np.log(np.concatenate([[self.span.last], ahead]))))
        further = np.cumsum(steps * rng.standard_normal((n, len(ahead))), axis=1) * walk[model][:, None]
        trend = asymptote[:, None] - gap[:, None] * _all_shapes(ahead, self.span)[shape]
        endless = np.array([family == LOGARITHMIC for family in self.families])[shape]
        beyond = endless * gap * np.log(ENDLESS) / np.log(self.span.horizon / self.span.first)
        return Draws(np.clip(trend + further + shift[:, None], 0, 1), np.clip(asymptote + beyond + shift, 0, 1))


def fit(points: Sequence[CurvePoint], horizon: int) -> Fit:
    """Weigh every cell of the grid by how well it explains points in the order of their labels, which are two counts or more."""
    labels, values, errors = (np.array([getattr(point, name) for point in points], float) for name in ("labels", "value", "error"))
    span = Span(float(labels[0]), float(labels[-1]), float(horizon))
    families = tuple(name for name in shapes for _ in shapes.get(name)(labels, span))
    low = min(float(values.min()), 0.99)  # some room above, even where all was right
    asymptotes = low + (1 - low) * (np.arange(ASYMPTOTES) + 0.5) / ASYMPTOTES
    prior = np.log([1 / families.count(name) for name in families])[:, None]
    noise, since = _audit_noise(values, errors), np.log(labels / labels[0])
    residuals, log = [], []
    for steps in _steps(values):
        odds = steps.shape[1] * np.log(STEP_CHANCE / (1 - STEP_CHANCE))
        for walk in WALKS:
            offset = walk**2 * np.minimum.outer(since, since) + STEP**2 * steps @ steps.T
            residuals.append(_explain(walk, offset, noise, values, _all_shapes(labels, span), asymptotes))
            log.append(residuals[-1].likelihood + prior + odds)
    weights = np.exp(np.array(log) - np.max(log))
    level = float(errors[-1] * np.sqrt(1 - OWN_SHARE))
    return Fit(span, families, asymptotes, tuple(residuals), weights / weights.sum(), labels, values, level)


def _explain(walk: float, offset: Array, noise: Array, values: Array, rows: Array, asymptotes: Array) -> Residuals:
    """Return how well shapes ``rows`` (g, n) explain ``values`` when the model is off its trend by ``offset`` and points have ``noise``."""
    root = np.linalg.cholesky(offset + noise)
    white = np.linalg.solve(root, np.column_stack([np.ones_like(values), values, offset[-1], rows.T]))
    one, value, carried, shape = white[:, 0], white[:, 1], white[:, 2], white[:, 3:].T
    squares, sums, products = (shape**2).sum(axis=1), shape @ one, shape @ value
    slope = asymptotes * sums[:, None] - products[:, None]
    gap = np.clip(slope / squares[:, None], 0, asymptotes)
    misfit = value @ value - 2 * asymptotes * (one @ value) + asymptotes**2 * (one @ one) - 2 * gap * slope + gap**2 * squares[:, None]
    # Of all gaps in 0..asymptote, equally likely before, so large a part explains the points as well as the best one does.
    width = np.minimum(np.sqrt(2 * np.pi / squares)[:, None], asymptotes) / asymptotes
    return Residuals(
        walk=walk,
        likelihood=np.log(width) - misfit / 2 - np.log(np.diag(root)).sum(),
        squares=squares,
        sums=sums,
        products=products,
        carry=np.linalg.solve(root.T, carried),
        spread=float(np.sqrt(max(offset[-1, -1] - carried @ carried, 0.0))),
    )


def power_laws(points: Sequence[CurvePoint], horizon: float) -> tuple[Array, Array]:
    """Fit a power law by least squares to the first 1, 2, … n points; return their asymptotes (n,) and values at the horizon (n,).

    Points that do not rise are at their mean for ever. A fit is NaN where there are fewer than three points.
    """
    labels = np.array([point.labels for point in points], float)
    value = np.array([point.value for point in points])
    span = Span(float(labels[0]), float(labels[-1]), horizon)
    shape = power(labels, span)
    count = np.arange(1, len(labels) + 1)
    mean, level = np.cumsum(shape, axis=1) / count, np.cumsum(value) / count
    squares = np.maximum(np.cumsum(shape**2, axis=1) / count - mean**2, 1e-12)
    products = np.cumsum(shape * value, axis=1) / count - mean * level
    slope = products / squares
    misfit = np.where(slope < 0, -slope * products, np.inf)
    best, column = misfit.argmin(axis=0), np.arange(len(labels))
    rise = np.where(count >= 3, np.minimum(slope[best, column], 0), np.nan)
    asymptote = level - rise * mean[best, column]
    return asymptote, asymptote + rise * power(np.array([horizon]), span)[best, 0]


def _all_shapes(labels: Array, span: Span) -> Array:
    return np.concatenate([shapes.get(name)(labels, span) for name in shapes])


def _steps(values: Array) -> list[Array]:
    """Return for 0, 1, … steps where a curve has them (n, steps): 1 from a step on; they are where it changes most, without its trend."""
    changes = np.diff(values)
    places = np.argsort(-np.abs(changes - np.median(changes)), kind="stable")[:MOST_STEPS]
    after = (np.arange(len(values))[:, None] > places).astype(float)
    return [after[:, :count] for count in range(after.shape[1] + 1)]


def _audit_noise(values: Array, errors: Array) -> Array:
    """Return the covariance (n, n) of the points' noise beside what all of them share.

    Later points are judged on a point's items and more, so that what it is off beyond the last one is shared with the points between.
    """
    variance = np.maximum(values * (1 - values), LEAST_VARIANCE)
    extra = np.maximum(errors**2 / variance - errors[-1] ** 2 / variance[-1], 0)
    shared: Array = np.sqrt(np.outer(variance, variance)) * np.minimum.outer(extra, extra)
    return shared + np.diag(OWN_SHARE * errors**2 + LEAST_NOISE**2)
