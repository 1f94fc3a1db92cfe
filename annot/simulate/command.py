"""``python -m annot simulate``: which cells to run, told as they finish, with the table and the curves at the end.

Must not know how a cell is run or what a score means.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from annot.errors import BadInput
from annot.settings import Workspace
from annot.simulate import cell as cells
from annot.simulate import grid, page, report
from annot.simulate.cell import Cell

DEFAULTS: dict[str, Any] = {"policies": ["random", "breaking_ties", "default"], "seeds": 3, "run_every": 50, "pool": 2_000, "test": 1_000}
QUICK = DEFAULTS | {"seeds": 1, "pool": 1_500, "test": 500}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, nargs="+", default=[], metavar="PATH", help="folders with train and test, or labelled files")
    parser.add_argument("--policies", nargs="+", default=DEFAULTS["policies"], metavar="NAME",
                        help=f"{', '.join(cells.POLICIES)}; or SELECTOR, or SELECTOR+METHOD")  # fmt: skip
    parser.add_argument("--seeds", type=int, default=DEFAULTS["seeds"])
    parser.add_argument("--labels", type=int, default=cells.LABELS)
    parser.add_argument("--first", type=int, default=cells.FIRST, help="labels before the first query")
    parser.add_argument("--query", type=int, default=cells.QUERY, help="labels a query")
    parser.add_argument(
        "--run-every", type=int, default=DEFAULTS["run_every"], help="labels after which the encoder is fine-tuned, and at the end; 0 never"
    )
    parser.add_argument("--run-steps", type=int, default=cells.DEFAULTS.run_steps, help="optimiser steps of one fine-tuning")
    parser.add_argument("--pool", type=int, default=DEFAULTS["pool"], help="texts to choose from, a random part")
    parser.add_argument("--test", type=int, default=DEFAULTS["test"], help="texts to judge on, a random part")
    parser.add_argument("--judge", choices=["test", "dev"], default="test", help="dev: on training texts, to choose constants by")
    parser.add_argument("--parents", action="store_true", help="labels replaced by those above them in hierarchy.json")
    parser.add_argument("--encoder", default=cells.DEFAULTS.encoder)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="cells at a time, one core each")
    parser.add_argument("--out", type=Path, help="results, one JSON line a cell; cells it holds are not run again")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="where curves go (default: beside the results)")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write what the results file says into this page (docs/benchmarks.md)")
    parser.add_argument("--study", metavar="NAME",
                        help="not strategies, but what the lead's numbers are worth: coverage, forecast, shadow")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="one seed, three policies, a small pool: a first look in minutes")


def runs_at(first: int, labels: int, every: int) -> tuple[int, ...]:
    """Return the label counts at which a replay fine-tunes: after the first labels, every so many after, and at the end."""
    return tuple(sorted({*range(first, labels, every), labels})) if every > 0 else ()


def plan(options: argparse.Namespace) -> list[Cell]:
    """Return the cells, seed by seed, so that what is cut short can still be compared."""
    if options.seeds < 1 or options.jobs < 1:
        raise BadInput("--seeds and --jobs must be at least 1.")
    choices: dict[str, Any] = {
        "labels": options.labels,
        "first": options.first,
        "query": options.query,
        "runs_at": runs_at(options.first, options.labels, options.run_every),
        "run_steps": options.run_steps,
        "pool": options.pool,
        "test": options.test,
        "level": "parent" if options.parents else "",
        "judge": options.judge,
        "encoder": options.encoder,
    }
    return [
        cells.make(str(data), policy, seed, **choices)
        for seed in range(1, options.seeds + 1)
        for data in options.data
        for policy in options.policies
    ]


def simulate(home: Workspace, options: argparse.Namespace) -> int:
    from tqdm import tqdm

    if options.study:
        return study(home, options)
    if options.quick:  # what was said explicitly stands
        for name, value in QUICK.items():
            if getattr(options, name) == DEFAULTS[name]:
                setattr(options, name, value)
    if not options.data and not options.page:
        raise BadInput("Name the data to replay: --data FOLDER, e.g. --data ../shared/datasets/trec6.")
    planned = plan(options)
    out = options.out or report.results_file(home)
    with tqdm(total=len(planned), unit="cell", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:

        def done(words: str) -> None:
            bar.write(words, file=sys.stderr)
            bar.update()

        results = grid.run(planned, out, home.vectors, options.jobs, done)
    if results:
        print(report.table(report.summarise(results)))
    if options.page:
        everything = grid.read(out)
        pictures = report.draw(report.comparable(everything), options.page.parent / "img" / "benchmarks")
        page.write(everything, options.page)
    else:
        pictures = report.draw(results, options.plots or out.parent / "plots")
    print(f"Results: {out}. Curves: {', '.join(str(path) for path in pictures)}.")
    return 0 if len(results) == len(set(planned)) else 1


def study(home: Workspace, options: argparse.Namespace) -> int:
    """Run a study with --seeds projects of each data set; with --page the tables go there, else to the terminal."""
    from annot.simulate.studies import page as studies

    facts = studies.run(options.study, options.data, options.seeds, home.home, options.out or report.results_file(home))
    if options.page:
        studies.keep(options.study, facts, options.page)
        print(f"Tables: {options.page}. Facts: {options.page.with_suffix('.json')}.")
    else:
        print("\n".join(studies.TABLES[options.study](facts)))
    return 0
