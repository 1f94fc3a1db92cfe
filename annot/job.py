"""One background job in a process of its own: ``python -m annot job ID``, started by the worker.

Must not decide when a job is due. It ends by itself when the worker that started it is gone.
"""

import os
import sys
import time

from annot.errors import AnnotError
from annot.loop.encoding import encode_project, serving_encoder
from annot.loop.grouping import group_project
from annot.loop.report.making import report_project
from annot.loop.training import perform_run
from annot.records import RunState
from annot.settings import Workspace
from annot.store import Store

REPORT_S = 0.5


def perform(workspace: Workspace, job_id: int) -> int:
    """Do the job and return the process's exit code; what went wrong is printed for the job row."""
    parent = os.getppid()
    with Store(workspace.database) as store:
        job = store.jobs.get(job_id)
        if job is None:
            print(f"There is no job {job_id}.", file=sys.stderr)
            return 2
        told_at = 0.0

        def tell(done: int, total: int, message: str) -> None:
            nonlocal told_at
            if os.getppid() != parent:
                raise SystemExit("The worker is gone; the job is left for the next one.")
            if time.monotonic() - told_at > REPORT_S or done in (0, total):
                told_at = time.monotonic()
                store.jobs.report(job.id, done, total, message, time.time())

        project = store.projects.get(job.project)
        try:
            if job.kind == "encode":
                encode_project(workspace, store, project, serving_encoder(workspace, project), tell)
            elif job.kind == "twins":
                group_project(workspace, store, project, tell)
            elif job.kind == "report":
                report_project(workspace, store, project, tell)
            elif job.kind == "run":
                run = perform_run(workspace, store, project, tell)
                tell(1, 1, "published" if run.state is RunState.PUBLISHED else "not published: it was worse on held-out labels")
            else:
                print(f"This version knows no job of kind {job.kind!r}.", file=sys.stderr)
                return 2
        except AnnotError as fault:
            print(fault, file=sys.stderr)
            return 1
    return 0
