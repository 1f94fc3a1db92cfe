"""The loop on the bundled sample with the real encoder: ranking, audit, estimates, a run, and faults in between."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from annot import frozen, selftraining
from annot.compute import Local
from annot.compute.scoring import PoolScorer
from annot.loop import accounts, encoding, labelling, projects, rounds, status, training
from annot.loop.ranking import Ranker
from annot.loop.report import findings, making
from annot.loop.report.look import Look
from annot.loop.sample import FOLDER, ensure_sample
from annot.loop.targets import settle
from annot.records import Event, JobState, Kind, Label, Project, Reason, Relation, Role, RunState, Split, User
from annot.selftraining import PseudoLabels
from annot.settings import Workspace
from annot.situation import Situation
from annot.store import Store
from annot.store.reports import Stored
from annot.vectors import content_hash
from annot.worker import LOW_PRIORITY

from .conftest import add_items

# Each test copies a workspace whose 849 texts were encoded, which takes some seconds.
pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the sample imported and encoded; tests work on copies."""
    home = Workspace(tmp_path_factory.mktemp("encoded"))
    with Store(home.database) as store:
        lead, _ = accounts.add_account(store, "lead", Role.LEAD, "lead's password")
        project = ensure_sample(store, lead)
        encoding.encode_project(home, store, project, encoding.serving_encoder(home, project), lambda done, total, message: None)
        job = store.jobs.take(time.time())
        assert job is not None
        store.jobs.finish(job.id, JobState.DONE, time.time())
    return home.home


@pytest.fixture
def home(encoded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    shutil.copytree(encoded, tmp_path / "home")
    monkeypatch.setenv("ANNOT_HOME", str(tmp_path / "home"))
    return Workspace(tmp_path / "home")


@pytest.fixture
def store(home: Workspace) -> Iterator[Store]:
    with Store(home.database) as opened:
        yield opened


@pytest.fixture
def project(store: Store) -> Project:
    return store.projects.find("Larkfield support")


@pytest.fixture
def lead(store: Store) -> User:
    return store.accounts.find("lead")


@pytest.fixture(scope="module")
def gold() -> dict[str, str]:
    with (FOLDER / "gold.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["label"] for row in csv.DictReader(file)}


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


def test_quality_comes_from_the_test_split_and_from_audit_items_that_are_never_trained_on(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str]
) -> None:
    ranker = Ranker(home, project.id)
    for _ in range(3):
        ranker.refresh(store)
        label_some(store, project, lead, gold, 20)
    ranker.refresh(store)
    labelled = settle(store.answers.current(project.id), store.projects.labels(project.id), project.exclusive)
    assert labelled.audit.sum() == 6
    assert labelled.train.sum() == 54
    assert not (labelled.train & labelled.audit).any()
    facts = status.lead_facts(store, project)
    test, audit = facts.latest(source="test"), facts.latest(source="audit")
    assert test is not None
    assert audit is not None
    assert (test.n, audit.n, test.labels) == (160, 6 - len(store.queue.released(project.id)), 60)
    assert test.low < test.value < test.high
    assert test.value > 0.6
    assert status.as_json(facts)["accuracy"]["test"]["value"] == test.value


def test_labelling_needs_no_ranking(store: Store, project: Project, lead: User, gold: dict[str, str]) -> None:
    assert len(label_some(store, project, lead, gold, 10)) == 10
    assert {answer.reason for answer in store.answers.current(project.id, Split.POOL)} == {Reason.RANDOM}


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


def wait_for(what: str, ready: object, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not ready():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)


def start_worker(home: Workspace) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "annot", "worker"], cwd=ROOT, env={**os.environ, "ANNOT_HOME": str(home.home)})


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


def first_class(situation: Situation) -> PseudoLabels:
    labels = np.zeros((5, situation.targets.shape[1]), np.float32)
    labels[:, 0] = 1
    return PseudoLabels(np.sort(situation.pool[:5]), labels, np.full(5, 100, np.float32))


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


