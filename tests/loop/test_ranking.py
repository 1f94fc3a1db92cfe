"""Encoding and ranking of the bundled sample with the real encoder: what is asked, and what changes it."""

from dataclasses import replace

import numpy as np
import pytest

from annot import selftraining
from annot.compute import Local
from annot.compute.scoring import PoolScorer
from annot.learners.head import Head
from annot.loop import completing, encoding, labelling, learning, projects, status
from annot.loop.ranking import Ranker
from annot.loop.targets import settle
from annot.records import Event, Kind, Label, Project, Reason, Relation, Split, User
from annot.settings import Workspace
from annot.situation import Situation
from annot.store import Store
from annot.vectors import content_hash
from tests.conftest import add_items
from tests.loop.sample import label_some

# Each test copies a workspace whose 849 texts were encoded, which takes some seconds.
pytestmark = pytest.mark.slow


def test_the_cold_start_is_diverse_and_one_item_in_ten_is_audit(home: Workspace, store: Store, project: Project) -> None:
    ranking = Ranker(home, project.id).refresh(store)
    assert ranking is not None
    assert (ranking.selector, ranking.labels, ranking.model) == ("label_names", 0, 0)
    reasons = [row.reason for row in store.queue.top(project.id, 100)]
    assert (reasons.count(Reason.AUDIT), reasons.count(Reason.DIVERSE)) == (10, 90)


def test_a_refresh_with_nothing_new_does_nothing(home: Workspace, store: Store, project: Project) -> None:
    ranker = Ranker(home, project.id)
    assert ranker.refresh(store) is not None
    assert ranker.refresh(store) is None


def test_texts_that_are_encoded_later_join_the_queue_in_steps_and_all_in_the_end(
    home: Workspace, store: Store, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranker = Ranker(home, project.id)
    ranker.refresh(store)
    add_items(store, project, [f"a message of another kind, {n}" for n in range(40)])
    ranker.refresh(store)
    assert ranker.missing == 40
    new = list(store.items.hashes(project.id, Split.POOL))[-40:]
    cache = encoding.cache_of(home, encoding.serving_encoder(home, project))
    found = []
    for key in new:  # one at a time: a fiftieth of the pool has to come before it is ranked again
        cache.append([key[1]], np.ones((1, cache.dimensions)))
        found.append(ranker.refresh(store) is not None)
    assert 1 < sum(found) < 5
    assert found[-1]
    assert ranker.missing == 0
    looked_up: list[int] = []
    monkeypatch.setattr(type(cache), "rows", lambda cache, keys: looked_up.append(len(keys)) or np.empty(0, np.int64))
    projects.change_settings(store, project, {"cold_start": "random"})
    assert ranker.refresh(store) is not None
    assert set(looked_up) <= {0, 8}  # the labels' names alone


def test_a_pool_that_is_scored_elsewhere_is_ranked_alike(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str]
) -> None:
    projects.change_settings(store, project, {"self_training": "none"})  # the first to rank would check it, and the second know more
    Ranker(home, project.id).refresh(store)
    label_some(store, project, lead, gold, 20)
    here, elsewhere = Ranker(home, project.id), Ranker(home, project.id, PoolScorer(Local()))
    here.refresh(store)
    rows = store.queue.top(project.id, 1000)
    assert rows[0].guesses
    elsewhere.refresh(store)
    assert [(row.item, row.reason) for row in store.queue.top(project.id, 1000)] == [(row.item, row.reason) for row in rows]


def test_of_a_pool_larger_than_set_a_random_part_is_ranked_and_said(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str]
) -> None:
    project = projects.change_settings(store, project, {"rank_at_most": 100})
    ranker = Ranker(home, project.id)
    ranker.refresh(store)
    done = {event.item for event in label_some(store, project, lead, gold, 20)}
    ranker.refresh(store)
    rows = store.queue.top(project.id, 1000)
    assert 80 <= len(rows) <= 100
    assert not done & {row.item for row in rows}
    assert {row.probability for row in rows if row.reason is Reason.AUDIT} == {1 / 669}  # of the whole pool
    label_some(store, project, lead, gold, 1)
    ranker.refresh(store)
    assert len({row.item for row in rows} & {row.item for row in store.queue.top(project.id, 1000)}) < 50
    facts = status.lead_facts(store, project)
    assert facts.ranked_from == "ranked from a random part of 100 of 689 texts"
    assert facts.ranked_from in status.in_words(facts)
    assert status.lead_facts(store, projects.change_settings(store, project, {"rank_at_most": 0})).ranked_from == ""


