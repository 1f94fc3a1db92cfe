"""From a durable label to the rewritten queue, at pools of growing size, against small-text's own query over the same arrays.

The ranker, the store and the vector cache are the real ones; texts and vectors are made up, as their number is what matters. The
measured process does nothing else, so its peak memory is what a worker needs; pages of the vector file count as its memory too.
"""

import argparse
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annot.bench import _command as command
from annot.bench._browser import percentiles
from annot.bench._crowd import peak_mb
from annot.loop import accounts, labelling, learning, projects
from annot.loop.encoding import cache_of, label_texts, serving_encoder
from annot.loop.item_vectors import Index
from annot.loop.ranking import Ranker
from annot.loop.targets import settle
from annot.records import Event, Kind, Label, Project, Role, Split, User
from annot.selectors import select
from annot.settings import Workspace
from annot.situation import Situation
from annot.store import Store
from annot.store.items import NewItem
from annot.vectors import content_hash

BATCH = 20_000
TOP = 100


def main(arguments: list[str]) -> int:
    parser = command.parser("rerank", __doc__)
    parser.add_argument("--items", type=int, default=1_000_000, help="texts in the largest pool; a tenth and three tenths are measured too")
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--classes", type=int, default=4)
    parser.add_argument("--known", type=int, default=100, help="labels before the first that is timed")
    parser.add_argument("--labels", type=int, default=40, help="labels that are timed, at each size")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="annot-bench-") as folder:
        result = measure(Workspace(Path(folder)), options)
    return command.report(result, options)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one pool: seconds from label to queue for each timed label, small-text's seconds for one query, and the peak memory."""

    items: int
    seconds: list[float]
    baseline_s: float
    same_top: bool
    peak_mb: float


def measure(home: Workspace, options: argparse.Namespace) -> dict[str, object]:
    """Grow one project from size to size and time it in a process of its own."""
    found: list[Figures] = []
    with Store(home.database) as store:
        made = Made(home, store, options.dimensions, options.classes)
        for share in (0.1, 0.3, 1.0):
            made.grow(max(TOP * 2, round(share * options.items)))
            with ProcessPoolExecutor(1, get_context("spawn")) as apart:
                found.append(apart.submit(rank, home, options.known if len(found) == 0 else 0, options.labels).result())
    largest = found[-1]
    spread = percentiles(largest.seconds, digits=4)
    return {
        "items": largest.items,
        "dimensions": options.dimensions,
        "classes": options.classes,
        "p50_s": spread["p50"],
        "p95_s": spread["p95"],
        "peak_mb": round(largest.peak_mb),
        "baseline_s": round(largest.baseline_s, 3),
        "ratio_to_baseline": round(largest.baseline_s / spread["p50"], 1),
        "same_top100": all(one.same_top for one in found),
        "p50_s_by_items": {one.items: percentiles(one.seconds, digits=4)["p50"] for one in found},
    }


class Made:
    """A project of made-up texts around as many centres as it has labels, all of them encoded."""

    def __init__(self, home: Workspace, store: Store, dimensions: int, classes: int) -> None:
        self._home, self._store = home, store
        self._rng = np.random.default_rng(0)
        self._centres = self._rng.standard_normal((classes, dimensions)).astype(np.float32)
        lead, _ = accounts.add_account(store, "bench", Role.LEAD)
        self.project = projects.create_project(store, "bench", lead)
        labels = projects.set_label_set(store, self.project, [Label(0, f"class {n}", f"class {n}") for n in range(classes)])
        self._cache = cache_of(home, serving_encoder(home, self.project))
        self._cache.append([content_hash(text) for text in label_texts(labels)], self._centres)
        self.items = 0

    def grow(self, items: int) -> None:
        """Add texts up to ``items``. Vectors are stored in an order of their own, as encoding does."""
        now = time.time()
        started = self._store.items.start_import(self.project.id, "made by bench", 0, now)
        for start in range(self.items, items, BATCH):
            numbers = range(start, min(start + BATCH, items))
            centres = self._rng.integers(len(self._centres), size=len(numbers))
            texts = [f"text {number} of class {centre}" for number, centre in zip(numbers, centres, strict=True)]
            keys = [content_hash(text) for text in texts]
            batch = [NewItem(str(n), text, key, Split.POOL, {}) for n, text, key in zip(numbers, texts, keys, strict=True)]
            self._store.items.stage(self.project.id, started, batch, 0, time.time())
            order = self._rng.permutation(len(numbers))
            self._cache.append([keys[place] for place in order], self._vectors(centres[order]))
        self._store.items.finish_import(started, self._store.accounts.importer(now).id, 0, 0, time.time())
        self.items = items

    def _vectors(self, centres: NDArray[np.int64]) -> NDArray[np.float32]:
        found = self._centres[centres] + 3 * self._rng.standard_normal((len(centres), self._centres.shape[1]), np.float32)
        unit: NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
        return unit


def rank(home: Workspace, known: int, timed: int) -> Figures:
    """Label and re-rank as the worker does, in this process."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    with Store(home.database) as store:
        project, lead = store.projects.find("bench"), store.accounts.find("bench")
        ranker = Ranker(home, project.id)
        ranker.refresh(store)
        label(store, project, lead, known)
        ranker.refresh(store)
        seconds = []
        for _ in range(timed):
            label(store, project, lead, 1)
            started = time.perf_counter()
            assert ranker.refresh(store) is not None
            seconds.append(time.perf_counter() - started)
        peak = peak_mb()  # before the baseline, which copies the pool
        baseline_s, same = compare(situation(home, store, project))
        return Figures(store.items.count(project.id, Split.POOL), seconds, baseline_s, same, peak)


def label(store: Store, project: Project, lead: User, n: int) -> None:
    """Answer the next ``n`` of the queue with the class their text names."""
    ids = [one.id for one in store.projects.labels(project.id)]
    for _ in range(n):
        (lease,) = labelling.sync(store, project, lead, "bench", events=[], hold=[], want=1).leases
        event = Event(f"bench-{lease.id:08d}", Kind.LABEL, lease.item, (ids[int(lease.text.split()[-1])],), lease=lease.id, seconds=1.0)
        labelling.sync(store, project, lead, "bench", events=[event], hold=[], want=0)


def situation(home: Workspace, store: Store, project: Project) -> Situation:
    """Return the pool as a selector sees it."""
    index, cache = Index.empty(), cache_of(home, serving_encoder(home, project))
    index.add(list(store.items.hashes(project.id, Split.POOL)))
    index.find(cache)
    vectors = index.vectors(cache)
    known = settle(store.answers.current(project.id), store.projects.labels(project.id), project.exclusive)
    labelled = vectors.places(known.items)
    free = np.delete(np.arange(len(vectors.ids)), labelled)
    return Situation(None, vectors.matrix, free, labelled, known.targets, np.random.default_rng(0))


def compare(seen: Situation) -> tuple[float, bool]:
    """Return small-text's seconds for one query by breaking ties, and whether its first TOP are ours but for equal margins."""
    from small_text import BreakingTies

    from annot.selectors.confidence import breaking_ties
    from annot.selectors.smalltext.adapter import query

    learned = learning.learn(seen, "none", 0)
    assert learned is not None
    seen = replace(seen, proba=learned.proba)
    started = time.perf_counter()
    theirs = query(BreakingTies(), seen, TOP)
    seconds = time.perf_counter() - started
    ours = select("breaking_ties", seen, TOP).indices
    first, second = (np.sort(breaking_ties(learned.proba[places])) for places in (theirs, ours))
    return seconds, bool(np.array_equal(first, second))
