"""Group commit on the real SQLite with real threads: together where it can be, alone where one fails, durable before it is answered."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from annot.errors import BadInput, WorkspaceError
from annot.records import Event, Kind, Split
from annot.settings import ROOT, Workspace
from annot.store import Store
from annot.store.commits import Commits, commits_of

from .conftest import Small, add_items


@pytest.fixture
def commits(home: Workspace, small: Small) -> Iterator[Commits]:
    running = Commits(home.database)
    yield running
    running.close()


def answer(small: Small, uid: str, item: int) -> Callable[[Store], list[str | None]]:
    event = Event(uid, Kind.LABEL, item, (small.labels[0].id,))
    return lambda store: store.answers.record(small.project.id, small.lead.id, [event], time.time())


def uids(home: Workspace, small: Small) -> list[str]:
    with Store(home.database) as store:
        return [one.uid for one in store.answers.current(small.project.id)]


def transactions(commits: Commits) -> list[str]:
    """Have the writer note each transaction it begins, from now on."""
    begun: list[str] = []

    def watch(store: Store) -> None:
        store._database._connection.set_trace_callback(lambda sql: begun.append(sql) if sql.startswith("BEGIN") else None)

    commits.submit(watch).result()
    return begun


def test_a_workspace_that_was_replaced_is_written_where_it_is_now(commits: Commits, home: Workspace, small: Small) -> None:
    with Store(home.database) as store:
        first, second = (item for item, _ in list(store.items.hashes(small.project.id, Split.POOL))[:2])
    commits.submit(answer(small, "uid-before", first)).result()
    copy = home.home / "copy.db"
    with sqlite3.connect(home.database) as old, sqlite3.connect(copy) as new:
        old.backup(new)
    old.close()
    new.close()
    for path in home.home.glob("annot.db*"):
        path.unlink()
    copy.rename(home.database)
    commits.submit(answer(small, "uid-after", second)).result()
    assert uids(home, small) == ["uid-before", "uid-after"]


def hold_up(commits: Commits) -> threading.Event:
    """Keep the writer busy until the event is set, so that what is submitted meanwhile becomes one group."""
    going, let_go = threading.Event(), threading.Event()

    def wait(store: Store) -> None:
        going.set()
        let_go.wait(10)

    commits.submit(wait)
    going.wait(10)
    return let_go


def test_what_waits_together_is_committed_in_one_transaction(commits: Commits, home: Workspace, store: Store, small: Small) -> None:
    items = [item for item, _ in store.items.hashes(small.project.id, Split.POOL)][:25]
    begun = transactions(commits)
    let_go = hold_up(commits)
    waiting = [commits.submit(answer(small, f"uid-{item:05d}", item)) for item in items]
    let_go.set()
    assert [one.result(10) for one in waiting] == [[None]] * 25
    assert len(begun) == 2  # the one that was held up, and the group
    assert len(uids(home, small)) == 25


def test_many_threads_write_and_each_is_answered_when_its_label_can_be_read(commits: Commits, home: Workspace, small: Small) -> None:
    def client(number: int) -> None:
        with Store(home.database) as own:
            for turn in range(4):
                uid = f"uid-{number:02d}-{turn:02d}"
                assert commits.submit(answer(small, uid, 1 + number * 4 + turn)).result(10) == [None]
                assert uid in [one.uid for one in own.answers.current(small.project.id)]

    with ThreadPoolExecutor(25) as pool:
        list(pool.map(client, range(25)))
    assert len(uids(home, small)) == 100


def test_a_unit_that_fails_takes_nothing_of_the_others_down(commits: Commits, home: Workspace, small: Small) -> None:
    def broken(store: Store) -> None:
        answer(small, "uid-broken", 2)(store)
        raise BadInput("no")

    let_go = hold_up(commits)
    first, second, third = (commits.submit(work) for work in (answer(small, "uid-00001", 1), broken, answer(small, "uid-00003", 3)))
    let_go.set()
    assert first.result(10) == third.result(10) == [None]
    with pytest.raises(BadInput, match="no"):
        second.result(10)
    assert uids(home, small) == ["uid-00001", "uid-00003"]


def test_where_the_group_is_rolled_back_as_a_whole_each_unit_is_done_alone(commits: Commits, home: Workspace, small: Small) -> None:
    def fill_the_disk(store: Store) -> None:
        connection = store._database._connection
        connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0] + 20}")
        try:
            add_items(store, small.project, ["y" * 900_000])
        finally:
            connection.execute("PRAGMA max_page_count = 1000000")

    let_go = hold_up(commits)
    first, second, third = (commits.submit(work) for work in (answer(small, "uid-00001", 1), fill_the_disk, answer(small, "uid-00003", 3)))
    let_go.set()
    assert first.result(10) == third.result(10) == [None]
    with pytest.raises(WorkspaceError, match="is full"):
        second.result(10)
    assert uids(home, small) == ["uid-00001", "uid-00003"]


def test_a_client_that_gave_up_leaves_the_others_waiting_for_nothing(commits: Commits, home: Workspace, small: Small) -> None:
    let_go = hold_up(commits)
    gone, there = commits.submit(answer(small, "uid-00001", 1)), commits.submit(answer(small, "uid-00002", 2))
    assert gone.cancel()
    let_go.set()
    assert there.result(10) == [None]
    assert uids(home, small) == ["uid-00002"]


def test_a_workspace_that_cannot_be_opened_is_said_and_tried_again(home: Workspace) -> None:
    home.database.parent.mkdir()
    home.database.write_text("this is not a database, " * 50)
    commits = Commits(home.database)
    with pytest.raises(WorkspaceError, match="is not an Annot database"):
        commits.submit(lambda store: store.jobs.running()).result(10)
    home.database.unlink()
    assert commits.submit(lambda store: store.jobs.running()).result(10) == []
    commits.close()


def test_a_process_has_one_writer_a_workspace(home: Workspace, small: Small) -> None:
    assert commits_of(home.database) is commits_of(home.database)


KILLED = """
import os, sys, threading
from pathlib import Path
from annot.records import Event, Kind
from annot.store.commits import Commits
commits = Commits(Path(sys.argv[1]))
def client(number):
    for turn in range(100_000):
        uid = f"uid-{number}-{turn}"
        event = Event(uid, Kind.LABEL, 1 + turn % 100, (1,))
        if commits.submit(lambda store: store.answers.record(1, 1, [event], 1.0)).result() == [None]:
            os.write(1, f"{uid}\\n".encode())  # print() writes the line and its end apart
for number in range(8):
    threading.Thread(target=client, args=(number,), daemon=True).start()
threading.Event().wait()
"""


def test_every_label_acknowledged_before_a_kill_is_there_after(home: Workspace, store: Store, small: Small) -> None:
    command = [sys.executable, "-c", KILLED, str(home.database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout
        acknowledged = [process.stdout.readline().strip() for _ in range(100)]
        process.kill()
        acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    with sqlite3.connect(home.database) as raw:
        stored = {uid for (uid,) in raw.execute("SELECT uid FROM annotations")}
    raw.close()
    assert set(acknowledged) <= stored
    assert store.answers.newest_event(small.project.id) == len(stored)