def test_identical_texts_are_encoded_once_and_all_join_the_queue(home: Workspace, store: Store, project: Project) -> None:
    ranker = Ranker(home, project.id)
    ranker.refresh(store)
    add_items(store, project, ["the same message twice"] * 2)
    ranker.refresh(store)
    assert ranker.missing == 2
    told: list[int] = []
    encoder = encoding.serving_encoder(home, project)
    assert encoding.encode_project(home, store, project, encoder, lambda done, total, message: told.append(total - done)) == 1
    assert told == [1, 0]
    assert ranker.refresh(store) is not None
    assert ranker.missing == 0


def test_another_projects_texts_in_the_cache_are_no_reason_to_rank(home: Workspace, store: Store, project: Project) -> None:
    ranker = Ranker(home, project.id)
    ranker.refresh(store)
    cache = encoding.cache_of(home, encoding.serving_encoder(home, project))
    for n in range(100):
        cache.append([content_hash(f"foreign {n}")], np.ones((1, cache.dimensions)))
        assert ranker.refresh(store) is None


def test_vectors_that_were_deleted_are_missed_at_once(home: Workspace, store: Store, project: Project) -> None:
    ranker = Ranker(home, project.id)
    ranker.refresh(store)
    for path in home.vectors.rglob("*.*"):
        path.unlink()
    ranker.refresh(store)
    assert ranker.missing == store.items.count(project.id, Split.POOL) + store.items.count(project.id, Split.TEST) + 8


def test_every_label_changes_what_is_asked_next(home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str]) -> None:
    ranker = Ranker(home, project.id)
    ranker.refresh(store)
    label_some(store, project, lead, gold, 20)
    ranking = ranker.refresh(store)
    assert ranking is not None
    assert (ranking.selector, ranking.labels) == ("breaking_ties", 20)
    before = [row.item for row in store.queue.top(project.id, 50)]
    label_some(store, project, lead, gold, 1)
    ranker.refresh(store)
    after = [row.item for row in store.queue.top(project.id, 50)]
    assert before[0] not in after
    assert before[1:] != after[:-1]


def test_the_queue_holds_each_unlabelled_item_once_with_its_guesses(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str]
) -> None:
    ranker = Ranker(home, project.id)
    ranker.refresh(store)
    done = {event.item for event in label_some(store, project, lead, gold, 20)}
    ranker.refresh(store)
    rows = store.queue.top(project.id, 1000)
    items = [row.item for row in rows]
    assert len(items) == len(set(items)) == 689 - 20
    assert not done & set(items)
    assert all(abs(sum(chance for _, chance in row.guesses)) <= 1.001 and len(row.guesses) == 5 for row in rows)
    assert {row.probability for row in rows if row.reason is Reason.AUDIT} == {1 / 669}


def test_labelling_needs_no_ranking(store: Store, project: Project, lead: User, gold: dict[str, str]) -> None:
    assert len(label_some(store, project, lead, gold, 10)) == 10
    assert {answer.reason for answer in store.answers.current(project.id, Split.POOL)} == {Reason.RANDOM}


def test_a_changed_label_set_is_ranked_under_every_method(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str]
) -> None:
    ranker = Ranker(home, project.id)
    ranker.refresh(store)
    label_some(store, project, lead, gold, 30)
    for method in selftraining.names():
        projects.change_settings(store, project, {"self_training": method})
        assert ranker.refresh(store) is not None
        labels = store.projects.labels(project.id)
        projects.set_label_set(store, project, [*labels, Label(0, f"new-{method}", "New")])
        assert ranker.refresh(store) is not None


def test_the_cold_start_may_rest_on_the_label_names(home: Workspace, store: Store, project: Project) -> None:
    ranker = Ranker(home, project.id)
    by_names = ranker.refresh(store)
    named = store.queue.top(project.id, 30)
    projects.change_settings(store, project, {"cold_start": "diversity"})
    by_coverage = ranker.refresh(store)
    assert by_coverage is not None
    assert by_names is not None
    assert (by_coverage.selector, by_names.selector) == ("diversity", "label_names")
    assert ranker.missing == 0  # the names were encoded with the texts
    assert store.queue.top(project.id, 30) != named
    projects.set_label_set(store, project, [replace(label, title="new " + label.title) for label in store.projects.labels(project.id)])
    assert ranker.refresh(store) is not None
    assert ranker.missing == len(store.projects.labels(project.id))