def test_a_run_killed_by_itself_is_started_again(home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str]) -> None:
    project = projects.change_settings(store, project, {"run_steps": 400, "self_training": "none"})
    label_some(store, project, lead, gold, 30)
    worker = start_worker(home)
    try:
        wait_for("the run to train", lambda: any(job.kind == "run" and job.done > 0 for job in store.jobs.running()))
        projects.change_settings(store, project, {"run_steps": 2})
        run = next(child for child in psutil.Process(worker.pid).children() if "job" in child.cmdline())
        assert (run.nice(), os.getsid(run.pid)) == (LOW_PRIORITY, os.getsid(worker.pid))
        run.kill()
        wait_for("the run to be done again", lambda: not store.jobs.open(project.id) and len(store.runs.of_project(project.id)) == 2)
    finally:
        worker.terminate()
        assert worker.wait(30) == 0
    first_run, again = store.runs.of_project(project.id)
    assert first_run.state is RunState.FAILED
    assert again.state in (RunState.PUBLISHED, RunState.REJECTED), again.error


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


def test_a_report_says_what_the_rows_say_and_remembers_the_one_before(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str]
) -> None:
    project = projects.change_settings(store, project, {"target": 0.9, "audit_share": 0.4})
    ranker, told = Ranker(home, project.id), []
    assert not making.report_project(home, store, project, lambda *step: told.append(step))
    for _ in range(3):
        ranker.refresh(store)
        label_some(store, project, lead, gold, 20)
        ranker.refresh(store)
        assert making.is_due(store, project, store.answers.labels(project.id))
        assert making.report_project(home, store, project, lambda *step: told.append(step))
    assert not making.is_due(store, project, store.answers.labels(project.id))
    facts = status.lead_facts(store, project)
    report = facts.report
    assert report is not None
    assert (report.labels, report.source, report.target, report.effort.labels) == (60, "test", 0.9, 60)
    newest = facts.latest()
    assert newest is not None
    assert (report.curve[-1].value, report.curve[-1].low, report.curve[-1].n) == (newest.value, newest.low, newest.n)
    assert [one.labels for one in report.history] == [20, 40, 60]
    assert sum(row.answers for row in report.per_label) == 60
    assert sum(row.predicted for row in report.per_label) == pytest.approx(facts.pool, abs=len(report.per_label))
    assert report.held_back.judged == 160
    assert {vote.name for vote in report.verdict.votes} >= {"kappa", "change", "forecast", "target", "budget"}
    assert f"on {newest.n} test labels" in report.verdict.sentence
    assert status.as_json(facts)["report"] == json.loads(json.dumps(frozen.plain(report)))
    assert told[-1] == (3, 3, "The report is made")
    changed = projects.change_settings(store, project, {"target": 0.95})
    assert making.is_due(store, changed, store.answers.labels(project.id))
    store.reports.replace(project.id, Stored(60, 0, 0.0, '{"labels": 1}', "{}"))
    assert making.is_due(store, project, store.answers.labels(project.id))
    assert status.lead_facts(store, project).report is None
    assert making.report_project(home, store, project, lambda *step: None)


def test_texts_imported_after_the_audit_are_said_not_to_be_judged_yet(
    home: Workspace, store: Store, project: Project, lead: User, gold: dict[str, str]
) -> None:
    texts = store.items.texts([item for item, _ in store.items.hashes(project.id, Split.POOL)][:60])
    fresh = projects.create_project(store, "two imports", lead)
    projects.set_label_set(store, fresh, [replace(label, id=0, parent=None) for label in store.projects.labels(project.id)])
    fresh = projects.change_settings(store, store.projects.get(fresh.id), {"audit_share": 0.5})
    add_items(store, fresh, texts)
    ids = [label.id for label in store.projects.labels(fresh.id)]
    ranker = Ranker(home, fresh.id)
    ranker.refresh(store)
    leases = labelling.sync(store, fresh, lead, "tab", events=[], hold=[], want=30).leases
    events = [Event(f"two-{n:06d}", Kind.LABEL, one.item, (ids[n // 2 % 2],), lease=one.id, seconds=2.0) for n, one in enumerate(leases)]
    labelling.sync(store, fresh, lead, "tab", events=events, hold=[], want=0)
    ranker.refresh(store)
    look = Look.at(home, store, fresh)
    assert look is not None
    assert findings.not_audited(look) == ""
    add_items(store, fresh, [f"{text} Again." for text in texts])
    encoding.encode_project(home, store, fresh, encoding.serving_encoder(home, fresh), lambda *step: None)
    look = Look.at(home, store, fresh)
    assert look is not None
    assert findings.not_audited(look).endswith("audit items are of the texts imported last, which are 50 % of the pool")
    assert making.report_project(home, store, fresh, lambda *step: None)
    report = status.lead_facts(store, fresh).report
    assert report is not None
    assert any("imported last" in one for one in (report.verdict.sentence, *report.verdict.advice))
