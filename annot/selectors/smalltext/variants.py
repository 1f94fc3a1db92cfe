"""What some of small-text's strategies lack to run on cached arrays: a seed, a classifier to train, a radius. small-text is imported
inside functions. Must not register a strategy.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annot.selectors.smalltext.adapter import Places
from annot.situation import Situation

# ProbCover's balls may hold a text of another cluster around 1 text in 20 (Yehuda et al. 2022).
PURITY = 0.95


class Discriminator:
    """A classifier of small-text, and its factory: a logistic regression that tells labelled from unlabelled cached vectors."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation

    def new(self) -> "Discriminator":
        return Discriminator(self._situation)

    def fit(self, dataset: Places) -> "Discriminator":
        from sklearn.linear_model import LogisticRegression

        self._model = LogisticRegression(class_weight="balanced", max_iter=300, tol=1e-3).fit(self._of(dataset), dataset.y)
        return self

    def predict_proba(self, dataset: Places) -> NDArray[np.float64]:
        """Return (n, 2): the probability of being labelled, and of not."""
        found: NDArray[np.float64] = self._model.predict_proba(self._of(dataset))
        return found

    def _of(self, dataset: Places) -> NDArray[np.float32]:
        return np.asarray(self._situation.vectors[dataset.places], np.float32)


@cache
def repeatable() -> tuple[Any, Any, Any]:
    """Return BADGE and AnchorSubsampling, drawing from the global generator instead of one nobody seeds, and SEALS without hnswlib."""
    from small_text import SEALS, AnchorSubsampling
    from small_text.integrations.pytorch.query_strategies import BADGE
    from small_text.utils.clustering import init_kmeans_plusplus_safe

    def spread(vectors: NDArray[np.floating], n: int) -> NDArray[np.int64]:
        _, indices = init_kmeans_plusplus_safe(np.asarray(vectors, np.float64), n, random_state=np.random.randint(2**31))
        return np.asarray(indices, np.int64)

    class Badge(BADGE):  # type: ignore[misc]
        def sample(
            self, _clf: Any, _dataset: Any, pool: Any, _labelled: Any, _y: Any, n: int, embeddings: Any, embeddings_proba: Any
        ) -> Any:
            return spread(self.get_badge_embeddings(embeddings[pool], embeddings_proba[pool]), n)

    class Anchors(AnchorSubsampling):  # type: ignore[misc]
        def _get_anchors(self, _clf: Any, embeddings: Any, labelled: Any, y: Any) -> Any:
            classes = [labelled[y == one] for one in np.unique(y)]
            return np.concatenate([mine[spread(embeddings[mine], min(self.num_anchors, len(mine)))] for mine in classes])

    class Seals(SEALS):  # type: ignore[misc]
        def __init__(self, base: Any, index: Any) -> None:
            self.base_query_strategy, self.vector_index_factory, self.vector_index = base, index, None
            self.k, self.normalize = 100, True

    return Badge, Anchors, Seals


def purity_radius(vectors: NDArray[np.float32], clusters: int, purity: float = PURITY) -> float:
    """Return the largest squared radius at which a share ``purity`` of the balls around ``vectors`` (n, d) lies within one cluster.

    How ProbCover's paper (Yehuda et al., "Active Learning Through a Covering Lens", NeurIPS 2022) chooses its radius, with as many
    k-means clusters as there are labels.
    """
    from sklearn.cluster import KMeans

    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    cluster = KMeans(min(clusters, len(unit)), n_init=1).fit_predict(unit)
    apart = np.where(cluster[:, None] == cluster, np.inf, (2 - 2 * (unit @ unit.T)).clip(0))
    nearest = apart.min(axis=1)
    return float(np.quantile(nearest, 1 - purity)) if np.isfinite(nearest).all() else 2.0
