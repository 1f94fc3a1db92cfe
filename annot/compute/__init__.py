"""Where work is done that one process should not do alone: on this machine, or on a Ray cluster, through one interface.

``ANNOT_COMPUTE`` chooses: local (the default) or ray, which ``RAY_ADDRESS`` then finds. The database, leases and web stay where they
are: a task never touches the store. See docs/deploy.md.
"""

import os
from collections.abc import Callable

from annot.compute.base import Executor, Needs, Telling, silence
from annot.compute.cluster import Cluster
from annot.compute.local import Local
from annot.errors import UnknownName

__all__ = ["Cluster", "Executor", "Local", "Needs", "Telling", "elsewhere", "executor"]


def elsewhere() -> bool:
    """Tell whether work is to be done on a cluster rather than on this machine alone."""
    return os.environ.get("ANNOT_COMPUTE", "local") not in ("", "local")


def executor(processes: int = 0, on_wait: Callable[[], object] = silence) -> Executor:
    """Return what ``ANNOT_COMPUTE`` names. On this machine tasks run in ``processes`` processes, in this one where that is 0.

    ``on_wait`` is called about once a second while a cluster is waited for. Raises UnknownName, BadInput where Ray is not installed.
    """
    chosen = os.environ.get("ANNOT_COMPUTE") or "local"
    if chosen == "local":
        return Local(processes)
    if chosen == "ray":
        return Cluster(os.environ.get("RAY_ADDRESS", ""), Local(processes), on_wait)
    raise UnknownName("executor (ANNOT_COMPUTE)", chosen, ["local", "ray"])
