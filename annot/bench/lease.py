"""How long somebody waits for the next item when 25 people ask at once, in a large pool: by the queue, and when it is used up.

People go on at ``--rate`` items a second each, claiming through the web process's shared writer and answering what they got. The
baseline is a claim that orders the pool: the first free item by a random key. Must not touch a workspace of the user's.
"""

import argparse
import tempfile
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from annot.bench import _command as command
from annot.bench._crowd import Crowd, gather, paced, share_ms
from annot.records import Event, Kind, Lease, QueueRow, Ranking, Reason, User
from annot.settings import Workspace
from annot.store import Store
from annot.store.commits import Commits

QUEUE = 1000
NAIVE = """
INSERT INTO leases (project_id, item_id, user_id, tab, reason, guesses, model, labels, created_at, expires_at)
SELECT :project, i.id, :user, 'naive', 'random', '[]', 0, 0, :now, :now + 1800 FROM items i
WHERE i.project_id = :project AND i.split = 'pool' AND NOT EXISTS (SELECT 1 FROM answers a WHERE a.item_id = i.id)
  AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.item_id = i.id AND l.closed_at IS NULL AND l.expires_at > :now)
ORDER BY random() LIMIT 1
"""


def main(arguments: list[str]) -> int:
    parser = command.parser("lease", __doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=25)
    parser.add_argument("--turns", type=int, default=40, help="items each client claims in each of the two parts")
    parser.add_argument("--rate", type=float, default=4.0, help="items a second of each client")
    parser.add_argument("--naive", type=int, default=5, help="claims of the baseline")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="annot-bench-") as folder:
        result = measure(Workspace(Path(folder)), options)
    return command.report(result, options)


def measure(home: Workspace, options: argparse.Namespace) -> dict[str, object]:
    crowd = gather(home, options.items, options.clients)
    with Store(home.database) as store:
        rows = [QueueRow(item, Reason.UNCERTAIN, 0.5) for item in crowd.items[-QUEUE:]]
        store.queue.rewrite(crowd.project.id, rows, Ranking(0, 0, 0, "bench", 0.0, time.time()), 0)
    claimed: list[int] = []
    commits = Commits(home.database)
    ranked = claim_all(commits, crowd, options, claimed)
    use_up(commits, crowd)
    unranked = claim_all(commits, crowd, options, claimed)
    commits.close()
    naive = [naive_claim(home, crowd) for _ in range(options.naive)]
    p95 = share_ms([*ranked, *unranked], 95)
    return {
        "p95_ms": p95,
        "p95_ranked_ms": share_ms(ranked, 95),
        "p95_used_up_ms": share_ms(unranked, 95),
        "p50_ms": share_ms([*ranked, *unranked], 50),
        "doubled": sum(n > 1 for n in Counter(claimed).values()),
        "claims": len(claimed),
        "items": options.items,
        "clients": options.clients,
        "baseline": "a claim that orders the pool",
        "baseline_ms": round(1000 * median(naive), 2),
        "ratio_to_baseline": round(1000 * median(naive) / p95, 1),
    }


def claim_all(commits: Commits, crowd: Crowd, options: argparse.Namespace, claimed: list[int]) -> list[float]:
    """Let everybody claim and answer; return the seconds each claim took, and add what was claimed."""

    def take_turns(person: User) -> list[float]:
        return paced(options.rate, options.turns, lambda: claim(commits, crowd, person, claimed))

    with ThreadPoolExecutor(len(crowd.people)) as threads:
        return [seconds for waits in threads.map(take_turns, crowd.people) for seconds in waits]


def claim(commits: Commits, crowd: Crowd, person: User, claimed: list[int]) -> float:
    began = time.perf_counter()
    (lease,) = commits.submit(lambda store: hold(store, crowd, person, 1)).result()
    seconds = time.perf_counter() - began
    claimed.append(lease.item)
    event = Event(uuid.uuid4().hex, Kind.LABEL, lease.item, (crowd.labels[0],), lease=lease.id)
    commits.submit(lambda store: store.answers.record(crowd.project.id, person.id, [event], time.time())).result()
    return seconds


def hold(store: Store, crowd: Crowd, person: User, want: int) -> list[Lease]:
    values = {"want": want, "seconds": 1800.0, "overlap": 1, "now": time.time()}
    return store.queue.hold(crowd.project.id, person.id, f"tab {want}", [], **values)[0]  # type: ignore[arg-type]


def use_up(commits: Commits, crowd: Crowd) -> None:
    """Hold whatever the queue still offers, in a tab of its own."""
    commits.submit(lambda store: hold(store, crowd, crowd.people[0], QUEUE)).result()


def naive_claim(home: Workspace, crowd: Crowd) -> float:
    values = {"project": crowd.project.id, "user": crowd.people[0].id, "now": time.time()}
    with Store(home.database) as store:
        began = time.perf_counter()
        with store.unit():
            store._database.execute(NAIVE, values)
        return time.perf_counter() - began
