"""The background process: keeps every project's queue fresh, and runs encoding and fine-tuning jobs as child processes.

Exactly one is active per database. It must not import torch: a crash or a kill of a child costs nothing but that child's work.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from threadpoolctl import threadpool_limits

from annot import compute
from annot.compute import Executor
from annot.compute.scoring import PoolScorer
from annot.errors import AnnotError
from annot.loop import grouping, training
from annot.loop.ranking import Ranker
from annot.loop.report import making
from annot.records import Job, JobState, Project
from annot.settings import Workspace
from annot.store import Store
from annot.store.jobs import LANES

HEARTBEAT_S = 1.0
PATIENCE_S = 10.0
ENDING_S = 5.0
POLL_S = 0.03
MOST_ATTEMPTS = 3
# How long a failed encoding or grouping rests before it is tried again.
RETRY_S = 300.0
LOW_PRIORITY = 10

log = logging.getLogger("annot.worker")


def work(workspace: Workspace) -> None:
    """Run until SIGTERM or SIGINT. Waits while another worker is active in the workspace."""
    # Two BLAS threads on a busy machine wait for each other: a refit then takes longer, not shorter.
    threadpool_limits(1)
    worker = Worker(workspace)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()


@dataclass(slots=True)
class Child:
    """A job running in a process of its own."""

    job: Job
    process: subprocess.Popen[bytes]
    output: Path


@dataclass(slots=True)
class Worker:
    workspace: Workspace
    holder: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    _stopping: bool = False
    _lost: bool = False
    _children: list[Child | None] = field(default_factory=lambda: [None] * len(LANES))
    _rankers: dict[int, Ranker] = field(default_factory=dict)
    _executor: Executor | None = None
    _beat_at: float = 0.0
    _told: dict[int, str] = field(default_factory=dict)
    _owed: set[int] = field(default_factory=set)  # projects whose report was due while one was being made

    def stop(self) -> None:
        self._stopping = True

    def run(self) -> None:
        with Store(self.workspace.database) as store, ExitStack() as stack:
            if not self._become_active(store):
                return
            if compute.elsewhere():
                self._executor = stack.enter_context(compute.executor(on_wait=partial(self._beat, store)))
            self._clear_up(store)
            log.info("worker %s is active on %s", self.holder, self.workspace.home)
            try:
                while not self._stopping:
                    if not self.step(store):
                        time.sleep(POLL_S)
            finally:
                self._end(store, range(len(LANES)))
                store.jobs.release_worker(self.holder)

    def _become_active(self, store: Store) -> bool:
        told = False
        while not self._stopping:
            if store.jobs.hold_worker(self.holder, os.getpid(), time.time(), PATIENCE_S):
                return True
            if not told:
                print("Another worker is active in this workspace; waiting for it to stop.", file=sys.stderr, flush=True)
                told = True
            time.sleep(HEARTBEAT_S)
        return False

    def _clear_up(self, store: Store) -> None:
        """Take over what a killed worker left: its running jobs start again, its open run is closed as failed."""
        training.fail_unfinished(store)
        for job in store.jobs.running():
            self._again_or_failed(store, job, "The worker was stopped.")

    def step(self, store: Store) -> bool:
        """Do what is due once; return whether anything was done. The one place that catches what nobody expected."""
        if not self._beat(store):
            return False
        did = False
        for lane in range(len(LANES)):
            did |= self._tend_child(store, lane)
        for project in store.projects.all():
            if project.put_away:
                self._rankers.pop(project.id, None)
                continue
            try:
                did = self._tend_project(store, project) or did
            except AnnotError as fault:
                self._tell_once(store, project, str(fault))
            except Exception:  # the worker must outlive a fault in one project
                self._tell_once(store, project, traceback.format_exc())
        return did

    def _beat(self, store: Store) -> bool:
        """Say that this worker is alive, if it is time; False, and it stops, where another took over."""
        now = time.time()
        if now - self._beat_at > HEARTBEAT_S:
            if not store.jobs.hold_worker(self.holder, os.getpid(), now, PATIENCE_S):
                log.error("another worker took over; this one stops")
                self._stopping = self._lost = True
                return False
            self._beat_at = now
        return True

    def _tell_once(self, store: Store, project: Project, words: str) -> None:
        if self._told.get(project.id) != words:
            self._told[project.id] = words
            store.jobs.fail(project.id, "rank", words, time.time())
            log.error("project %s: %s", project.name, words)

    def _tend_project(self, store: Store, project: Project) -> bool:
        if project.id not in self._rankers:
            scorer = None if self._executor is None else PoolScorer(self._executor)
            self._rankers[project.id] = Ranker(self.workspace, project.id, scorer)
        ranker = self._rankers[project.id]
        ranking = ranker.refresh(store)
        if ranker.missing:
            self._ask(store, project, "encode")
        elif ranking and grouping.is_due(store, project):
            self._ask(store, project, "twins")
        elif (ranking or self._owes(project)) and ranker.classes >= 2:
            self._owed.discard(project.id)
            if making.is_due(store, project, store.answers.labels(project.id)) and not self._ask(store, project, "report"):
                self._owed.add(project.id)
        if ranking and training.run_is_due(store, project, ranking.labels) and ranker.classes >= 2:
            store.jobs.ask(project.id, "run", time.time())
        return ranking is not None

    def _owes(self, project: Project) -> bool:
        return project.id in self._owed and not any(child and child.job.kind == "report" for child in self._children)

    def _ask(self, store: Store, project: Project, kind: str) -> bool:
        """Queue a job, unless one of its kind failed a moment ago; return False where it has to be asked for again, as one is open."""
        if store.jobs.failed_since(project.id, kind, time.time() - RETRY_S):
            return True
        return store.jobs.ask(project.id, kind, time.time())

    def _tend_child(self, store: Store, lane: int) -> bool:
        child = self._children[lane]
        if child is None:
            job = store.jobs.take(time.time(), LANES[lane])
            if job is None:
                return False
            self._children[lane] = self._spawn(job)
            return True
        code = child.process.poll()
        if code is None and store.projects.get(child.job.project).put_away:
            self._end(store, [lane])
            return True
        if code is None:
            return False
        self._children[lane] = None
        if code == 0:
            store.jobs.finish(child.job.id, JobState.DONE, time.time())
        elif code > 0:  # it failed by itself and said why
            store.jobs.finish(child.job.id, JobState.FAILED, time.time(), error=_tail(child.output))
        else:
            _close_run(store, child.job)
            self._again_or_failed(store, child.job, f"Its process was killed (signal {-code}); is there enough memory?")
        return True

    def _spawn(self, job: Job) -> Child:
        folder = self.workspace.home / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        output = folder / f"job-{job.id}.log"
        with output.open("wb") as log_file:
            process = subprocess.Popen(
                [sys.executable, "-m", "annot", "job", str(job.id)],
                stdout=log_file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "ANNOT_HOME": str(self.workspace.home), "OMP_WAIT_POLICY": "PASSIVE"},
                # On a shared CPU the browser and the ranker come first. A group of its own keeps Ctrl-C from it; a session of its
                # own would too, but Linux shares the CPU between sessions first (sched(7), autogroup), whatever their niceness.
                preexec_fn=lambda: os.nice(LOW_PRIORITY) and None,
                process_group=0,
            )
        return Child(job, process, output)

    def _again_or_failed(self, store: Store, job: Job, why: str) -> None:
        if store.jobs.attempts(job.id) < MOST_ATTEMPTS:
            store.jobs.requeue(job.id)
        else:
            store.jobs.finish(job.id, JobState.FAILED, time.time(), error=f"{why} It was tried {MOST_ATTEMPTS} times.")

    def _end(self, store: Store, lanes: Sequence[int]) -> None:
        """End the children of these lanes, all within ENDING_S, well before another worker may take over; their jobs wait again."""
        children = [child for lane in lanes if (child := self._children[lane]) is not None]
        for lane in lanes:
            self._children[lane] = None
        for child in children:
            child.process.terminate()
        deadline = time.monotonic() + ENDING_S
        for child in children:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            if not self._lost:  # else the rows are the other worker's now
                _close_run(store, child.job)
                store.jobs.requeue(child.job.id)


def _close_run(store: Store, job: Job) -> None:
    """Close the run that a killed job left open; another job's end says nothing of it."""
    if job.kind == "run":
        training.fail_unfinished(store)


def _tail(output: Path, characters: int = 4000) -> str:
    return output.read_text(encoding="utf-8", errors="replace")[-characters:]
