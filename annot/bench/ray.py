"""What Ray costs over this machine's own processes: the same chunks of texts encoded by both on the same cores, in turn.

Both have a process of one thread for each core and are warm before they are timed. Must not measure the start of a cluster: a job that
is worth one lasts longer.
"""

import os
import time
from contextlib import suppress
from multiprocessing import active_children
from statistics import median

import numpy as np
from numpy.typing import NDArray

from annot import encoders
from annot.bench import _command as command
from annot.compute import Cluster, Executor, Local
from annot.compute.encoding import encode
from annot.encoders import EncoderId
from annot.errors import AnnotError
from annot.loop.encoding import CHUNK
from annot.settings import DEFAULT_ENCODER

WORDS = ("order", "parcel", "invoice", "late", "broken", "thanks", "match", "market", "weather", "doctor", "engine", "school", "river")
# About 54 tokens a text, as in ag_news.
WORDS_PER_TEXT = 50


def main(arguments: list[str]) -> int:
    parser = command.parser("ray", __doc__)
    parser.add_argument("--chunks", type=int, default=6, help=f"chunks of {CHUNK:,} texts")
    parser.add_argument("--rounds", type=int, default=3, help="times that each encodes all of them")
    options = parser.parse_args(arguments)
    result = measure(options.chunks, options.rounds, len(os.sched_getaffinity(0)))
    return command.report(result, options)


def measure(chunks: int, rounds: int, cores: int) -> dict[str, object]:
    """Return the median seconds of both, Ray's overhead as a share of local's, and whether all vectors were the same, bit by bit."""
    texts = made_up(chunks, np.random.default_rng(1))
    encoder = encoders.identify(DEFAULT_ENCODER)
    seconds: dict[str, list[float]] = {"local": [], "ray": []}
    cpu: dict[str, list[float]] = {"local": [], "ray": []}
    found: list[NDArray[np.float16]] = []
    before = os.getloadavg()[0]
    os.environ |= {"RAY_worker_niceness": "0"}  # by default Ray's processes stand back (15) behind everybody's, so also behind local's
    with Local(cores) as local, Cluster("", Local(), lambda: None) as ray:
        for executor in (local, ray):
            timed(executor, encoder, [texts[0][:64]] * 2 * cores)
        for _ in range(rounds):
            for name, executor in (("local", local), ("ray", ray)):
                used = cpu_seconds(name)
                spent, vectors = timed(executor, encoder, texts)
                seconds[name].append(spent)
                cpu[name].append(cpu_seconds(name) - used)
                found.append(vectors)
        if ray.note:
            raise AnnotError(ray.note)
    local_s, ray_s = median(seconds["local"]), median(seconds["ray"])
    return {
        "local_s": round(local_s, 2),
        "ray_s": round(ray_s, 2),
        "overhead": round(ray_s / local_s - 1, 3),
        "identical": all(one.tobytes() == found[0].tobytes() for one in found),
        "local_cpu_s": round(median(cpu["local"]), 2),
        "ray_cpu_s": round(median(cpu["ray"]), 2),
        "cpu_overhead": round(median(cpu["ray"]) / median(cpu["local"]) - 1, 3),
        "texts": chunks * CHUNK,
        "cores": cores,
        "rounds": rounds,
        "load_before": round(before, 1),
    }


def made_up(chunks: int, rng: np.random.Generator) -> list[list[str]]:
    lengths = rng.integers(WORDS_PER_TEXT // 2, WORDS_PER_TEXT * 3 // 2, chunks * CHUNK)
    texts = [" ".join(rng.choice(WORDS, n)) for n in lengths]
    return [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]


def cpu_seconds(name: str) -> float:
    """Return the CPU seconds of local's processes, or of all others started from here: Ray's, its servers included.

    On a machine that is not quiet they tell more than the clock.
    """
    import psutil

    here = {process.pid for process in active_children()}
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if (process.pid in here) == (name == "local"):
                times = process.cpu_times()
                total += times.user + times.system
    return total


def timed(executor: Executor, encoder: EncoderId, chunks: list[list[str]]) -> tuple[float, NDArray[np.float16]]:
    """Return the seconds it took, and the vectors in the order of the texts."""
    started = time.perf_counter()
    done = dict(encode(executor, encoder, chunks))
    return time.perf_counter() - started, np.concatenate([done[place] for place in range(len(chunks))])
