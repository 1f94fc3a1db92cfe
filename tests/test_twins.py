"""Near-duplicates: found by vectors, offered with an item, answered on confirmation and undone like any answer."""

import time

import numpy as np
import pytest

from annot import twins
from annot.loop import grouping, labelling, projects
from annot.loop.encoding import encode_project, serving_encoder
from annot.records import Event, Kind, Lease, QueueRow, Ranking, Reason, Split
from annot.settings import Workspace
from annot.store import Store

from .conftest import Small, add_items


def angles(*degrees: float) -> np.ndarray:
    at = np.radians(degrees)
    return np.stack([np.cos(at), np.sin(at)], axis=1).astype(np.float16)


def test_each_member_is_near_its_leader_and_groups_make_no_chains() -> None:
    # cos 14 degrees is 0.970: 0, 10 and 13 go together; 20 is near 10 but not near 0, and leads a group of its own with 30.
    assert twins.leaders(angles(0, 10, 90, 20, 13, 30)).tolist() == [0, 0, -1, 3, 0, 3]


def test_nothing_and_nobody_alike_make_no_groups() -> None:
    assert twins.leaders(np.empty((0, 4), np.float16)).tolist() == []
    assert twins.leaders(angles(0)).tolist() == [-1]
    assert twins.leaders(np.zeros((3, 4), np.float16)).tolist() == [-1, -1, -1]


def test_the_index_of_large_pools_finds_what_the_exact_search_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    once = rng.normal(size=(3000, 32)).astype(np.float32)
    vectors = np.concatenate([once, once[:500] + rng.normal(0, 0.02, (500, 32)).astype(np.float32)])
    exact = twins.leaders(vectors)
    assert (exact[3000:] == np.arange(500)).all()
    monkeypatch.setattr(twins, "EXACT_UP_TO", 1000)
    assert (twins.leaders(vectors) == exact).mean() > 0.99


@pytest.fixture
def alike(store: Store, small: Small) -> list[int]:
    """Three items of one group; the first is on top of the queue."""
    items = [item for item, _ in store.items.hashes(small.project.id, Split.POOL)][:3]
    store.twins.replace(small.project.id, [(item, items[0]) for item in items], "by hand")
    row = QueueRow(items[0], Reason.UNCERTAIN, 0.5)
    store.queue.rewrite(small.project.id, [row], Ranking(0, 0, 0, "x", 0.0, 0.0), 0)
    return items


def lease_of(store: Store, small: Small, tab: str = "tab") -> Lease:
    (lease,) = labelling.sync(store, small.project, small.lead, tab, events=[], hold=[], want=1).leases
    return lease


def label_all(store: Store, small: Small, lease: Lease) -> list[Event]:
    first = Event("uid-first", Kind.LABEL, lease.item, (small.labels[0].id,), lease=lease.id, seconds=2.0)
    copies = [Event(f"uid-copy-{twin.item}", Kind.LABEL, twin.item, first.labels, copy_of=first.uid) for twin in lease.twins]
    result = labelling.sync(store, small.project, small.lead, "tab", events=[first, *copies], hold=[], want=0)
    assert result.refused == []
    return [first, *copies]


def test_an_item_comes_with_its_twins_and_each_answer_is_its_own_event(store: Store, small: Small, alike: list[int]) -> None:
    lease = lease_of(store, small)
    assert [twin.item for twin in lease.twins] == alike[1:]
    assert [twin.text for twin in lease.twins] == store.items.texts(alike[1:])
    events = label_all(store, small, lease)
    stored = list(store.answers.current(small.project.id))
    assert [(answer.item, answer.reason) for answer in stored] == [
        (alike[0], Reason.UNCERTAIN),
        (alike[1], Reason.TWIN),
        (alike[2], Reason.TWIN),
    ]
    undos = [Event(f"undo-{event.uid}", Kind.UNDO, event.item, target=event.uid) for event in events]
    labelling.sync(store, small.project, small.lead, "tab", events=undos, hold=[], want=0)
    assert list(store.answers.current(small.project.id)) == []


def test_a_twin_that_is_answered_or_with_somebody_is_not_offered(store: Store, small: Small, alike: list[int]) -> None:
    answered = Event("uid-00001", Kind.LABEL, alike[1], (small.labels[0].id,))
    labelling.sync(store, small.project, small.lead, "tab", events=[answered], hold=[], want=0)
    row = QueueRow(alike[2], Reason.UNCERTAIN, 0.5)
    store.queue.rewrite(small.project.id, [row], Ranking(0, 0, 0, "x", 0.0, 0.0), 0)
    assert lease_of(store, small, "another tab").item == alike[2]
    store.queue.rewrite(small.project.id, [QueueRow(alike[0], Reason.UNCERTAIN, 0.5)], Ranking(0, 0, 0, "x", 0.0, 0.0), 0)
    assert lease_of(store, small).twins == ()


def test_an_audit_item_is_never_answered_along(store: Store, small: Small, alike: list[int]) -> None:
    rows = [QueueRow(alike[0], Reason.UNCERTAIN, 0.5), QueueRow(alike[1], Reason.AUDIT, None, 0.01)]
    store.queue.rewrite(small.project.id, rows, Ranking(0, 0, 0, "x", 0.0, 0.0), 0)
    first, _ = labelling.sync(store, small.project, small.lead, "tab", events=[], hold=[], want=2).leases
    assert [twin.item for twin in first.twins] == [alike[2]]


def test_a_copy_for_an_item_that_is_no_twin_is_an_answer_of_its_own(store: Store, small: Small, alike: list[int]) -> None:
    label_all(store, small, lease_of(store, small))
    other = [item for item, _ in store.items.hashes(small.project.id, Split.POOL)][10]
    event = Event("uid-other", Kind.LABEL, other, (small.labels[0].id,), copy_of="uid-first")
    labelling.sync(store, small.project, small.lead, "tab", events=[event], hold=[], want=0)
    assert store.answers.of_item(small.project.id, other)[0].reason is Reason.CHOSEN


def test_the_job_groups_real_texts_once_until_new_ones_come(home: Workspace, store: Store, small: Small) -> None:
    project = projects.create_project(store, "alike", small.lead)
    texts = ["How do I return a parcel?", "how do I return a parcel", "My invoice is wrong.", "HOW DO I RETURN A PARCEL?"]
    add_items(store, project, texts)
    encode_project(home, store, project, serving_encoder(home, project), lambda done, total, message: None)
    assert grouping.is_due(store, project)
    assert grouping.group_project(home, store, project, lambda done, total, message: None) == 3
    items = [item for item, _ in store.items.hashes(project.id, Split.POOL)]
    assert store.twins.groups(project.id).tolist() == [[items[0], items[0]], [items[1], items[0]], [items[3], items[0]]]
    assert not grouping.is_due(store, project)
    add_items(store, project, [f"another text, at {time.time()}"])
    assert grouping.is_due(store, project)
