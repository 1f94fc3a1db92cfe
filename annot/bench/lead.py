"""The Lead page of a large, long-labelled project: to open it, to let it refresh itself, and its facts against plain queries for them.

The real web process is visited over its websocket, as a browser does, but nothing is painted: times are the server's, from the request
to the message that the page is whole. The baseline counts the same from all events and items, and is let off the report, which would take
it seconds. Must not touch a workspace of the user's.
"""

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annot.bench import _command as command
from annot.bench._aged import age
from annot.bench._browser import Web, percentiles, serving
from annot.errors import AnnotError
from annot.loop import accounts, labelling, status
from annot.records import Project
from annot.settings import Workspace
from annot.store import Store

PATIENCE_S = 60.0
# The headings that come last: on the page, and in its part that refreshes itself.
PAGE_END, PART_END = b"Take it with you", b"Background"
NOT_STANDING = "NOT EXISTS (SELECT 1 FROM annotations u WHERE u.target = {}.uid)"
STANDING = f"""
FROM annotations a {{}} WHERE a.project_id = :project AND a.kind IN ('label', 'skip') AND {NOT_STANDING.format("a")} AND NOT EXISTS (
    SELECT 1 FROM annotations b WHERE b.item_id = a.item_id AND b.user_id = a.user_id AND b.id > a.id
    AND b.kind IN ('label', 'skip') AND {NOT_STANDING.format("b")})
"""
TALLY = (
    "SELECT a.kind, a.relation, a.labels, coalesce(l.reason, a.reason) AS reason, count(*) AS n "
    + STANDING.format("JOIN items i ON i.id = a.item_id LEFT JOIN leases l ON l.id = a.lease_id")
    + "AND i.split = 'pool' GROUP BY 1, 2, 3, 4"
)
PER_DAY = (
    "SELECT date(a.at, 'unixepoch') AS day, u.name, count(*) "
    + STANDING.format("JOIN users u ON u.id = a.user_id")
    + "AND a.kind = 'label' AND u.password_hash != '' GROUP BY 1, 2 ORDER BY 1, 2"
)
SIZES = "SELECT count(*) FROM items WHERE project_id = :project AND split = '{}'"


