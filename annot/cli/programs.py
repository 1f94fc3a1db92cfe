"""Commands that set up or run something: the workspace, the demo, the worker, replays, benchmarks. Each starts what does the work.

Programs are imported when they are asked for (of simulate only its options), so that `--help` loads none of them.
"""

import argparse
from typing import Any

from annot import formats
from annot.cli.base import Command, first_lead
from annot.registry import Registry
from annot.settings import Workspace
from annot.simulate import command as simulate
from annot.store import Store


def add_commands(command: Command) -> None:
    one = command("init", init, "Create the workspace and its first lead account; the password is printed once.")
    one.add_argument("--sample", action="store_true", help="also create the bundled sample project")

    one = command("demo", demo, "Create the sample project if needed, then run the web app and the worker until Ctrl-C.")
    one.add_argument("--port", type=int, default=8501)
    one.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")

    command("methods", methods, "List the query strategies, self-training methods and formats there are, with what each does.")

    command("worker", run_worker, "Rank, encode and fine-tune in the background until stopped.")

    one = command("simulate", simulate.simulate, "Replay a labelled data set with its labels as the annotator, to compare strategies.")
    simulate.add_options(one)

    one = command("bench", bench, "Measure Annot against a baseline in one run.")
    one.add_argument("name")
    one.add_argument("rest", nargs=argparse.REMAINDER, help="options of the benchmark; NAME --help lists them")


def init(home: Workspace, arguments: argparse.Namespace) -> None:
    with Store(home.database) as store:
        lead, password = first_lead(store)
        if password:
            print(f"Workspace: {home.home}\nSign in as {lead.name} with password {password} (shown only now).")
        else:
            print(f"Workspace: {home.home}\nAlready set up. Sign in as {lead.name}.")
        if arguments.sample:
            from annot.loop.sample import ensure_sample

            project = ensure_sample(store, lead)
            print(f"Project: {project.name}")


def demo(home: Workspace, arguments: argparse.Namespace) -> int:
    from annot.demo import run_demo

    with Store(home.database) as store:
        from annot.loop.sample import NAME, ensure_sample

        lead, password = first_lead(store)
        if NAME in (known := [project.name for project in store.projects.all()]) or not known:  # else it was renamed, or was never wanted
            ensure_sample(store, lead)
    return run_demo(home, lead.name, password, host=arguments.host, port=arguments.port)


def methods(home: Workspace, arguments: argparse.Namespace) -> None:
    from annot import selectors, selftraining

    listed: list[tuple[str, Registry[Any]]] = [
        ("Query strategies", selectors.selectors),
        ("Self-training methods", selftraining.methods),
        ("Formats read", formats.readers),
        ("Formats written", formats.writers),
    ]
    for title, registry in listed:
        print(f"{title}:")
        for name in registry:
            print(f"  {name:<32}{registry.says(name)}")


def run_worker(home: Workspace, arguments: argparse.Namespace) -> None:
    from annot.worker import work

    work(home)


def run_job(home: Workspace, arguments: argparse.Namespace) -> int:
    from annot.job import perform

    return perform(home, arguments.id)


def bench(home: Workspace, arguments: argparse.Namespace) -> Any:
    from annot.bench import run_bench

    return run_bench(arguments.name, arguments.rest)
