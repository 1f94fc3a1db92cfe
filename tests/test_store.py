"""The store keeps its promises: exactly once, exclusive leases, nothing half-imported, faults in words."""

import random
import sqlite3
import threading
import time
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annot.errors import BadInput, Busy, NotAllowed, WorkspaceError
from annot.loop import accounts, labelling, projects, status
from annot.records import Estimate, Event, JobState, Kind, Label, QueueRow, Ranking, Reason, Relation, Role, Split
from annot.settings import Workspace
from annot.store import Store, items
from annot.store.items import NewItem
from annot.store.jobs import LANES
from annot.store.migrations import SCHEMA_VERSION, migrations
from annot.vectors import content_hash

from .conftest import Small, add_items


def label(uid: str, item: int, label_id: int, lease: int | None = None) -> Event:
    return Event(uid, Kind.LABEL, item, (label_id,), lease=lease)


def first_item(store: Store, small: Small) -> int:
    return next(store.items.hashes(small.project.id, Split.POOL))[0]


def standing(store: Store, small: Small) -> list[tuple[int, tuple[int, ...]]]:
    return [(answer.item, answer.labels) for answer in store.answers.current(small.project.id)]


def test_an_answer_taken_back_in_two_tabs_is_gone_once(store: Store, small: Small) -> None:
    item = store.items.page(small.project.id, 1)[0].id
    label = Event("uid-label", Kind.LABEL, item, (small.labels[0].id,))
    undos = [Event(f"uid-undo-{n}", Kind.UNDO, item, target="uid-label") for n in range(2)]
    assert store.answers.record(small.project.id, small.lead.id, [label, *undos], 1.0) == [None, None, None]
    assert store.answers.labels(small.project.id) == 0
    assert store.answers.record(small.project.id, small.lead.id, [replace(label, uid="uid-again")], 2.0) == [None]
    assert store.answers.labels(small.project.id) == 1


def test_an_event_sent_twice_is_stored_once(store: Store, small: Small) -> None:
    event = label("uid-00001", first_item(store, small), small.labels[0].id)
    for _ in range(2):
        assert store.answers.record(small.project.id, small.lead.id, [event, event], time.time()) == [None, None]
    assert len(standing(store, small)) == 1


def test_a_uid_of_another_account_is_refused(store: Store, small: Small) -> None:
    bob = store.accounts.add("bob", Role.ANNOTATOR, "x", 0.0)
    event = label("uid-00001", first_item(store, small), small.labels[0].id)
    store.answers.record(small.project.id, small.lead.id, [event], time.time())
    (why,) = store.answers.record(small.project.id, bob.id, [event], time.time())
    assert why is not None
    assert "another account" in why


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Event("uid-00001", Kind.LABEL, 1, (999,)), "not in this project's label set"),
        (Event("uid-00001", Kind.LABEL, 1, ()), "exactly one label"),
        (Event("uid-00001", Kind.LABEL, 1, (1, 2)), "exactly one label"),
        (Event("uid-00001", Kind.LABEL, 999_999, (1,)), "not in this project"),
        (Event("uid-00001", Kind.UNDO, 1, target="nothing-there"), "must name an earlier"),
        (Event("uid-00001", Kind.SKIP, 1, (1,)), "Only a label event"),
        (Event("uid-00001", Kind.LABEL, 1, (), relation=Relation.NOT), "at least one label"),
    ],
)
def test_an_event_that_makes_no_sense_is_refused_in_words(store: Store, small: Small, event: Event, words: str) -> None:
    (why,) = store.answers.record(small.project.id, small.lead.id, [event], time.time())
    assert why is not None
    assert words in why
    assert standing(store, small) == []


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1)), max_size=8))
def test_label_then_undo_is_the_identity(store: Store, small: Small, steps: list[tuple[int, int]]) -> None:
    items = [item for item, _ in store.items.hashes(small.project.id, Split.POOL)]
    stamp = str(time.time_ns())
    for n, (place, which) in enumerate(steps):
        store.answers.record(small.project.id, small.lead.id, [label(f"{stamp}-{n}", items[place], small.labels[which].id)], time.time())
    before = standing(store, small)
    new = label(f"{stamp}-new", items[0], small.labels[0].id)
    store.answers.record(small.project.id, small.lead.id, [new], time.time())
    assert (items[0], (small.labels[0].id,)) in standing(store, small)
    store.answers.record(small.project.id, small.lead.id, [Event(f"{stamp}-undo", Kind.UNDO, items[0], target=new.uid)], time.time())
    assert standing(store, small) == before


