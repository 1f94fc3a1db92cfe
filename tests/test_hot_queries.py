"""What runs at every label, claim or page view uses an index and costs the same at any size of the pool.

The statements are those the store really runs, caught while its verbs are used; none is written down here.
"""

import re
import time
from collections.abc import Callable, Iterator

import pytest

from annot.loop import labelling, projects, status
from annot.records import Estimate, Event, Kind, Label, QueueRow, Ranking, Reason, Role, Split
from annot.store import Store
from annot.store.items import NewItem

from .conftest import Small, add_items

Verb = Callable[[Store, Small], object]
# Tables with a row for each account, project or worker, and the few matches that a search compares.
MAY_BE_SCANNED = {"compared", "worker", "users", "u", "p", "projects"}


def first(store: Store, small: Small) -> int:
    return next(store.items.hashes(small.project.id, Split.POOL))[0]


def label(store: Store, small: Small) -> object:
    lease = labelling.sync(store, small.project, small.lead, "t", events=[], hold=[], want=3).leases[0]
    uid = f"uid-{time.time_ns()}"
    events = [
        Event(uid, Kind.LABEL, lease.item, (small.labels[0].id,), lease=lease.id),
        Event(uid + "u", Kind.UNDO, lease.item, target=uid),
    ]
    synced = labelling.sync(store, small.project, small.lead, "t", events=events, hold=[], want=3)
    assert len(synced.saved) == 2
    return synced


def claim_unranked(store: Store, small: Small) -> object:
    store._database.execute("DELETE FROM queue WHERE project_id = ?", (small.project.id,))
    leases, _ = store.queue.hold(small.project.id, small.lead.id, "u", [], want=5, seconds=60.0, overlap=1, now=time.time())
    assert leases
    return leases


def rewrite(store: Store, small: Small) -> None:
    rows = [QueueRow(item, Reason.UNCERTAIN) for item in range(1, 21)]
    store.queue.rewrite(small.project.id, rows, Ranking(0, 0, 0, "x", 0.0, 0.0), store.answers.newest_event(small.project.id))


HOT: dict[str, Verb] = {
    "label and undo": label,
    "claim without a ranking": claim_unranked,
    "rewrite the queue": rewrite,
    "the queue's top": lambda store, small: store.queue.top(small.project.id, 10),
    "open leases": lambda store, small: store.queue.held(small.project.id, time.time()),
    "ranking": lambda store, small: (store.queue.ranking(small.project.id), store.queue.behind(small.project.id)),
    "answers after an event": lambda store, small: list(
        store.answers.current(small.project.id, after=store.answers.newest_event(small.project.id) - 1)
    ),
    "newest event": lambda store, small: store.answers.newest_event(small.project.id),
    "answers of an item": lambda store, small: store.answers.of_item(small.project.id, first(store, small)),
    "my answers": lambda store, small: store.answers.mine(small.project.id, small.lead.id, 20),
    "answers today": lambda store, small: store.answers.count_by(small.project.id, small.lead.id, time.time() - 3600),
    "labels": lambda store, small: store.answers.labels(small.project.id),
    "flags": lambda store, small: store.answers.flags(small.project.id, 20),
    "size of the pool": lambda store, small: store.items.count(small.project.id, Split.POOL),
    "items after one": lambda store, small: list(
        store.items.hashes(small.project.id, Split.POOL, store.items.newest_id(small.project.id, Split.POOL) - 1)
    ),
    "newest item": lambda store, small: store.items.newest_id(small.project.id, Split.POOL),
    "one item": lambda store, small: store.items.get(small.project.id, first(store, small)),
    "texts": lambda store, small: store.items.texts([first(store, small)]),
    "a page of items": lambda store, small: store.items.page(small.project.id, 50),
    "the next page of items": lambda store, small: store.items.page(small.project.id, 50, before=100),
    "search": lambda store, small: store.items.search(small.project.id, "rare", 5),
    "what stands": lambda store, small: (
        [store.answers.tally(small.project.id, split) for split in Split],
        store.answers.per_day(small.project.id),
    ),
    "an estimate": lambda store, small: store.runs.note(
        small.project.id, [Estimate(1, "audit", "accuracy", 0.9, 0.8, 0.95, 40, 0, time.time())]
    ),
    "what the lead sees": lambda store, small: status.lead_facts(store, small.project),
    "who is asking": lambda store, small: (store.accounts.session_user(b"x", 0.0), store.projects.role(small.project.id, small.lead.id)),
}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Small]]:
    """A project among others: with answers, twins, a ranking, and newer items of another project."""
    with Store(tmp_path_factory.mktemp("busy") / "annot.db") as store:
        lead = store.accounts.add("ada", Role.LEAD, "x", 0.0)
        project = projects.create_project(store, "small", lead)
        small = Small(project, lead, "", projects.set_label_set(store, project, [Label(0, "ham", "Ham"), Label(0, "spam", "Spam")]))
        add_items(store, project, ["a rare word", *(f"text number {n}" for n in range(100))])
        rewrite(store, small)
        store.twins.replace(project.id, [(1, 1), (2, 1)], "x")
        for _ in range(3):
            label(store, small)
        add_items(store, store.projects.add("other", True, 0.0), [f"other text {n}" for n in range(300)])
        yield store, small