def main(arguments: list[str]) -> int:
    parser = command.parser("lead", __doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--annotations", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=20, help="times that each is measured, in turn")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="annot-bench-") as folder:
        result = measure(Workspace(Path(folder)), options)
    return command.report(result, options)


@dataclass
class Timed:
    """Seconds of the clock that each round of something took, and of the CPU."""

    cpu_of: Callable[[], float]
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @contextmanager
    def round(self) -> Iterator[None]:
        started, used = time.perf_counter(), self.cpu_of()
        yield
        self.seconds.append(time.perf_counter() - started)
        self.cpu.append(self.cpu_of() - used)

    def ms(self) -> dict[str, float]:
        """Return p50 and p95 by the clock, and the mean by the CPU, in milliseconds."""
        found = percentiles([1000 * one for one in self.seconds], digits=2)
        return found | {"cpu": round(1000 * sum(self.cpu) / len(self.cpu), 2)}


def measure(home: Workspace, options: argparse.Namespace) -> dict[str, object]:
    load = os.getloadavg()[0]
    aged = age(home, options.items, options.annotations)
    project = aged.crowd.project
    with Store(home.database) as store:
        _, token = accounts.sign_in(store, "lead", aged.crowd.password)
    facts, plain = Timed(time.process_time), Timed(time.process_time)
    with serving(home) as web:
        first, opened, refreshed = (Timed(web.cpu_seconds) for _ in range(3))
        visit(web, token, first, Timed(web.cpu_seconds))  # loads what pages need
        look(home, project)
        for _ in range(options.rounds):
            visit(web, token, opened, refreshed)
            with facts.round():
                ours = look(home, project)
            with plain.round():
                theirs = look_plainly(home, project)
        peak = web.peak_mb()
    ratio = plain.ms()["p50"] / facts.ms()["p50"]
    return {
        "items": options.items,
        "annotations": options.annotations,
        "opens_s": percentiles(opened.seconds, digits=3),
        "refresh_s": percentiles(refreshed.seconds, digits=3),
        "first_opens_s": round(first.seconds[0], 3),
        "first_opens_cpu_ms": first.ms()["cpu"],
        "opens_cpu_ms": opened.ms()["cpu"],
        "refresh_cpu_ms": refreshed.ms()["cpu"],
        "facts_ms": facts.ms(),
        "baseline": "the same facts by plain queries over all events, without the report",
        "baseline_ms": plain.ms(),
        "ratio_to_baseline": round(ratio, 1),
        "same_facts": same(ours, theirs),
        "web_peak_mb": round(peak),
        "load": round(load, 1),
    }


def look(home: Workspace, project: Project) -> status.Facts:
    """Do what the page does each time it is drawn."""
    with Store(home.database) as store:
        return status.lead_facts(store, project)


@dataclass(frozen=True, slots=True)
class Plain:
    """What the baseline counts, and the rows that it reads for the rest of the page."""

    sizes: list[int]
    tally: list[Any]
    per_day: list[tuple[Any, ...]]
    rest: tuple[object, ...]


def look_plainly(home: Workspace, project: Project) -> Plain:
    with Store(home.database) as store, store.snapshot():
        run, values = store._database.rows, {"project": project.id}
        sizes = [int(run(SIZES.format(split), values)[0][0]) for split in ("pool", "test")]
        rest = (
            store.projects.labels(project.id),
            store.runs.estimates(project.id),
            store.runs.of_project(project.id),
            store.jobs.newest(project.id),
            labelling.staleness(store, project.id),
            store.answers.flags(project.id),
        )
        return Plain(sizes, run(TALLY, values), [tuple(row) for row in run(PER_DAY, values)], rest)


def same(ours: status.Facts, theirs: Plain) -> bool:
    """Tell whether both ways found the same."""
    answers: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    for row in theirs.tally:
        answers[row["kind"]] += row["n"]
        answers["audit"] += row["n"] if (row["kind"], row["reason"]) == ("label", "audit") else 0
        if (row["kind"], row["relation"]) == ("label", "is"):
            labels.update(dict.fromkeys(row["labels"].strip("[]").split(", "), row["n"]))
    counted = ([ours.pool, ours.test], ours.spent, ours.audit, ours.skipped, ours.per_day)
    given = [labels[str(one.id)] for one in ours.labels] == [n for _, n in ours.per_label]
    return given and counted == (theirs.sizes, answers["label"], answers["audit"], answers["skip"], theirs.per_day)


def visit(web: Web, token: str, opened: Timed, refreshed: Timed) -> None:
    """Open the page in a session of its own, then let it refresh itself once."""
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from websockets.sync.client import connect
    from websockets.typing import Subprotocol

    from annot.web.api import COOKIE

    ask = BackMsg()
    ask.rerun_script.page_name = "lead"
    with ExitStack() as until_left:
        with opened.round():
            connection = until_left.enter_context(
                connect(
                    f"ws://127.0.0.1:{web.port}/_stcore/stream",
                    subprotocols=[Subprotocol("streamlit")],
                    additional_headers={"Cookie": f"{COOKIE}={token}"},
                    max_size=None,
                )
            )
            connection.send(ask.SerializeToString())
            drawn = until_drawn(connection, PAGE_END)
        again = BackMsg()
        again.rerun_script.page_script_hash = drawn.page
        again.rerun_script.fragment_id = drawn.fragment
        again.rerun_script.is_auto_rerun = True
        with refreshed.round():
            connection.send(again.SerializeToString())
            until_drawn(connection, PART_END)


@dataclass
class Drawn:
    """The page, and its part that refreshes itself, by the names the server gave them."""

    page: str = ""
    fragment: str = ""


def until_drawn(connection: Any, end: bytes) -> Drawn:
    """Take messages until the page is drawn, its heading ``end`` among them. Raises AnnotError where it is not the page that was meant."""
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    drawn, sections = Drawn(), False
    while True:
        raw = connection.recv(timeout=PATIENCE_S)
        message = ForwardMsg.FromString(raw)
        kind = message.WhichOneof("type")
        if kind == "new_session":
            drawn.page = message.new_session.page_script_hash
        elif kind == "auto_rerun":
            drawn.fragment = message.auto_rerun.fragment_id
        elif kind == "delta":
            sections |= end in raw
            if message.delta.new_element.WhichOneof("type") == "exception":
                raise AnnotError(f"The page failed: {message.delta.new_element.exception.message}")
        elif kind == "script_finished":
            if not sections:
                raise AnnotError("The server did not draw the whole Lead page.")
            return drawn
