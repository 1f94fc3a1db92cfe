"""Durable labels a second from many people at once: into the store, and through the route of the real web app until it is killed.

Through the route they label twice: at a steady rate together, which is what a wait means to a person, and as fast as they are answered,
where everybody waits for everybody else. The baseline is the same people, each with a connection and a transaction a label. Every label
acknowledged, before a kill -9 in the middle of the work too, is looked for afterwards. (A kill shows what the process had written, not
what a power cut would leave: that rests on ``synchronous=FULL``, which both sides use.) Must not touch a workspace of the user's.
"""

import argparse
import random
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from annot.bench import _command as command
from annot.bench._browser import serving
from annot.bench._client import AWAY, Client, answer
from annot.bench._crowd import Crowd, gather, share_ms, stored_uids
from annot.errors import AnnotError
from annot.loop import accounts
from annot.records import Event, Kind, User
from annot.settings import Workspace
from annot.store import Store
from annot.store.commits import Commits

# Writes one label, durably, and returns its uid.
Write = Callable[[], str]


def main(arguments: list[str]) -> int:
    parser = command.parser("labels", __doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each of the four parts lasts")
    parser.add_argument("--clients", type=int, default=25)
    parser.add_argument("--rate", type=float, default=250.0, help="labels a second of all clients together, in the steady part")
    parser.add_argument("--items", type=int, default=50_000)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="annot-bench-") as folder:
        result = measure(Workspace(Path(folder)), options)
    return command.report(result, options)


def measure(home: Workspace, options: argparse.Namespace) -> dict[str, object]:
    crowd = gather(home, options.items, options.clients)
    alone, together, by_route = (Part(crowd, options.seconds) for _ in range(3))
    steady = Part(crowd, options.seconds, options.rate / options.clients)
    alone.run(lambda person: own_connection(home, crowd, person))
    commits = Commits(home.database)
    together.run(lambda person: shared_commits(commits, crowd, person))
    commits.close()
    with Store(home.database) as store:
        tokens = {person.id: accounts.sign_in(store, person.name, crowd.password)[1] for person in crowd.people}
    with serving(home) as web:
        steady.run(lambda person: route(web.port, crowd, person, tokens[person.id]))
        killing = threading.Timer(options.seconds, web.process.kill)
        by_route.run(lambda person: route(web.port, crowd, person, tokens[person.id]), killing)
    acknowledged = [uid for part in (alone, together, steady, by_route) for uid in part.acknowledged]
    return {
        "store_per_s": round(together.per_s),
        "http_per_s": round(by_route.per_s),
        "p99_ms": share_ms(steady.waits, 99),
        "p50_ms": share_ms(steady.waits, 50),
        "steady_per_s": round(steady.per_s),
        "p99_saturated_ms": share_ms(by_route.waits, 99),
        "store_p99_ms": share_ms(together.waits, 99),
        "lost": len(set(acknowledged) - stored_uids(home)),
        "labels": len(acknowledged),
        "baseline": "one transaction a label",
        "baseline_per_s": round(alone.per_s),
        "baseline_p99_ms": share_ms(alone.waits, 99),
        "ratio_to_baseline": round(together.per_s / alone.per_s, 2),
        "clients": options.clients,
    }


@dataclass
class Part:
    """One way of labelling, by everybody at once: which labels were acknowledged, and how many seconds each was waited for."""

    crowd: Crowd
    seconds: float
    rate: float = float("inf")  # labels a second of each person, as many as are answered where that is fewer
    acknowledged: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    per_s: float = 0.0

    def run(self, way: Callable[[User], AbstractContextManager[Write]], breaker: threading.Timer | None = None) -> None:
        """Label for as long as it lasts, or until ``breaker``, started with the first label, has ended it in the middle."""
        began = 0.0

        def begin() -> None:
            nonlocal began
            began = time.perf_counter()
            if breaker:
                breaker.start()

        ready = threading.Barrier(len(self.crowd.people), begin, timeout=60)
        with ThreadPoolExecutor(len(self.crowd.people)) as threads:
            list(threads.map(lambda person: self._label(way(person), ready, breaker is not None), self.crowd.people))
        self.per_s = len(self.acknowledged) / (time.perf_counter() - began)

    def _label(self, way: AbstractContextManager[Write], ready: threading.Barrier, breaks: bool) -> None:
        with suppress(*AWAY) if breaks else nullcontext(), way as write:
            ready.wait()
            start = time.perf_counter() + random.random() / self.rate
            for turn in count():
                time.sleep(max(0.0, start + turn / self.rate - time.perf_counter()))
                if (began := time.perf_counter()) >= start + self.seconds and not breaks:
                    return
                uid = write()
                self.waits.append(time.perf_counter() - began)
                self.acknowledged.append(uid)


@contextmanager
def own_connection(home: Workspace, crowd: Crowd, person: User) -> Iterator[Write]:
    with Store(home.database) as store:
        yield lambda: record(store, crowd, person)


@contextmanager
def shared_commits(commits: Commits, crowd: Crowd, person: User) -> Iterator[Write]:
    yield lambda: commits.submit(lambda store: record(store, crowd, person)).result()


def record(store: Store, crowd: Crowd, person: User) -> str:
    item = crowd.items[random.randrange(len(crowd.items) // 2)]  # the others are left for the route, which leases
    event = Event(uuid.uuid4().hex, Kind.LABEL, item, (random.choice(crowd.labels),))
    (refused,) = store.answers.record(crowd.project.id, person.id, [event], time.time())
    if refused:
        raise AnnotError(refused)
    return event.uid


@contextmanager
def route(port: int, crowd: Crowd, person: User, token: str) -> Iterator[Write]:
    """Label as the panel does: each request hands in an answer to the item held and gets the next one."""
    with closing(Client(port, crowd.project.id, token, person.name)) as client:
        held = client.sync([])["items"]

        def write() -> str:
            event = answer(held[0], random.choice(crowd.labels))
            reply = client.sync([event])
            if reply["saved"] != [event["uid"]] or not reply["items"]:
                raise AnnotError(f"A label was refused, or --items are too few: {reply}")
            held[:] = reply["items"]
            return str(event["uid"])

        yield write
