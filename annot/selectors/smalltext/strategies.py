"""small-text's query strategies by name: how each is made, what it needs, and which part of the pool it sees.

All that can work on cached arrays; docs/selection.md lists the others with the reason. Must not reimplement a strategy.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np

from annot.records import Reason
from annot.selectors.base import Picked, draw, register, selectors
from annot.selectors.smalltext.adapter import Exact, labels_of, query, seeded
from annot.selectors.smalltext.variants import Discriminator, purity_radius, repeatable
from annot.situation import Situation

# These strategies cost what they see times what they pick. They see a random part of the pool and choose the front of the queue,
# which is rewritten after every label; what follows is drawn at random.
SAMPLE = 1_024
LARGE_SAMPLE = 16_384
FRONT = 20
# BADGE's gradients have dimensions x labels numbers for each item; it sees so many items that they are not more than this (64 MB).
BADGE_CELLS = 8_000_000
# Mini-queries of discriminative active learning (Gissin and Shalev-Shwartz 2019): as many as small-text's variant on representations.
DISCRIMINATIONS = 10


SAYS = {
    "breaking_ties": "BreakingTies, on a sample of the pool",
    "least_confidence": "LeastConfidence, on a sample of the pool",
    "prediction_entropy": "PredictionEntropy, on a sample of the pool",
    "bald": "BALD: where stochastic predictions disagree most",
    "contrastive": "ContrastiveActiveLearning: where near texts are predicted differently",
    "badge": "BADGE: uncertain and unlike each other, by gradients of the last layer",
    "kmeans": "EmbeddingKMeans: the texts nearest to the centres of clusters",
    "greedy_coreset": "GreedyCoreset: farthest from all that is labelled",
    "lightweight_coreset": "LightweightCoreset: drawn, the farther from the mean the likelier",
    "probcover": "ProbCover: where most texts lie that no pick is near to",
    "discriminative": "DiscriminativeActiveLearning: what can be told from the labelled texts",
    "seals": "SEALS: breaking ties among neighbours of the labelled texts",
    "anchors": "AnchorSubsampling: breaking ties near anchors of each class",
    "class_balancer": "ClassBalancer: breaking ties, evenly over the predicted classes",
    "label_cardinality": "LabelCardinalityInconsistency: more or fewer labels predicted than usual",
    "cvirs": "CategoryVectorInconsistencyAndRanking, for several labels an item",
    "adaptive": "AdaptiveActiveLearning, for several labels an item",
}


class Labels(Enum):
    """What a strategy is shown: labels as the project has them, only of projects with one an item, always as if several could hold, or
    as if only one could, since it looks at none."""

    ANY = "any"
    ONE = "one"
    SEVERAL = "several"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Strategy:
    """``make`` is given the situation it will see and how many it will pick; ``fallback`` picks where it cannot work."""

    make: Callable[[Situation, int], Any]
    reason: Reason
    see: Callable[[Situation], int]
    labels: Labels
    needs_labelled: bool
    needs_samples: bool
    fallback: str

    def can(self, situation: Situation) -> bool:
        """Tell whether it has all it needs."""
        return not (
            (self.labels is Labels.ONE and not situation.exclusive)
            or (self.needs_labelled and not len(situation.labelled))
            or (self.needs_samples and situation.samples is None and not situation.exclusive)
        )

    def __call__(self, situation: Situation, n: int) -> Picked:
        if situation.proba is None and self.reason is Reason.UNCERTAIN:
            return draw(situation, n)
        if not self.can(situation):
            return selectors.get(self.fallback)(situation, n)
        shuffled = situation.rng.permutation(situation.pool)
        sample = np.sort(shuffled[: self.see(situation)])
        if not np.ptp(np.asarray(situation.vectors[sample], np.float32), axis=0).any():  # identical texts: nothing to tell them by
            return draw(situation, n)
        seen, count = replace(situation, pool=sample), min(n, FRONT, len(sample))
        front = query(self.make(seen, count), seen, count, {Labels.SEVERAL: True, Labels.IGNORED: False}.get(self.labels))
        rest = shuffled[~np.isin(shuffled, front)][: n - len(front)]
        scores = np.concatenate([np.linspace(1, 0, len(front), endpoint=False), np.zeros(len(rest))])
        return Picked(np.concatenate([front, rest]), scores, self.reason)


def _register(
    name: str,
    make: Callable[[Situation, int], Any],
    reason: Reason,
    *,
    see: int | Callable[[Situation], int] = SAMPLE,
    labels: Labels = Labels.ANY,
    needs_labelled: bool = False,
    needs_samples: bool = False,
    fallback: str = "random",
) -> None:
    sees = see if callable(see) else lambda _: see
    made = Strategy(make, reason, sees, labels, needs_labelled, needs_samples, fallback)
    register(f"smalltext_{name}", f"small-text's {SAYS[name]}.", asks_a_model=reason is Reason.UNCERTAIN)(made)


def _theirs(name: str, **settings: Any) -> Any:
    import small_text

    return getattr(small_text, name)(**settings)


def _index() -> Any:
    from small_text.vector_indexes import VectorIndexFactory

    return VectorIndexFactory(Exact)


def _probcover(situation: Situation, _: int) -> Any:
    with seeded(situation.rng):
        radius = purity_radius(np.asarray(situation.vectors[situation.pool], np.float32), labels_of(situation))
    return _theirs("ProbCover", vector_index_factory=_index(), ball_radius=radius)


def _badge_sees(situation: Situation) -> int:
    return max(FRONT, min(SAMPLE, BADGE_CELLS // (int(situation.vectors.shape[1]) * labels_of(situation))))


_UNSURE, _DIVERSE = Reason.UNCERTAIN, Reason.DIVERSE

_register("breaking_ties", lambda *_: _theirs("BreakingTies"), _UNSURE, see=LARGE_SAMPLE)
_register("least_confidence", lambda *_: _theirs("LeastConfidence"), _UNSURE, see=LARGE_SAMPLE)
_register("prediction_entropy", lambda *_: _theirs("PredictionEntropy"), _UNSURE)  # 0.1 ms a text, 30 times BreakingTies
# Where several labels may hold dropout on the vectors is not worked out; entropy is its upper bound.
_register("bald", lambda *_: _theirs("BALD"), _UNSURE, see=LARGE_SAMPLE, needs_samples=True, fallback="prediction_entropy")
_register("contrastive", lambda *_: _theirs("ContrastiveActiveLearning", pbar=None, vector_index_factory=_index()), _UNSURE, see=512)
_register(
    "badge",
    lambda situation, _: repeatable()[0](labels_of(situation)),
    _UNSURE,
    see=_badge_sees,
    labels=Labels.ONE,
    fallback="breaking_ties",
)
_register("kmeans", lambda *_: _theirs("EmbeddingKMeans"), _DIVERSE)
_register("greedy_coreset", lambda *_: _theirs("GreedyCoreset"), _DIVERSE, needs_labelled=True, fallback="diversity")
# Its batches of 100 would each give n items, drawn with the first batch's odds: one batch.
_register("lightweight_coreset", lambda situation, _: _theirs("LightweightCoreset", batch_size=len(situation.pool)), _DIVERSE)
_register("probcover", _probcover, _DIVERSE)
_register(
    "discriminative",
    lambda situation, n: _theirs(
        "DiscriminativeActiveLearning", classifier_factory=Discriminator(situation), num_iterations=min(n, DISCRIMINATIONS)
    ),
    _DIVERSE,
    labels=Labels.IGNORED,
    needs_labelled=True,
    fallback="diversity",
)
_register(
    "seals",
    lambda *_: repeatable()[2](_theirs("BreakingTies"), _index()),
    _UNSURE,
    see=LARGE_SAMPLE,
    needs_labelled=True,
    fallback="breaking_ties",
)
_register(
    "anchors",
    lambda *_: repeatable()[1](_theirs("BreakingTies"), vector_index_factory=_index()),
    _UNSURE,
    see=LARGE_SAMPLE,
    labels=Labels.ONE,
    needs_labelled=True,
    fallback="breaking_ties",
)
_register(
    "class_balancer",
    lambda *_: _theirs("ClassBalancer", base_query_strategy=_theirs("BreakingTies")),
    _UNSURE,
    see=LARGE_SAMPLE,
    labels=Labels.ONE,
    needs_labelled=True,
    fallback="breaking_ties",
)
for _name, _class in {
    "label_cardinality": "LabelCardinalityInconsistency",
    "cvirs": "CategoryVectorInconsistencyAndRanking",
    "adaptive": "AdaptiveActiveLearning",
}.items():
    _register(
        _name,
        lambda *_, theirs=_class: _theirs(theirs),
        _UNSURE,
        labels=Labels.SEVERAL,
        needs_labelled=True,
        fallback="breaking_ties",
    )
