"""Finding the pool's texts that are as good as identical, in the background. Must not decide what to ask or answer.

The vectors are the plain encoder's: a fine-tuned one draws all texts of a label together, however different they are.
"""

from annot import encoders, twins
from annot.loop.encoding import Progress, cache_of, encode_project
from annot.records import Project, Split
from annot.settings import ProjectSettings, Workspace
from annot.store import Store


def is_due(store: Store, project: Project) -> bool:
    """Say whether items came, or the encoder was changed, since the groups were made."""
    return store.twins.stamp(project.id) != _stamp(store, project)


def group_project(workspace: Workspace, store: Store, project: Project, tell: Progress) -> int:
    """Rewrite the project's groups of twins; return how many items are in one. Encodes first what the plain encoder has not seen."""
    stamp = _stamp(store, project)
    encoder = encoders.identify(ProjectSettings.parse(project.settings).encoder)
    encode_project(workspace, store, project, encoder, tell)
    tell(0, 1, "Looking for texts that are as good as identical")
    cache = cache_of(workspace, encoder)
    items = list(store.items.hashes(project.id, Split.POOL))
    rows = cache.rows([key for _, key in items])
    led = twins.leaders(cache.matrix[rows])
    groups = [(item, items[leader][0]) for (item, _), leader in zip(items, led, strict=True) if leader >= 0]
    store.twins.replace(project.id, groups, stamp)
    tell(1, 1, f"{len(groups)} texts have a twin")
    return len(groups)


def _stamp(store: Store, project: Project) -> str:
    return f"{ProjectSettings.parse(project.settings).encoder}:{store.items.newest_id(project.id, Split.POOL)}"
