"""What an annotator may answer depends on the project: relations, trees, and whether the model's guesses reach the browser."""

from dataclasses import replace

import pytest

from annot.errors import AnnotError, BadInput
from annot.loop import labelling, projects
from annot.records import Event, Kind, Label, QueueRow, Ranking, Reason, Relation, Split
from annot.store import Store

from .conftest import Small, add_items


def answer(store: Store, small: Small, event: Event, **settings: object) -> labelling.Synced:
    project = projects.change_settings(store, small.project, settings)
    return labelling.sync(store, project, small.lead, "tab", events=[event], hold=[], want=1)


def item(store: Store, small: Small) -> int:
    return next(store.items.hashes(small.project.id, Split.POOL))[0]


@pytest.mark.parametrize(("relation", "setting"), [(Relation.NOT, "allow_not"), (Relation.EITHER, "allow_either")])
def test_other_relations_are_taken_where_the_project_allows_them(store: Store, small: Small, relation: Relation, setting: str) -> None:
    event = Event("uid-00001", Kind.LABEL, item(store, small), tuple(label.id for label in small.labels), relation=relation)
    assert answer(store, small, event).refused[0][0] == "uid-00001"
    assert answer(store, small, event, **{setting: True}).saved == ["uid-00001"]
    (stored,) = store.answers.current(small.project.id)
    assert (stored.relation, len(stored.labels)) == (relation, 2)


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("encoder", "/no/such/folder", "does not exist"),
        ("selector", "clairvoyance", "breaking_ties"),
        ("self_training", "magic", "hast"),
        ("highlights", "/(/", "not a regular expression"),
        ("audit_share", 2.0, "between 0.0 and 1.0"),
        ("colour", "red", "Unknown setting"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_in_words(store: Store, small: Small, setting: str, value: object, words: str) -> None:
    with pytest.raises(AnnotError, match=words):
        projects.change_settings(store, small.project, {setting: value})
    assert store.projects.get(small.project.id).settings == {}


@pytest.mark.parametrize("broken", [{"uid": "short"}, {"note": "\ud800"}, {"labels": ["x"]}, {"item": -1}, {"seconds": "1"}])
def test_an_event_with_a_bad_field_is_refused_in_words(broken: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="Event field"):
        labelling.parse_event({"uid": "uid-00001", "kind": "label", "item": 1, "labels": [1]} | broken)


def test_in_a_tree_an_answer_stops_at_an_inner_label_only_where_allowed(store: Store, small: Small) -> None:
    ham, spam = small.labels
    store.projects.set_labels(small.project.id, [ham, replace(spam, parent=ham.id)])
    event = Event("uid-00001", Kind.LABEL, item(store, small), (ham.id,))
    assert "lowest level" in answer(store, small, event).refused[0][1]
    assert answer(store, small, event, allow_inner=True).saved == ["uid-00001"]


def test_none_of_these_is_a_real_answer_where_several_labels_may_hold(store: Store, small: Small) -> None:
    project = projects.create_project(store, "several", small.lead, exclusive=False)
    one, two = projects.set_label_set(store, project, [Label(0, "a", "A"), Label(0, "b", "B")])
    add_items(store, project, ["x", "y"])
    items = [found for found, _ in store.items.hashes(project.id, Split.POOL)]
    events = [Event("uid-00001", Kind.LABEL, items[0], ()), Event("uid-00002", Kind.LABEL, items[1], (one.id, two.id))]
    assert labelling.sync(store, project, small.lead, "tab", events=events, hold=[], want=0).refused == []
    assert [stored.labels for stored in store.answers.current(project.id)] == [(), (one.id, two.id)]


@pytest.mark.parametrize(("suggestions", "reach"), [("off", False), ("on", True), ("after", True)])
def test_guesses_reach_the_browser_only_where_the_project_shows_them(store: Store, small: Small, suggestions: str, reach: bool) -> None:
    row = QueueRow(item(store, small), Reason.UNCERTAIN, 0.1, None, ((small.labels[0].id, 0.9),))
    store.queue.rewrite(small.project.id, [row], Ranking(0, 0, 0, "x", 0.0, 0.0), 0)
    project = projects.change_settings(store, small.project, {"suggestions": suggestions})
    (lease,) = labelling.sync(store, project, small.lead, "tab", events=[], hold=[], want=1).leases
    assert bool(lease.guesses) == reach