def sync(store: Store, small: Small, tab: str, user: int | None = None, **rest: object) -> labelling.Synced:
    who = store.accounts.find("ada") if user is None else next(one for one in store.accounts.all() if one.id == user)
    arguments: dict[str, object] = {"events": [], "hold": [], "want": 10} | rest
    return labelling.sync(store, small.project, who, tab, **arguments)  # type: ignore[arg-type]


def test_lease_is_exclusive(store: Store, small: Small) -> None:
    seen = [lease.item for tab in ("a", "b", "c") for lease in sync(store, small, tab).leases]
    assert len(seen) == len(set(seen)) == 30


def test_leases_are_exclusive_among_threads_claiming_at_once(home: Workspace, store: Store, small: Small) -> None:
    got: list[int] = []
    lock = threading.Lock()

    def claim(tab: str) -> None:
        with Store(home.database) as own:
            items = [lease.item for lease in sync(own, small, tab).leases]
        with lock:
            got.extend(items)

    threads = [threading.Thread(target=claim, args=(f"tab-{n}",)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == len(set(got)) == 100


def test_a_reload_gets_its_own_leases_back(store: Store, small: Small) -> None:
    before = [lease.id for lease in sync(store, small, "a").leases]
    assert [lease.id for lease in sync(store, small, "a").leases] == before


def test_an_expired_lease_goes_to_somebody_else_and_is_stale_for_its_old_tab(store: Store, small: Small) -> None:
    values = {"want": 100, "seconds": 60.0, "overlap": 1}
    mine, _ = store.queue.hold(small.project.id, small.lead.id, "a", [], now=1000.0, **values)
    bob = store.accounts.add("bob", Role.ANNOTATOR, "x", 0.0)
    assert store.queue.hold(small.project.id, bob.id, "b", [], now=1030.0, **values)[0] == []
    theirs, _ = store.queue.hold(small.project.id, bob.id, "b", [], now=1100.0, **values)
    assert {lease.item for lease in theirs} == {lease.item for lease in mine}
    _, stale = store.queue.hold(small.project.id, small.lead.id, "a", [lease.id for lease in mine], now=1101.0, **values)
    assert set(stale) == {lease.id for lease in mine}


def test_a_laptop_that_slept_past_its_leases_keeps_those_nobody_took(store: Store, small: Small) -> None:
    values = {"want": 5, "seconds": 60.0, "overlap": 1}
    mine, _ = store.queue.hold(small.project.id, small.lead.id, "a", [], now=1000.0, **values)
    fresh, stale = store.queue.hold(small.project.id, small.lead.id, "a", [lease.id for lease in mine], now=9000.0, **values)
    assert (fresh, stale) == ([], [])


def test_an_undo_reopens_the_lease_so_that_nobody_else_gets_the_item(store: Store, small: Small) -> None:
    lease = sync(store, small, "a", want=1).leases[0]
    sync(store, small, "a", want=0, events=[label("uid-00001", lease.item, small.labels[0].id, lease.id)])
    sync(store, small, "a", want=0, events=[Event("uid-00002", Kind.UNDO, lease.item, target="uid-00001")])
    assert lease.item not in [other.item for other in sync(store, small, "b", want=50).leases]


def test_overlap_offers_an_item_to_that_many_people_and_no_more(store: Store, small: Small) -> None:
    people = [store.accounts.add(f"p{n}", Role.ANNOTATOR, "x", 0.0).id for n in range(3)]
    item = first_item(store, small)
    store.queue.rewrite(small.project.id, [QueueRow(item, Reason.UNCERTAIN)], Ranking(0, 0, 0, "x", 0.0, 0.0), 0)
    got = [
        [lease.item for lease in store.queue.hold(small.project.id, user, "t", [], want=1, seconds=60.0, overlap=2, now=1000.0)[0]]
        for user in people
    ]
    assert got[:2] == [[item], [item]]
    assert got[2] != [item]


def test_leases_follow_the_queue_and_carry_its_stamp(store: Store, small: Small) -> None:
    items = [item for item, _ in store.items.hashes(small.project.id, Split.POOL)][5:15]
    rows = [QueueRow(item, Reason.UNCERTAIN, 0.5, None, ((small.labels[0].id, 0.75),)) for item in items]
    store.queue.rewrite(small.project.id, rows, Ranking(0, 7, 42, "breaking_ties", 0.1, time.time()), 0)
    leases, _ = store.queue.hold(small.project.id, small.lead.id, "a", [], want=10, seconds=60.0, overlap=1, now=1000.0)
    assert [lease.item for lease in leases] == items
    assert (leases[0].model, leases[0].labels, leases[0].score, leases[0].guesses) == (7, 42, 0.5, ((small.labels[0].id, 0.75),))


def test_a_killed_import_leaves_nothing_visible_and_the_next_one_clears_it(store: Store, small: Small) -> None:
    now = time.time()
    batch = [NewItem(f"x{n}", f"half {n}", content_hash(f"half {n}"), Split.POOL, {}) for n in range(10)]
    dead = store.items.start_import(small.project.id, "dead.csv", 0, now - 100)
    store.items.stage(small.project.id, dead, batch, 0, now - 100)
    assert store.items.search(small.project.id, "half", 5) == []
    assert store.items.count(small.project.id, Split.POOL) == 100
    alive = store.items.start_import(small.project.id, "alive.csv", 0, now)
    assert store.items.stage(small.project.id, alive, batch, 0, now) == []
    assert store.items.finish_import(alive, small.lead.id, 0, 0, now).pool == 10
    assert len(store.items.search(small.project.id, "half", 50)) == 10


def test_clearing_a_dead_import_that_was_itself_killed_half_way_goes_on_at_the_next(
    store: Store, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items, "CLEARED_AT_ONCE", 4)
    now = time.time()
    batch = [NewItem(f"x{n}", f"half {n}", content_hash(f"half {n}"), Split.POOL, {}) for n in range(10)]
    dead = store.items.start_import(small.project.id, "dead.csv", 0, now)
    store.items.stage(small.project.id, dead, batch, 0, now)
    with monkeypatch.context() as killed:
        killed.setattr(store.items, "_clear_some", lambda import_id: type(store.items)._clear_some(store.items, import_id) and False)
        store.items.abandon_import(dead)
    assert store.items.import_state(dead).state == "clearing"
    with pytest.raises(Busy):
        store.items.stage(small.project.id, dead, batch, 0, now)
    alive = store.items.start_import(small.project.id, "alive.csv", 0, now)
    assert store.items.import_state(dead).state == "abandoned"
    assert store.items.stage(small.project.id, alive, batch, 0, now) == []
    store.items.finish_import(alive, small.lead.id, 0, 0, now)
    assert len(store.items.search(small.project.id, "half", 50)) == 10


def test_two_imports_at_once_are_refused(store: Store, small: Small) -> None:
    store.items.start_import(small.project.id, "one.csv", 0, time.time())
    with pytest.raises(Busy, match=r"one\.csv is being imported"):
        store.items.start_import(small.project.id, "two.csv", 0, time.time())


@pytest.mark.parametrize("words", ['"', "a OR b", "NEAR(", "text:1", "*", "number 5\0", "'; DROP TABLE items"])
def test_search_never_reads_words_as_query_syntax(store: Store, small: Small, words: str) -> None:
    assert all(words.split()[-1].strip("\0").lower() in item.text for item in store.items.search(small.project.id, words, 5))


def test_search_puts_the_best_of_the_newest_matches_first(store: Store, small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    long = "cats and dogs and very much else"
    add_items(store, small.project, ["cat", long])
    add_items(store, store.projects.add("other", True, 0.0), ["cat"])
    assert [item.text for item in store.items.search(small.project.id, "cat", 2)] == ["cat", long]
    monkeypatch.setattr(items, "MOST_COMPARED", 1)
    assert [item.text for item in store.items.search(small.project.id, "cat", 1)] == [long]


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a\0b", "\u202eright to left", "😀", "x" * 100_000, " lead\r\ntail "])
def test_hostile_text_is_kept_unchanged(store: Store, small: Small, text: str) -> None:
    add_items(store, small.project, [text])
    item = store.items.page(small.project.id, 1)[0]
    assert item.text == text


def test_a_label_in_use_cannot_be_deleted_but_renamed(store: Store, small: Small) -> None:
    ham, spam = small.labels
    store.answers.record(small.project.id, small.lead.id, [label("uid-00001", first_item(store, small), ham.id)], time.time())
    with pytest.raises(BadInput, match="is used in 1 annotations"):
        store.projects.set_labels(small.project.id, [spam])
    assert store.projects.labels(small.project.id) == small.labels


def test_a_deleted_labels_id_is_never_given_again(store: Store, small: Small) -> None:
    ham, spam = small.labels
    store.projects.set_labels(small.project.id, [ham])
    _, fresh = store.projects.set_labels(small.project.id, [ham, Label(0, "new", "New")])
    assert fresh.id > spam.id


def test_a_label_of_a_file_being_imported_cannot_be_deleted(store: Store, small: Small) -> None:
    ham, spam = small.labels
    importing = store.items.start_import(small.project.id, "a.csv", 0, time.time())
    item = NewItem("x", "x", content_hash("x"), Split.POOL, {}, (spam.id,))
    store.items.stage(small.project.id, importing, [item], 0, time.time())
    with pytest.raises(BadInput, match="being imported right now"):
        store.projects.set_labels(small.project.id, [ham])


def test_an_import_that_was_cleared_away_cannot_finish(store: Store, small: Small) -> None:
    batch = [NewItem(f"x{n}", f"half {n}", content_hash(f"half {n}"), Split.POOL, {}) for n in range(10)]
    slept = store.items.start_import(small.project.id, "slept.csv", 0, time.time() - 100)
    following = store.items.start_import(small.project.id, "next.csv", 0, time.time())
    store.items.stage(small.project.id, following, batch, 0, time.time())
    with pytest.raises(Busy, match="another one cleared it away"):
        store.items.finish_import(slept, small.lead.id, 0, 0, time.time())
    store.items.abandon_import(slept)
    assert store.items.finish_import(following, small.lead.id, 0, 0, time.time()).pool == 10


def test_an_item_that_is_still_being_imported_is_nowhere(store: Store, small: Small) -> None:
    newest = store.items.newest_id(small.project.id, Split.POOL)
    importing = store.items.start_import(small.project.id, "a.csv", 0, time.time())
    item = NewItem("x", "hidden", content_hash("hidden"), Split.POOL, {}, (small.labels[0].id,))
    store.items.stage(small.project.id, importing, [item], 0, time.time())
    (why,) = store.answers.record(small.project.id, small.lead.id, [label("uid-00001", newest + 1, small.labels[0].id)], time.time())
    assert why is not None
    assert store.items.get(small.project.id, newest + 1) is None
    assert store.items.search(small.project.id, "hidden", 5) == []
    assert store.items.newest_id(small.project.id, Split.POOL) == newest == store.items.page(small.project.id, 1)[0].id
    assert len(list(store.items.hashes(small.project.id, Split.POOL))) == store.items.count(small.project.id, Split.POOL) == 100
    assert newest + 1 not in [lease.item for tab in "abc" for lease in sync(store, small, tab, want=50).leases]
    store.items.finish_import(importing, small.lead.id, 0, 0, time.time())
    assert store.items.get(small.project.id, newest + 1) is not None


def test_a_corrected_answer_keeps_the_reason_its_item_was_asked_for(store: Store, small: Small) -> None:
    item = first_item(store, small)
    store.queue.rewrite(small.project.id, [QueueRow(item, Reason.AUDIT, None, 0.01)], Ranking(0, 3, 0, "x", 0.0, 0.0), 0)
    lease = sync(store, small, "a", want=1).leases[0]
    events = [
        label("uid-00001", item, small.labels[0].id, lease.id),
        Event("uid-00002", Kind.UNDO, item, target="uid-00001"),
        label("uid-00003", item, small.labels[1].id),
    ]
    assert sync(store, small, "b", want=0, events=events).refused == []
    (answer,) = store.answers.current(small.project.id)
    assert (answer.labels, answer.reason, answer.probability, answer.model) == ((small.labels[1].id,), Reason.AUDIT, 0.01, 3)


def test_undoing_a_skip_does_not_take_the_item_from_whoever_has_it_now(store: Store, small: Small) -> None:
    item = first_item(store, small)
    store.queue.rewrite(small.project.id, [QueueRow(item, Reason.UNCERTAIN)], Ranking(0, 0, 0, "x", 0.0, 0.0), 0)
    lease = sync(store, small, "a", want=1).leases[0]
    sync(store, small, "a", want=0, events=[Event("uid-00001", Kind.SKIP, item, lease=lease.id)])
    bob = store.accounts.add("bob", Role.ANNOTATOR, "x", 0.0)
    assert [theirs.item for theirs in sync(store, small, "b", bob.id, want=1).leases] == [item]
    sync(store, small, "a", want=0, events=[Event("uid-00002", Kind.UNDO, item, target="uid-00001")])
    holders = [held for held, _ in store.queue.held(small.project.id, time.time())]
    assert holders == [item]


def test_undoing_a_flag_leaves_todays_count_alone(store: Store, small: Small) -> None:
    item = first_item(store, small)
    events = [label("uid-00001", item, small.labels[0].id), Event("uid-00002", Kind.FLAG, item, note="odd")]
    undo = Event("uid-00003", Kind.UNDO, item, target="uid-00002")
    assert sync(store, small, "a", events=[*events, undo]).progress.mine_today == 1


def test_labels_are_counted_as_they_come_and_how_many_the_ranking_did_not_know(store: Store, small: Small) -> None:
    def rewrite(last_event: int) -> None:
        store.queue.rewrite(small.project.id, [], Ranking(0, 0, 0, "x", 0.0, 0.0), last_event)

    one, two = (item for item, _ in list(store.items.hashes(small.project.id, Split.POOL))[:2])
    assert (store.answers.labels(small.project.id), store.queue.behind(small.project.id)) == (0, 0)
    add_items(store, small.project, ["came with a label", "another"], labels=[small.labels[0].id] * 2)
    add_items(store, small.project, ["to measure with"], Split.TEST, labels=[small.labels[0].id])
    known = store.answers.newest_event(small.project.id)
    events = [
        label("uid-00001", one, small.labels[0].id),
        Event("uid-00002", Kind.FLAG, one, note="odd"),
        label("uid-00003", two, small.labels[0].id),
        Event("uid-00004", Kind.UNDO, one, target="uid-00002"),
        Event("uid-00005", Kind.UNDO, one, target="uid-00001"),
    ]
    sync(store, small, "a", want=0, events=events)
    assert store.answers.labels(small.project.id) == 3
    rewrite(known)
    assert store.queue.behind(small.project.id) == 1
    rewrite(store.answers.newest_event(small.project.id))
    assert store.queue.behind(small.project.id) == 0


def test_a_workspace_of_schema_3_has_its_labels_counted_and_a_killed_import_taken_away(home: Workspace, store: Store, small: Small) -> None:
    first, second = (item for item, _ in list(store.items.hashes(small.project.id, Split.POOL))[:2])
    sync(store, small, "a", want=0, events=[label("uid-00001", first, small.labels[0].id)])
    store.queue.rewrite(small.project.id, [], Ranking(0, 0, 0, "x", 0.0, 0.0), store.answers.newest_event(small.project.id))
    undone = [label("uid-00002", second, small.labels[0].id), Event("uid-00003", Kind.UNDO, second, target="uid-00002")]
    sync(store, small, "a", want=0, events=[*undone, label("uid-00004", second, small.labels[0].id)])
    said, given = store.answers.tally(small.project.id, Split.POOL), store.answers.per_day(small.project.id)
    for statement in (
        *(f"DROP {what}" for what in ("TRIGGER annotations_tally", "VIEW tally_steps", "VIEW day_steps", "VIEW standing")),
        *(f"DROP TABLE {name}" for name in ("tallies", "days")),
        "DROP TRIGGER annotations_count",
        "DROP TABLE label_counts",
        "ALTER TABLE rankings DROP COLUMN counted",
        *(f"DROP INDEX {name}" for name in ("imports_by_project", "jobs_by_project", "annotations_flags")),
        "CREATE TRIGGER items_fts_insert AFTER INSERT ON items BEGIN INSERT INTO items_fts(rowid, text) VALUES (new.id, new.text); END",
        "CREATE TRIGGER items_fts_delete AFTER DELETE ON items BEGIN SELECT 1; END",
        "ALTER TABLE projects DROP COLUMN imported_to",
        "ALTER TABLE leases DROP COLUMN selector",
        "ALTER TABLE projects DROP COLUMN put_away_at",
        "DROP TABLE released",
        "DROP TABLE reports",
        "CREATE INDEX items_importing ON items(import_id) WHERE split = 'importing'",
        "INSERT INTO imports VALUES (99, 1, 'killed.csv', 'running', 0, 0, 0, 0, 0, 0, 0, 0)",
        "INSERT INTO items VALUES (999, 1, 'x', 'findable half', x'00', '{}', 'importing', 99)",
        "DELETE FROM _sqlite_migrations WHERE name LIKE 'm004%' OR name > 'm005'",
        "PRAGMA user_version = 3",
    ):
        store._database.execute(statement)
    with Store(home.database) as again:
        assert (again.answers.labels(small.project.id), again.queue.behind(small.project.id)) == (2, 1)
        assert (again.answers.tally(small.project.id, Split.POOL), again.answers.per_day(small.project.id)) == (said, given)
        assert again.items.import_state(99).state == "abandoned"
        add_items(again, small.project, ["findable"])
        assert [item.text for item in again.items.search(small.project.id, "findable", 5)] == ["findable"]


def counted(store: Store, small: Small) -> tuple[dict[Split, Counter[tuple[object, ...]]], Counter[tuple[str, str]]]:
    """Count the answers one by one, as ``tally`` and ``per_day`` do by a trigger."""
    said: dict[Split, Counter[tuple[object, ...]]] = {split: Counter() for split in Split}
    days: Counter[tuple[str, str]] = Counter()
    for one in store.answers.current(small.project.id):
        said[one.split].update((one.kind, one.relation, named, one.reason) for named in (None, *set(one.labels)))
        if one.kind is Kind.LABEL and one.reason is not Reason.IMPORTED:
            days[time.strftime("%Y-%m-%d", time.gmtime(one.at)), one.user] += 1
    return said, days


@pytest.mark.parametrize("seed", range(3))
def test_the_tallies_say_what_the_standing_answers_say_whatever_people_do(store: Store, small: Small, seed: int) -> None:
    rng, bob = random.Random(seed), store.accounts.add("bob", Role.ANNOTATOR, "x", 0.0)
    many = store.projects.add("many", False, 0.0)
    small = replace(small, project=many, labels=store.projects.set_labels(many.id, [Label(0, f"l{n}", f"L{n}") for n in range(3)]))
    add_items(store, many, [f"text {n}" for n in range(4)])
    add_items(store, many, ["one that came with a label"], labels=[small.labels[0].id])
    add_items(store, many, ["test"], Split.TEST, labels=[small.labels[1].id])
    items, ids = [item.id for item in store.items.page(many.id, 10)], [one.id for one in small.labels]
    said: dict[tuple[int, int], list[str]] = defaultdict(list)
    with store.unit():  # one wait for the disk
        for step in range(100):
            person, item, uid = rng.choice([small.lead, bob]).id, rng.choice(items), f"uid-{step:05d}"
            kind = rng.choice([Kind.LABEL, Kind.LABEL, Kind.SKIP, Kind.FLAG, Kind.UNDO])
            labels = tuple(rng.sample(ids, rng.randint(1, 3))) if kind is Kind.LABEL else ()
            target = rng.choice(said[person, item] or [None]) if kind is Kind.UNDO else None
            relation = rng.choice(list(Relation)) if kind is Kind.LABEL else Relation.IS
            held, _ = store.queue.hold(many.id, person, "t", [], want=2, seconds=60.0, overlap=2, now=float(step))
            lease = next((one.id for one in held if one.item == item), None)
            event = Event(uid, kind, item, labels, relation, lease, target)
            if store.answers.record(many.id, person, [event], step * 20_000.0) == [None] and kind is not Kind.UNDO:
                said[person, item].append(uid)
            answers, days = counted(store, small)
            for split in Split:
                tally = store.answers.tally(many.id, split)
                assert {(one.kind, one.relation, one.label, one.reason): one.count for one in tally} == answers[split]
            assert {(day, user): n for day, user, n in store.answers.per_day(many.id)} == days
    assert days


def test_a_long_curve_is_thinned_but_for_its_newest_point_and_the_last_of_each_model(store: Store, small: Small) -> None:
    def point(labels: int, metric: str = "accuracy", model: int = 0) -> Estimate:
        return Estimate(labels, "audit", metric, 0.9, 0.8, 0.95, 40, model, float(labels))

    store.runs.note(small.project.id, [point(1, "macro_f1"), *(point(labels) for labels in range(1, 20_001))])
    curve = [one for one in store.runs.estimates(small.project.id) if one.metric == "accuracy"]
    assert 500 < len(curve) < 1_000
    assert {one.labels for one in curve} >= {*range(1, 100), 20_000}
    assert max(later.labels / one.labels for one, later in pairwise(curve[100:])) < 1.03
    for model, labels in ((0, 20_001), (1, 20_002), (1, 20_003), (2, 20_004), (2, 20_003)):
        store.runs.note(small.project.id, [point(labels, model=model)])
        assert store.runs.estimates(small.project.id)[-1] == point(labels, model=model)
    assert store.runs.estimates(small.project.id)[-3:] == [point(20_001), point(20_003, model=1), point(20_003, model=2)]
    assert point(1, "macro_f1") in store.runs.estimates(small.project.id)


def test_a_queue_that_is_used_up_forgets_what_is_labelled_and_keeps_what_is_only_held(store: Store, small: Small) -> None:
    one, two = (item for item, _ in list(store.items.hashes(small.project.id, Split.POOL))[:2])
    rows = [QueueRow(item, Reason.UNCERTAIN) for item in (one, two)]
    store.queue.rewrite(small.project.id, rows, Ranking(0, 0, 0, "x", 0.0, 0.0), 0)
    sync(store, small, "a", want=2)
    sync(store, small, "a", want=0, events=[label("uid-00001", one, small.labels[0].id)])
    sync(store, small, "b", want=1)
    assert [row.item for row in store.queue.top(small.project.id, 10)] == [two]


def test_the_last_free_item_of_a_pool_is_found_without_a_ranking(store: Store, small: Small) -> None:
    taken = sync(store, small, "a", want=50).leases + sync(store, small, "b", want=49).leases
    assert len(taken) == 99
    (last,) = sync(store, small, "c", want=5).leases
    assert last.item not in [lease.item for lease in taken]
    assert sync(store, small, "d", want=5).leases == []


def test_a_part_of_a_unit_of_work_fails_alone_and_the_whole_takes_its_parts_along(store: Store, small: Small) -> None:
    first, second = (item for item, _ in list(store.items.hashes(small.project.id, Split.POOL))[:2])

    def record(uid: str, item: int, fails: bool = False) -> None:
        with store.unit():
            store.answers.record(small.project.id, small.lead.id, [label(uid, item, small.labels[0].id)], time.time())
            if fails:
                raise BadInput("no")

    with store.unit():
        record("uid-00001", first)
        with pytest.raises(BadInput):
            record("uid-00002", second, fails=True)
    with pytest.raises(BadInput):
        record("uid-00003", second, fails=True)
    assert [item for item, _ in standing(store, small)] == [first]


def test_only_one_worker_is_active_and_a_silent_one_is_replaced(store: Store) -> None:
    assert store.jobs.hold_worker("a", 1, 100.0, 5.0)
    assert not store.jobs.hold_worker("b", 2, 104.0, 5.0)
    assert store.jobs.hold_worker("a", 1, 104.0, 5.0)
    assert store.jobs.hold_worker("b", 2, 110.0, 5.0)
    assert not store.jobs.hold_worker("a", 1, 111.0, 5.0)


def test_projects_take_turns_so_that_a_large_one_does_not_stop_the_others(store: Store, small: Small) -> None:
    other = projects.create_project(store, "other", small.lead)
    for kind in ("encode", "twins", "run"):
        store.jobs.ask(small.project.id, kind, 0.0)
    store.jobs.ask(other.id, "encode", 1.0)
    first, second = (store.jobs.take(at, LANES[0]) for at in (2.0, 3.0))
    assert first is not None
    assert second is not None
    assert [(job.project, job.kind) for job in (first, second)] == [(small.project.id, "encode"), (other.id, "encode")]
    assert store.jobs.ahead(small.project.id) == {"encode": "encode", "twins": "encode", "run": "encode"}


def test_what_takes_seconds_does_not_wait_for_what_takes_minutes(store: Store, small: Small) -> None:
    for kind in ("run", "report"):
        store.jobs.ask(small.project.id, kind, 0.0)
    taken = [store.jobs.take(float(at), lane) for at, lane in enumerate([*LANES, LANES[0]])]
    assert [job and job.kind for job in taken] == ["run", "report", None]
    other = projects.create_project(store, "other", small.lead)
    assert store.jobs.ahead(other.id) == {"encode": "run", "twins": "run", "run": "run", "report": "report"}
    assert store.jobs.ahead(small.project.id) == {}


def test_a_failure_is_shown_until_its_kind_was_done_again(store: Store, small: Small) -> None:
    def do(kind: str, at: float, state: JobState) -> None:
        store.jobs.ask(small.project.id, kind, at)
        job = store.jobs.take(at, [kind])
        assert job is not None
        if kind == "run":  # meanwhile many reports are made
            for place in range(25):
                do("report", at + place, JobState.DONE)
        store.jobs.finish(job.id, state, at + 30)

    def shown() -> list[str]:
        return [job.kind for job in status.lead_facts(store, small.project).failures]

    do("run", 100.0, JobState.FAILED)
    assert shown() == ["run"]
    store.jobs.fail(small.project.id, "rank", "no vectors", 200.0)
    assert shown() == ["rank", "run"]
    do("run", 300.0, JobState.DONE)
    assert shown() == []


def test_a_project_that_was_put_away_is_out_of_sight_at_rest_and_comes_back_as_it_was(store: Store, small: Small) -> None:
    (lease,), before = (
        store.queue.hold(small.project.id, small.lead.id, "t", [], want=1, seconds=60.0, overlap=1, now=1.0)[0],
        small.project,
    )
    event = Event("uid-away", Kind.LABEL, lease.item, (small.labels[0].id,), lease=lease.id)
    store.jobs.ask(small.project.id, "encode", 0.0)
    away = projects.put_away(store, small.project)
    assert (away.put_away, store.projects.find("small")) == (True, away)
    assert store.projects.of_member(small.lead.id) == []
    assert store.projects.of_member(small.lead.id, put_away=True) == [(away, Role.LEAD)]
    assert store.jobs.take(2.0, LANES[0]) is None
    with pytest.raises(NotAllowed, match="small was put away by a lead"):
        accounts.require(store, small.lead, small.project.id)
    with pytest.raises(BadInput, match="'Small', which was put away"):
        projects.create_project(store, "Small", small.lead)
    assert projects.bring_back(store, away) == before
    assert accounts.require(store, small.lead, small.project.id) == before
    assert labelling.sync(store, before, small.lead, "t", events=[event], hold=[], want=0).saved == ["uid-away"]
    assert store.jobs.take(3.0, LANES[0]) is not None


@pytest.mark.parametrize(
    ("name", "why"), [("Other", "already a project"), (" ", "1 to 120"), ("a\nb", "on one line"), ("x" * 121, "1 to 120")]
)
def test_a_name_that_cannot_be_is_refused_and_the_old_one_stays(store: Store, small: Small, name: str, why: str) -> None:
    projects.create_project(store, "other", small.lead)
    with pytest.raises(BadInput, match=why):
        projects.rename(store, small.project, name)
    assert store.projects.get(small.project.id).name == "small"
    assert projects.rename(store, small.project, " SMALL ").name == "SMALL"


def test_one_open_job_of_a_kind(store: Store, small: Small) -> None:
    assert store.jobs.ask(small.project.id, "encode", 0.0)
    assert not store.jobs.ask(small.project.id, "encode", 0.0)
    assert store.jobs.take(1.0, LANES[0]) is not None
    assert store.jobs.take(1.0, LANES[0]) is None
    assert not store.jobs.ask(small.project.id, "encode", 0.0)


def test_a_workspace_of_a_newer_version_is_refused_and_not_changed(home: Workspace, store: Store) -> None:
    store.close()
    with sqlite3.connect(home.database) as raw:
        raw.execute("PRAGMA user_version = 99")
    before = home.database.read_bytes()
    with pytest.raises(WorkspaceError, match="newer Annot"):
        Store(home.database)
    assert home.database.read_bytes() == before


def test_a_file_that_is_no_database_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "annot.db").write_text("this is not a database, " * 50)
    with pytest.raises(WorkspaceError, match="is not an Annot database"):
        Store(tmp_path / "annot.db")


def test_a_full_disk_is_said_in_words_and_loses_nothing_saved(home: Workspace, store: Store, small: Small) -> None:
    item = first_item(store, small)
    store.answers.record(small.project.id, small.lead.id, [label("uid-00001", item, small.labels[0].id)], time.time())
    connection = store._database._connection
    connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(WorkspaceError, match=r"disk .* is full"):
        add_items(store, small.project, ["y" * 900_000])
    assert standing(store, small) == [(item, (small.labels[0].id,))]


def test_a_read_only_workspace_is_said_in_words(store: Store, small: Small) -> None:
    store._database.execute("PRAGMA query_only = ON")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        sync(store, small, "a")


def test_a_file_in_the_place_of_the_workspace_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="is not a folder"):
        Store(tmp_path / "file" / "annot.db")


def test_migrations_have_unique_names_in_order_and_an_old_workspace_gets_the_newest() -> None:
    names = [migration.name for migration in migrations._migrations]
    assert len(names) == SCHEMA_VERSION
    assert names == sorted(set(names))


def test_changes_of_strategy_are_found_among_the_rankings(store: Store, small: Small) -> None:
    for labels, selector, pseudo in ((0, "a", 0), (1, "a", 0), (2, "b", 0), (3, "b", 5), (4, "b", 9), (5, "b", 0)):
        store.queue.rewrite(small.project.id, [], Ranking(0, 0, labels, selector, 0.0, 0.0, pseudo), 0)
    assert store.queue.strategies(small.project.id) == [(0, "a", False), (2, "b", False), (3, "b", True), (5, "b", False)]
