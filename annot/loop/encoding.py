"""Which encoder serves a project, and getting its items' texts into that encoder's vector cache.

Encoding can be stopped at any moment and goes on where it was: the cache is keyed by content. Must not rank or train.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from annot import compute, encoders
from annot.compute.encoding import encode
from annot.encoders import EncoderId
from annot.probe import setting_of
from annot.records import Label, Project, Split
from annot.settings import ProjectSettings, Workspace
from annot.store import Store
from annot.vectors import VectorCache, content_hash

CHUNK = 1024

Progress = Callable[[int, int, str], None]


def run_folder(workspace: Workspace, run: int) -> Path:
    return workspace.runs / f"run-{run:05d}"


def serving_encoder(workspace: Workspace, project: Project) -> EncoderId:
    """Return the encoder of the published run, the plain one of the settings before the first."""
    if project.published_run is None:
        return encoders.identify(ProjectSettings.parse(project.settings).encoder)
    return encoders.identify(str(run_folder(workspace, project.published_run)))


def model_number(store: Store, project: Project) -> int:
    """Return the number of the published run, 0 for the plain encoder."""
    return store.runs.get(project.published_run).number if project.published_run else 0


def cache_of(workspace: Workspace, encoder: EncoderId) -> VectorCache:
    return VectorCache(workspace.vectors / encoder.key, encoder.dimensions)


def label_texts(labels: Sequence[Label]) -> list[str]:
    """Return what stands for each label where texts are compared with labels: its title and, where there is one, its description."""
    return [f"{label.title}: {label.description}" if label.description else label.title for label in labels]


def encode_project(workspace: Workspace, store: Store, project: Project, encoder: EncoderId, tell: Progress) -> int:
    """Encode every text of the project, and of its label names, that is not in the cache yet; return how many items were missing.

    Calls ``tell(done, total, message)``. Goes through the items in a seeded random order, so that at any moment the encoded part is a
    fair picture of the whole.
    """
    cache = cache_of(workspace, encoder)
    items = [pair for split in Split for pair in store.items.hashes(project.id, split)]
    known = cache.rows([key for _, key in items]) >= 0
    missing = list({pair[1]: pair for pair, there in zip(items, known, strict=True) if not there}.values())
    total = len(items) - int((~known).sum()) + len(missing)  # of different texts, where several items have the same
    done = total - len(missing)
    words = f"Encoding with {encoder.name}."
    tell(done, total, words)
    names = label_texts(store.projects.labels(project.id))
    keys = [content_hash(name) for name in names]
    unnamed = (cache.rows(keys) < 0).any()
    if not missing and not unnamed:
        return 0
    setting = setting_of(encoder)
    order = np.random.default_rng(0).permutation(len(missing))
    sent = [keys] if unnamed else []

    def chunks() -> Iterator[Sequence[str]]:
        if unnamed:
            yield names
        for start in range(0, len(missing), CHUNK):
            chunk = [missing[place] for place in order[start : start + CHUNK]]
            sent.append([key for _, key in chunk])
            yield store.items.texts([item for item, _ in chunk])

    with compute.executor(on_wait=lambda: tell(done, total, words)) as executor:
        for place, vectors in encode(executor, encoder, chunks(), setting):
            cache.append(sent[place], vectors)
            done += 0 if unnamed and place == 0 else len(vectors)
            words = f"{words} {executor.note}" if executor.note and executor.note not in words else words
            tell(done, total, words)
    return len(missing)