def test_an_audit_item_the_model_asks_for_becomes_a_training_label_and_another_is_drawn(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str]
) -> None:
    project = projects.change_settings(store, project, {"audit_share": 0.5, "queue_size": 100})
    ranker = Ranker(home, project.id)
    for _ in range(6):
        ranker.refresh(store)
        label_some(store, project, lead, gold, 20)
    ranker.refresh(store)
    released = store.queue.released(project.id)
    answers = list(store.answers.current(project.id, Split.POOL))
    asked = {answer.item for answer in answers if answer.reason is Reason.AUDIT}
    assert released
    assert released < asked
    labelled = settle(answers, store.projects.labels(project.id), project.exclusive, released)
    assert set(labelled.items[labelled.audit].tolist()) == asked - released
    assert set(labelled.items[labelled.train].tolist()) >= released
    assert 0.45 <= (len(asked) - len(released)) / len(answers) <= 0.55


def test_what_somebody_holds_or_chose_by_hand_releases_nothing(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str]
) -> None:
    ranker = Ranker(home, project.id)
    ranker.refresh(store)
    label_some(store, project, lead, gold, 30)
    ranker.refresh(store)
    before = store.queue.released(project.id)
    last = ranker._asked[-1]
    ids = {label.name: label.id for label in store.projects.labels(project.id)}
    item = store.items.get(project.id, last)
    assert item is not None
    event = Event("by-hand-1", Kind.LABEL, last, (ids[gold[item.external_id]],))
    assert labelling.sync(store, project, lead, "tab", events=[event], hold=[], want=0).refused == []
    ranker.refresh(store)
    assert store.queue.released(project.id) == before


def test_a_project_without_texts_has_its_label_names_encoded_once(home: Workspace, store: Store, lead: User) -> None:
    empty = projects.create_project(store, "empty", lead)
    projects.set_label_set(store, empty, [Label(0, "a", "A name"), Label(0, "b", "Another name")])
    ranker = Ranker(home, empty.id)
    assert ranker.refresh(store) is None
    assert ranker.missing == 2
    encoding.encode_project(home, store, empty, encoding.serving_encoder(home, empty), lambda *step: None)
    assert ranker.refresh(store) is None
    assert ranker.missing == 0


def test_an_answer_that_rules_labels_out_is_not_asked_again(home: Workspace, store: Store, project: Project, lead: User) -> None:
    project = projects.change_settings(store, project, {"allow_not": True})
    ranker, ids = Ranker(home, project.id), [label.id for label in store.projects.labels(project.id)]
    ranker.refresh(store)
    leases = labelling.sync(store, project, lead, "tab", events=[], hold=[], want=10).leases
    events = [Event(f"not-{one.id:06d}", Kind.LABEL, one.item, (ids[0],), Relation.NOT, lease=one.id) for one in leases]
    assert labelling.sync(store, project, lead, "tab", events=events, hold=[], want=0).refused == []
    ranker.refresh(store)
    assert not {row.item for row in store.queue.top(project.id, 1000)} & {one.item for one in leases}


def test_what_is_ruled_out_teaches_the_head(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = projects.change_settings(store, project, {"allow_not": True, "audit_share": 0.0, "self_training": "none"})
    ranker, ids = Ranker(home, project.id), [label.id for label in store.projects.labels(project.id)]
    ranker.refresh(store)
    label_some(store, project, lead, gold, 30)
    ranker.refresh(store)
    leases = labelling.sync(store, project, lead, "tab", events=[], hold=[], want=10).leases
    events = [
        Event(f"not-{one.id:06d}", Kind.LABEL, one.item, (ids[at % len(ids)],), Relation.NOT, lease=one.id) for at, one in enumerate(leases)
    ]
    assert labelling.sync(store, project, lead, "tab", events=events, hold=[], want=0).refused == []
    asked = []

    def spy(situation: Situation, head: Head) -> np.ndarray:
        asked.append(situation.partial)
        return completing.complete(situation, head)

    monkeypatch.setattr(learning, "complete", spy)
    ranker.refresh(store)
    (known,) = asked
    assert known.ruled_out.sum(axis=1).tolist() == [1] * 10
    assert [ids[column] for column in known.ruled_out.argmax(axis=1)] == [event.labels[0] for event in events]
