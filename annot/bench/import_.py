"""Rows a second, and peak memory, of taking a file of short texts into a project, against pandas reading and writing the same file.

Each side runs in a process of its own, so that its peak memory is its own. The baseline keeps no promise but to store the rows: no
text search, no ids that make a second import harmless, no refusals. Must not touch a workspace of the user's.
"""

import sqlite3
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

from annot import formats
from annot.bench import _command as command
from annot.bench._crowd import peak_mb, write_texts
from annot.loop import accounts, importing, projects
from annot.records import Role
from annot.store import Store


def main(arguments: list[str]) -> int:
    parser = command.parser("import", __doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="annot-bench-") as folder:
        result = measure(write_texts(Path(folder) / "texts.csv", options.rows), options.rows)
    return command.report(result, options)


def measure(path: Path, rows: int) -> dict[str, object]:
    seconds, cpu, peak = apart(take_in, path)
    baseline_s, _, baseline_peak = apart(by_pandas, path)
    return {
        "rows_per_s": round(rows / seconds),
        "peak_mb": round(peak),
        "rows_per_cpu_s": round(rows / cpu),
        "rows": rows,
        "baseline": "pandas read_csv and to_sql",
        "baseline_rows_per_s": round(rows / baseline_s),
        "baseline_peak_mb": round(baseline_peak),
        "ratio_to_baseline": round(baseline_s / seconds, 2),
    }


def apart(work: Callable[[Path], None], path: Path) -> tuple[float, float, float]:
    """Return the seconds, the processor seconds and the peak memory (MB) of ``work`` in a fresh process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(timed, work, path).result()


def timed(work: Callable[[Path], None], path: Path) -> tuple[float, float, float]:
    began, began_cpu = time.perf_counter(), time.process_time()
    work(path)
    return time.perf_counter() - began, time.process_time() - began_cpu, peak_mb()


def take_in(path: Path) -> None:
    with Store(path.with_name("annot.db")) as store:
        lead, _ = accounts.add_account(store, "lead", Role.LEAD)
        importing.import_file(store, projects.create_project(store, "texts", lead), path, formats.Mapping(text="text"))


def by_pandas(path: Path) -> None:
    import pandas as pd

    with closing(sqlite3.connect(path.with_name("pandas.db"))) as connection:
        pd.read_csv(path, keep_default_na=False).to_sql("items", connection)
