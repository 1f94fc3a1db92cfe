"""A project of a million real texts worked through once: import, first ranking, and labels by HTTP while the pool is being encoded.

The shared data sets' texts are repeated with small edits until there are enough; the label of a text is the data set it came from, so
the answers are known. No baseline: it shows that nothing stands still meanwhile. Must not wait for the encoding to end.
"""

import argparse
import csv
import gzip
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, islice
from pathlib import Path

import psutil

from annot import formats
from annot.bench import _command as command
from annot.bench._browser import percentiles, running_worker, serving
from annot.bench._client import Client, answer
from annot.errors import AnnotError, BadInput
from annot.loop import accounts, importing, projects
from annot.records import Label, Project, Role, Split
from annot.settings import ROOT, Workspace
from annot.store import Store

PASSWORD = "only for this benchmark"
TIMEOUT_S = 600.0


def main(arguments: list[str]) -> int:
    parser = command.parser("million", __doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--labels", type=int, default=200)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between one answer and the next")
    parser.add_argument("--encoded", type=int, default=2_000, help="texts that are encoded before the first answer")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "datasets", help="folder of data sets with train.csv.gz")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="annot-bench-") as folder:
        result = measure(Workspace(Path(folder)), options)
    return command.report(result, options)


def measure(home: Workspace, options: argparse.Namespace) -> dict[str, object]:
    texts = {path.parent.name: _texts(path) for path in sorted(options.data.glob("*/train.csv.gz"))}
    if len(texts) < 2:
        raise BadInput(f"{options.data} must hold two or more data sets with a train.csv.gz (see ../shared/datasets/README.md).")
    with Store(home.database) as store:
        user, _ = accounts.add_account(store, "bench", Role.LEAD, PASSWORD)
        _, token = accounts.sign_in(store, "bench", PASSWORD)
        project = projects.create_project(store, "a million", user)
        labels = projects.set_label_set(store, project, [Label(0, name, name) for name in texts])
        project = projects.change_settings(store, project, {"run_every": 0})
        path = home.home / "texts.csv"
        gold = _write(path, islice(_repeated(texts), options.items))
        started = time.perf_counter()
        importing.import_file(store, project, path, formats.Mapping(text="text", id="id"))
        imported_s = time.perf_counter() - started
        with serving(home) as web, running_worker(home):
            started = time.perf_counter()
            _wait("the first texts to be ranked", lambda: store.queue.ranking(project.id) and _encoded(store, project) >= options.encoded)
            ready_s, before = time.perf_counter() - started, _encoded(store, project)
            client = Client(web.port, project.id, token, "bench")
            ids = {label.name: label.id for label in labels}
            requests, behind = _label(store, project, client, lambda item: ids[gold[_external(store, project, item)]], options)
            after = _encoded(store, project)
            beat = store.jobs.worker_heartbeat()
            worker_mb = psutil.Process(beat[0]).memory_info().rss / 2**20 if beat else 0.0
            still = any(job.kind == "encode" for job in store.jobs.running())
            web_mb = web.peak_mb()
        answers = list(store.answers.current(project.id, Split.POOL))
    return {
        "items": options.items,
        "import_rows_per_s": round(options.items / imported_s),
        "ready_after_s": round(ready_s, 1),
        "labels": len(answers),
        "lost": options.labels - len({answer.item for answer in answers}),
        "request_ms": percentiles(requests),
        "label_to_queue_s": percentiles(behind, digits=3),
        "encoded_before": before,
        "encoded_after": after,
        "still_encoding": still,
        "worker_mb": round(worker_mb),
        "web_peak_mb": round(web_mb),
    }


def _label(
    store: Store, project: Project, client: Client, label_of: Callable[[int], int], options: argparse.Namespace
) -> tuple[list[float], list[float]]:
    """Place the labels; return the milliseconds of each request, and the seconds until the queue knew of each label."""
    requests, behind = [], []
    (item,) = client.sync([])["items"]
    for _ in range(options.labels):
        time.sleep(options.pause)
        event = answer(item, label_of(item["item"]))
        began = time.perf_counter()
        reply = client.sync([event])
        requests.append(1000 * (time.perf_counter() - began))
        if reply["saved"] != [event["uid"]]:
            raise AnnotError(f"A label was refused: {reply}")
        newest = store.answers.newest_event(project.id)
        _wait("the queue", partial(_knows_of, store, project, newest))
        behind.append(time.perf_counter() - began)
        (item,) = reply["items"]
    return requests, behind


def _knows_of(store: Store, project: Project, event: int) -> bool:
    stamp = store.queue.ranking(project.id)
    return stamp is not None and stamp[1] >= event


def _texts(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as rows:
        return [row["text"] for row in csv.DictReader(rows)]


def _repeated(texts: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Yield (data set, text) without end; each time round every text differs from before."""
    for turn in count():
        for name, found in texts.items():
            for text in found:
                yield name, text if not turn else f"{text} [{turn}]"


def _write(path: Path, rows: Iterator[tuple[str, str]]) -> dict[str, str]:
    """Write the texts with ids, and return which data set each id came from."""
    gold = {}
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["id", "text"])
        for number, (name, text) in enumerate(rows):
            out.writerow([number, text])
            gold[str(number)] = name
    return gold


def _external(store: Store, project: Project, item: int) -> str:
    found = store.items.get(project.id, item)
    assert found is not None
    return found.external_id


def _encoded(store: Store, project: Project) -> int:
    """Return how many texts the running job has encoded."""
    return max((job.done for job in store.jobs.newest(project.id) if job.kind == "encode"), default=0)


def _wait(what: str, ready: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not ready():
        if time.monotonic() > deadline:
            raise AnnotError(f"Waited {TIMEOUT_S:.0f} s for {what}.")
        time.sleep(0.005)
