"""Runs and self-training on the bundled sample with the real encoder, and the worker that is killed in between."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from annot import selftraining
from annot.loop import encoding, grouping, labelling, projects, rounds, status, training
from annot.loop.ranking import Ranker
from annot.loop.report import making
from annot.records import Event, Job, JobState, Kind, Label, Project, RunState, Split, User
from annot.settings import Workspace
from annot.store import Store
from annot.worker import LOW_PRIORITY, Child, Worker
from tests.conftest import add_items
from tests.loop.sample import first_class, label_some

# Each test copies a workspace whose 849 texts were encoded, which takes some seconds.
pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent.parent


def wait_for(what: str, ready: object, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not ready():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)


def start_worker(home: Workspace) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "annot", "worker"], cwd=ROOT, env={**os.environ, "ANNOT_HOME": str(home.home)})


def test_a_run_is_judged_on_labels_nobody_learned_from_and_published_by_one_flip(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str]
) -> None:
    project = projects.change_settings(store, project, {"run_steps": 6, "self_training": "none"})
    ranker = Ranker(home, project.id)
    ranker.refresh(store)
    label_some(store, project, lead, gold, 40)
    ranker.refresh(store)
    told: list[str] = []
    run = training.perform_run(home, store, project, lambda done, total, message: told.append(message))
    assert run.state in (RunState.PUBLISHED, RunState.REJECTED)
    gate = run.card["gate"]
    assert gate["present"]["n"] == gate["candidate"]["n"] == 40
    assert gate["passed"] == (run.state is RunState.PUBLISHED)
    card = json.loads((encoding.run_folder(home, run.id) / "card.json").read_text())
    assert card["training_labels"] == 36
    assert not list(home.runs.glob("*.gate"))
    if run.state is RunState.PUBLISHED:
        ranking = ranker.refresh(store)
        assert ranking is not None
        assert (ranking.model, ranker.missing) == (1, 0)


def test_a_run_that_is_not_better_is_kept_but_not_served(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = projects.change_settings(store, project, {"run_steps": 1, "self_training": "none"})
    Ranker(home, project.id).refresh(store)
    label_some(store, project, lead, gold, 20)
    monkeypatch.setattr(training.Gate, "passed", property(lambda gate: False))
    run = training.perform_run(home, store, project, lambda done, total, message: None)
    assert run.state is RunState.REJECTED
    assert store.projects.get(project.id).published_run is None
    assert store.runs.of_project(project.id)[0].card["gate"]["present"]["n"] == 20
    assert [path.name for path in encoding.run_folder(home, run.id).iterdir()] == ["card.json"]


def test_a_run_checks_self_training_and_learns_from_pseudo_labels_only_if_it_helps(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(selftraining.methods._entries, "first_class", first_class)
    for pool in ("POOL", "CHECK_POOL"):  # a round encodes it several times, and what it is made of does not matter here
        monkeypatch.setattr(rounds, pool, 32)
    project = projects.change_settings(store, project, {"run_steps": 4, "self_training": "first_class"})
    Ranker(home, project.id).refresh(store)
    label_some(store, project, lead, gold, 40)
    run = training.perform_run(home, store, project, lambda done, total, message: None)
    check = store.runs.newest_check(project.id, run=True)
    assert check is not None
    assert (check.run, check.method, check.labels, check.n, check.pseudo) == (True, "first_class", 40, 36, 5)
    assert run.card["self_training"] == {"method": "first_class" if check.helps else "none", "pseudo_labels": 5 if check.helps else 0}
    store.runs.note_check(project.id, replace(check, run=False, gain=-0.1))  # of heads on the plain encoder: not about runs
    store.runs.note_check(project.id, replace(check, gain=0.1))  # found to help a moment ago, so the next run does not ask again
    told: list[str] = []
    run = training.perform_run(home, store, store.projects.get(project.id), lambda done, total, message: told.append(message))
    assert run.card["self_training"] == {"method": "first_class", "pseudo_labels": 5}
    assert "Fine-tuning with pseudo-labels" in told
    assert "Checking self-training" not in told
    assert not list(home.runs.glob("*.gate"))


def test_a_killed_worker_and_a_killed_run_lose_nothing_and_publish_nothing_half(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str]
) -> None:
    project = projects.change_settings(store, project, {"run_steps": 400, "self_training": "none"})
    label_some(store, project, lead, gold, 30)
    first = start_worker(home)
    wait_for("the run to train", lambda: any(job.kind == "run" and job.done > 0 for job in store.jobs.running()))
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert store.projects.get(project.id).published_run is None
    projects.change_settings(store, project, {"run_steps": 2})
    second = start_worker(home)
    try:
        wait_for("the run to be done again", lambda: not store.jobs.open(project.id) and len(store.runs.of_project(project.id)) == 2)
    finally:
        second.terminate()
        assert second.wait(30) == 0
    first_run, again = store.runs.of_project(project.id)
    assert first_run.state is RunState.FAILED
    assert again.state in (RunState.PUBLISHED, RunState.REJECTED), again.error
    assert sum(answer.kind is Kind.LABEL for answer in store.answers.current(project.id, Split.POOL)) == 30
    assert not list(home.runs.glob("*.unfinished"))


def test_a_job_of_a_project_that_is_put_away_is_stopped_and_waits(
    home: Workspace, store: Store, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, process = Worker(home), subprocess.Popen(["sleep", "60"])
    monkeypatch.setattr(Worker, "_spawn", lambda self, job: Child(job, process, home.home / "job.log"))
    store.jobs.ask(project.id, "encode", 0.0)
    worker.step(store)
    assert (process.poll(), len(store.jobs.running())) == (None, 1)
    ranked = store.queue.ranking(project.id)
    away = projects.put_away(store, project)
    worker.step(store)
    assert process.poll() is not None
    assert {job.kind: job.state for job in store.jobs.open(project.id)}["encode"] is JobState.QUEUED
    store.projects.change(project.id, settings={"seed": 7})
    worker.step(store)
    assert store.queue.ranking(project.id) == ranked
    projects.bring_back(store, away)
    worker.step(store)
    assert store.queue.ranking(project.id) != ranked


def test_a_second_worker_waits_and_takes_over(home: Workspace, store: Store) -> None:
    first, second = start_worker(home), start_worker(home)
    try:
        wait_for("one to be active", lambda: store.jobs.worker_heartbeat())
        time.sleep(1.0)
        beat = store.jobs.worker_heartbeat()
        assert beat is not None
        active, waiting = (first, second) if beat[0] == first.pid else (second, first)
        assert beat[0] == active.pid
        active.send_signal(signal.SIGKILL)
        active.wait()
        wait_for("the other to take over", lambda: (store.jobs.worker_heartbeat() or (0,))[0] == waiting.pid, 20)
    finally:
        for process in (first, second):
            process.kill()
            process.wait()


def test_pseudo_labels_teach_the_head_while_they_are_found_to_help_and_are_nobodys_answer(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(selftraining.methods._entries, "first_class", first_class)

    def guessed_first() -> float:
        rows = [row for row in store.queue.top(project.id, 600) if row.guesses]
        return sum(row.guesses[0][0] == first for row in rows) / len(rows)

    first = store.projects.labels(project.id)[0].id
    ranker = Ranker(home, project.id)
    ranker.refresh(store)
    label_some(store, project, lead, gold, 30)
    ranker.refresh(store)
    without = guessed_first()
    projects.change_settings(store, project, {"self_training": "first_class"})
    ranker.refresh(store)  # not checked yet, so not used; and then found to harm
    found = store.runs.newest_check(project.id, run=False)
    assert found is not None
    assert (found.method, found.pseudo, found.labels, found.model, found.helps) == ("first_class", 5, 30, 0, False)
    assert found.gain <= 0
    ranker = Ranker(home, project.id)
    ranker.refresh(store)
    assert guessed_first() == without
    store.runs.note_check(project.id, replace(found, gain=0.1))
    ranker = Ranker(home, project.id)
    ranker.refresh(store)
    assert guessed_first() > 1.1 * without
    stamp = store.queue.ranking(project.id)
    assert stamp is not None
    assert stamp[0].pseudo == 5
    assert sum(answer.kind is Kind.LABEL for answer in store.answers.current(project.id, Split.POOL)) == 30


def test_self_training_is_checked_again_after_ten_labels(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str]
) -> None:
    projects.change_settings(store, project, {"self_training": "hast", "audit_share": 0.2})
    ranker = Ranker(home, project.id)
    ranker.refresh(store)
    checked = []
    for _ in range(8):
        label_some(store, project, lead, gold, 5)
        ranker.refresh(store)
        check = store.runs.newest_check(project.id, run=False)
        checked.append(check.labels if check else 0)
    assert checked == [5, 5, 15, 15, 25, 25, 35, 35]
    assert check is not None
    assert check.n == 28  # training labels, each once; a fifth of the labels is audit


def test_where_several_labels_may_hold_nothing_is_checked(home: Workspace, store: Store, lead: User) -> None:
    project = projects.create_project(store, "several", lead, exclusive=False)
    first, second = projects.set_label_set(store, project, [Label(0, "a", "a"), Label(0, "b", "b")])
    add_items(store, project, [f"message {n}" for n in range(40)])
    encoding.encode_project(home, store, project, encoding.serving_encoder(home, project), lambda done, total, message: None)
    Ranker(home, project.id).refresh(store)
    leases = labelling.sync(store, project, lead, "tab", events=[], hold=[], want=12).leases
    events = [
        Event(f"uid-{n:06d}", Kind.LABEL, lease.item, ((first.id, second.id)[: n % 3]), lease=lease.id) for n, lease in enumerate(leases)
    ]
    labelling.sync(store, project, lead, "tab", events=events, hold=[], want=0)
    assert Ranker(home, project.id).refresh(store) is not None
    assert store.runs.newest_check(project.id, run=False) is None
    assert "several labels" in status.lead_facts(store, project).self_training.words


def test_a_run_killed_by_itself_is_started_again(home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str]) -> None:
    project = projects.change_settings(store, project, {"run_steps": 400, "self_training": "none"})
    label_some(store, project, lead, gold, 30)
    worker = start_worker(home)
    try:
        wait_for("the run to train", lambda: any(job.kind == "run" and job.done > 0 for job in store.jobs.running()))
        projects.change_settings(store, project, {"run_steps": 2})
        run = next(child for child in psutil.Process(worker.pid).children() if "job" in child.cmdline())
        assert (run.nice(), os.getsid(run.pid)) == (min(19, psutil.Process().nice() + LOW_PRIORITY), os.getsid(worker.pid))
        run.kill()
        wait_for("the run to be done again", lambda: not store.jobs.open(project.id) and len(store.runs.of_project(project.id)) == 2)
    finally:
        worker.terminate()
        assert worker.wait(30) == 0
    first_run, again = store.runs.of_project(project.id)
    assert first_run.state is RunState.FAILED
    assert again.state in (RunState.PUBLISHED, RunState.REJECTED), again.error


def test_a_label_added_while_a_run_trains_fails_neither_run_nor_report(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str]
) -> None:
    project = projects.change_settings(store, project, {"run_steps": 2, "self_training": "none"})
    label_some(store, project, lead, gold, 20)
    Ranker(home, project.id).refresh(store)
    labels = store.projects.labels(project.id)

    def add(*step: object) -> None:
        projects.set_label_set(store, project, [*labels, Label(0, f"new-{len(store.projects.labels(project.id))}", "New")])

    assert training.perform_run(home, store, project, add).state in (RunState.PUBLISHED, RunState.REJECTED)
    assert making.report_project(home, store, store.projects.get(project.id), add)
    assert Ranker(home, project.id).refresh(store) is not None


def test_a_report_is_made_while_a_run_trains_and_its_end_closes_no_run(
    home: Workspace, store: Store, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, started = Worker(home), {}

    def spawn(worker: Worker, job: Job) -> Child:
        started[job.kind] = subprocess.Popen(["sleep", "60"])
        return Child(job, started[job.kind], home.home / "job.log")

    monkeypatch.setattr(Worker, "_spawn", spawn)
    run = store.runs.start(project.id, 0, 0.0)
    for kind in ("run", "encode", "report"):
        store.jobs.ask(project.id, kind, 0.0)
    worker.step(store)
    assert sorted(started) == ["report", "run"]
    started["report"].kill()
    started["report"].wait()
    worker.step(store)
    assert (started["run"].poll(), store.runs.get(run.id).state) == (None, RunState.RUNNING)
    assert {job.kind: job.state for job in store.jobs.open(project.id)}["report"] is JobState.QUEUED
    started["run"].kill()
    started["run"].wait()
    worker.step(store)
    assert store.runs.get(run.id).state is RunState.FAILED
    for process in started.values():
        process.kill()
        process.wait()


def test_a_report_that_was_due_while_one_was_made_is_made_after_it(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = projects.change_settings(store, project, {"self_training": "none", "run_every": 0})
    worker = Worker(home)
    monkeypatch.setattr(Worker, "_spawn", lambda self, job: Child(job, subprocess.Popen(["true"]), home.home / "job.log"))
    monkeypatch.setattr(making, "is_due", lambda store, project, spent: True)
    monkeypatch.setattr(grouping, "is_due", lambda store, project: False)

    def reports() -> list[JobState]:
        return [job.state for job in store.jobs.newest(project.id) if job.kind == "report"]

    Ranker(home, project.id).refresh(store)
    label_some(store, project, lead, gold, 10)
    worker.step(store)  # ranked, and a report asked for
    assert reports() == [JobState.QUEUED]
    label_some(store, project, lead, gold, 1)
    worker.step(store)  # it starts, and another is due
    first = next(child.process for child in worker._children if child)
    first.wait()
    worker.step(store)
    assert reports() == [JobState.QUEUED]
    worker.step(store)
    next(child.process for child in worker._children if child).wait()
    worker.step(store)
    worker.step(store)
    assert reports() == [JobState.DONE]  # nothing more is owed
