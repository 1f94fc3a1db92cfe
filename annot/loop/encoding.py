"""Which encoder serves a project, and getting its items' texts into that encoder's vector cache.

Encoding can be stopped at any moment and goes on where it was: the cache is keyed by content. Must not rank or train.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from annot import encoders
from annot.encoders import EncoderId
from annot.records import Project, Split
from annot.settings import ProjectSettings, Workspace
from annot.store import Store
from annot.vectors import VectorCache

CHUNK = 1024

Progress = Callable[[int, int, str], None]


def run_folder(workspace: Workspace, run: int) -> Path:
    return workspace.runs / f"run-{run:05d}"


def serving_encoder(workspace: Workspace, project: Project) -> EncoderId:
    """Return the encoder of the published run, the plain one of the settings before the first."""
    if project.published_run is None:
        return encoders.identify(ProjectSettings.parse(project.settings).encoder)
    return encoders.identify(str(run_folder(workspace, project.published_run)))


def cache_of(workspace: Workspace, encoder: EncoderId) -> VectorCache:
    return VectorCache(workspace.vectors / encoder.key, encoder.dimensions)


def encode_project(workspace: Workspace, store: Store, project: Project, encoder: EncoderId, tell: Progress) -> int:
    """Encode every text of the project that is not in the cache yet; return how many were. Calls ``tell(done, total, message)``.

    Goes through the items in a seeded random order, so that at any moment the encoded part is a fair picture of the whole.
    """
    cache = cache_of(workspace, encoder)
    items = [pair for split in Split for pair in store.items.hashes(project.id, split)]
    known = cache.rows([key for _, key in items]) >= 0
    missing = [pair for pair, there in zip(items, known, strict=True) if not there]
    total, done = len(items), len(items) - len(missing)
    tell(done, total, f"Encoding with {encoder.name}")
    if not missing:
        return 0
    engine = encoders.load(encoder)
    order = np.random.default_rng(0).permutation(len(missing))
    for start in range(0, len(missing), CHUNK):
        chunk = [missing[place] for place in order[start : start + CHUNK]]
        cache.append([key for _, key in chunk], engine.encode(store.items.texts([item for item, _ in chunk])))
        done += len(chunk)
        tell(done, total, f"Encoding with {encoder.name}")
    return len(missing)
