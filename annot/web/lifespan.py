"""What the web process holds from start to stop: one idle connection to the workspace. Must not be used for a query.

SQLite empties its write-ahead log whenever the last connection closes, and requests open and close their own: without this one, each
label paid for it (0.5 of 2.7 ms CPU, and 0.9 of 3.3 ms until the reply).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from annot.settings import workspace
from annot.store import Store


@asynccontextmanager
async def hold_open(app: object) -> AsyncIterator[None]:
    """Keep the workspace open while the app runs."""
    with Store(workspace().database) as store:
        store.jobs.worker_heartbeat()  # SQLite joins the log with the first read
        yield
