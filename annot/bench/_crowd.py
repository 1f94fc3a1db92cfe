"""What the benchmarks of the store share: a project of made-up texts, the people who label it, and figures of what they waited for.

Must not know what is measured.
"""

import csv
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from annot import formats
from annot.loop import accounts, importing, projects
from annot.records import Label, Project, Role, Split, User
from annot.settings import Workspace
from annot.store import Store

LABELS = 8


@dataclass(frozen=True, slots=True)
class Crowd:
    """A project with a pool, and its annotators, who all have one password; items and labels by their ids."""

    project: Project
    people: list[User]
    password: str
    labels: list[int]
    items: list[int]


def write_texts(path: Path, count: int) -> Path:
    """Write a CSV of so many different texts of about 70 characters, without ids."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text"])
        rows.writerows([f"Message {n}: the parcel of order {n * 7919 % 100_003} has not come, what now?"] for n in range(count))
    return path


def gather(home: Workspace, items: int, people: int) -> Crowd:
    with Store(home.database) as store:
        lead, password = accounts.add_account(store, "lead", Role.LEAD)
        project = projects.create_project(store, "crowd", lead)
        labels = projects.set_label_set(store, project, [Label(0, f"label{n}", f"Label {n}") for n in range(1, LABELS + 1)])
        importing.import_file(store, project, write_texts(home.home / "texts.csv", items), formats.Mapping(text="text"))
        hashed = store.accounts.password_hash(lead.name)  # hashing is made to take long
        there = [store.accounts.add(f"person {n}", Role.ANNOTATOR, hashed, time.time()) for n in range(people)]
        for user in there:
            store.projects.set_member(project.id, user.id, Role.ANNOTATOR)
        pool = [item for item, _ in store.items.hashes(project.id, Split.POOL)]
        return Crowd(project, there, password, [label.id for label in labels], pool)


def stored_uids(home: Workspace) -> set[str]:
    """Return the uid of every event, overruled ones too, which no verb of the store lists."""
    with Store(home.database) as store:
        return {row["uid"] for row in store._database.execute("SELECT uid FROM annotations")}


def share_ms(seconds: Sequence[float], percent: float) -> float:
    """Return the milliseconds that so many per cent of the waits stayed below, by nearest rank."""
    ordered = sorted(seconds)
    return round(1000 * ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))], 2)


def peak_mb() -> float:
    """Return the largest resident memory this process ever had (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def paced(rate: float, turns: int, work: Callable[[], float]) -> list[float]:
    """Do ``work`` so many times a second, beginning at a random moment; return the seconds that each said it took."""
    start = time.monotonic() + random.random() / rate
    found = []
    for turn in range(turns):
        time.sleep(max(0.0, start + turn / rate - time.monotonic()))
        found.append(work())
    return found
