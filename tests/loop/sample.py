"""An annotator of the sample who knows the gold labels, and a self-training method that takes texts for the first class."""

import numpy as np

from annot.loop import labelling
from annot.records import Event, Kind, Project, User
from annot.selftraining import PseudoLabels
from annot.situation import Situation
from annot.store import Store


def label_some(store: Store, project: Project, lead: User, gold: dict[str, str], n: int) -> list[Event]:
    """Label what the queue offers, as its annotator would."""
    ids = {label.name: label.id for label in store.projects.labels(project.id)}
    events = []
    for lease in labelling.sync(store, project, lead, "tab", events=[], hold=[], want=n).leases:
        item = store.items.get(project.id, lease.item)
        assert item is not None
        events.append(Event(f"uid-{lease.id:06d}", Kind.LABEL, lease.item, (ids[gold[item.external_id]],), lease=lease.id, seconds=1.0))
    result = labelling.sync(store, project, lead, "tab", events=events, hold=[], want=0)
    assert result.refused == []
    return events


def first_class(situation: Situation) -> PseudoLabels:
    labels = np.zeros((5, situation.targets.shape[1]), np.float32)
    labels[:, 0] = 1
    return PseudoLabels(np.sort(situation.pool[:5]), labels, np.full(5, 100, np.float32))