@pytest.mark.parametrize("what", HOT)
def test_a_hot_query_uses_an_index(busy: tuple[Store, Small], what: str) -> None:
    connection = busy[0]._database._connection
    ran: list[str] = []
    connection.set_trace_callback(ran.append)
    HOT[what](*busy)
    connection.set_trace_callback(None)
    # Plain inserts are left out: their plans list checks of foreign keys that run only while one is violated.
    queries = {sql for sql in ran if re.match(r"\s*(SELECT|UPDATE|DELETE)\b|\s*INSERT\b.*\bSELECT\b", sql, re.DOTALL)}
    assert queries
    for sql in queries:
        plan = [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
        scanned = {found[1] for step in plan if (found := re.match(r"SCAN (\w+)\b(?!.* VIRTUAL TABLE INDEX| ROW)", step))}
        assert scanned <= MAY_BE_SCANNED, f"{sql}\n{plan}"


@pytest.fixture(scope="module")
def work(busy: tuple[Store, Small]) -> dict[str, tuple[int, int]]:
    """What each costs in steps of SQLite's machine, before and after the pool has grown by 2,000 items, half of them with labels.

    Another person has answered 500 of the others by then, and 2,000 more are on their way in.
    """
    store, small = busy

    def steps(verb: Verb) -> int:
        ran = [0]
        store._database._connection.set_progress_handler(lambda: ran.__setitem__(0, ran[0] + 10), 10)
        verb(store, small)
        store._database._connection.set_progress_handler(None, 10)
        return ran[0]

    few = {what: steps(verb) for what, verb in HOT.items()}
    add_items(store, small.project, [f"more text number {n}" for n in range(1000)])
    add_items(store, small.project, [f"labelled text number {n}" for n in range(1000)], labels=[small.labels[0].id] * 1000)
    more = [item.id for item in store.items.page(small.project.id, 500, before=store.items.newest_id(small.project.id, Split.POOL) - 999)]
    answers = [Event(f"more-{item}", Kind.LABEL, item, (small.labels[1].id,)) for item in more]
    assert store.answers.record(small.project.id, store.accounts.add("bob", Role.ANNOTATOR, "x", 0.0).id, answers, 1.0) == [None] * 500
    coming = [NewItem(f"coming {n}", f"coming text number {n}", b"", Split.POOL, {}) for n in range(2000)]
    store.items.stage(small.project.id, store.items.start_import(small.project.id, "x", 0, 0.0), coming, 0, 0.0)
    return {what: (few[what], steps(verb)) for what, verb in HOT.items()}


@pytest.mark.parametrize("what", HOT)
def test_the_work_of_a_hot_query_does_not_grow_with_the_pool_or_the_labels(work: dict[str, tuple[int, int]], what: str) -> None:
    few, many = work[what]
    assert many < 1.5 * few + 400
