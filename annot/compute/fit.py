"""What a task asks of a cluster, from what it needs and what the nodes have. Must not import ray."""

from dataclasses import dataclass

from annot.compute.base import Needs


@dataclass(frozen=True, slots=True)
class Fit:
    """What a task asks Ray for, and how many of its kind the nodes run at once."""

    cpus: int
    gpus: int
    at_once: int


def fit_on(nodes: list[dict[str, float]], needs: Needs) -> Fit | None:
    """Return how a task with these needs runs on nodes with these resources; None where it does not.

    Nodes without a GPU are passed over where another has one. A task gets as many CPUs as the largest node has, up to its needs.
    """
    with_gpu = [node for node in nodes if needs.gpu and node.get("GPU", 0) >= 1]
    fitting = with_gpu or [node for node in nodes if node.get("CPU", 0) >= 1]
    if not fitting:
        return None
    cpus = min(needs.cpus, int(max(node.get("CPU", 0) for node in fitting)))
    gpus = 1 if with_gpu else 0
    at_once = sum(int(min(node.get("CPU", 0) // max(cpus, 1), node.get("GPU", 0) if gpus else node.get("CPU", 0))) for node in fitting)
    return Fit(cpus, gpus, at_once)
