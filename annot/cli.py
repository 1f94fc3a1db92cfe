"""The command line: each command is a thin shell over a use case. Exit codes: 0 done, 1 failed, 2 wrong usage.

Must not import torch, and must not print a traceback for anything an AnnotError explains.
"""

import argparse
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from annot import __version__, formats
from annot.errors import AnnotError, BadInput, NotFound
from annot.loop import accounts, exporting, importing, projects, status
from annot.records import Project, Role, Split, User
from annot.registry import Registry
from annot.settings import ProjectSettings, Workspace, workspace
from annot.store import Store

LEAD = "lead"


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    try:
        code: int | None = arguments.work(workspace(), arguments)
        return code or 0
    except AnnotError as fault:
        print(f"annot: {fault}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("annot: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away, e.g. `| head`
        sys.stderr.close()
        return 0


Work = Callable[[Workspace, argparse.Namespace], int | None]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m annot",
        description="Active-learning annotation of text. ANNOT_HOME names the workspace folder (default: data/workspace).",
    )
    parser.add_argument("--version", action="version", version=f"annot {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, work: Work, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(work=work)
        return added

    one = command("init", init, "Create the workspace and its first lead account; the password is printed once.")
    one.add_argument("--sample", action="store_true", help="also create the bundled sample project")

    one = command("demo", demo, "Create the sample project if needed, then run the web app and the worker until Ctrl-C.")
    one.add_argument("--port", type=int, default=8501)
    one.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")

    one = command("import", import_, f"Import a file ({', '.join(formats.suffixes())}, each also .gz) into a project.")
    one.add_argument("file", type=Path)
    one.add_argument("--project", required=True)
    one.add_argument("--create", action="store_true", help="create the project first if it does not exist")
    one.add_argument("--labels", type=Path, metavar="JSON", help="label set of a project that --create makes")
    one.add_argument("--multi-label", action="store_true", help="several labels may hold at once (with --create)")
    for column in ("text", "id", "label", "split"):
        one.add_argument(f"--{column}", metavar="COLUMN", help=f"the column with the {column} (guessed from its name if left out)")
    one.add_argument("--no-labels", action="store_true", help="take texts only, also where a column with labels is there")
    one.add_argument("--as", dest="as_split", choices=list(Split), help="split of rows that do not say theirs (default: pool)")
    one.add_argument("--strict", action="store_true", help="refuse the whole file at its first bad row")

    one = command("export", export, "Write the current labels with their provenance.")
    one.add_argument("--project", required=True)
    one.add_argument("--format", choices=list(formats.writers), help="default: what the end of FILE says, else csv")
    one.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")
    one.add_argument("--split", default="pool", choices=[*Split, "all"])
    one.add_argument("--skips", action="store_true", help="also write what was skipped")

    one = command("export-model", export_model, "Write the model as a folder: encoder, head, labels, a card, and a script that predicts.")
    one.add_argument("--project", required=True)
    one.add_argument("--out", type=Path, metavar="FOLDER", required=True, help="a new folder, or a file that ends in .zip")

    one = command("set", set_, "Change settings of a project, as NAME=VALUE; without any, print them.")
    one.add_argument("--project", required=True)
    one.add_argument("settings", nargs="*", metavar="NAME=VALUE")

    command("methods", methods, "List the query strategies, self-training methods and formats there are, with what each does.")

    command("worker", run_worker, "Rank, encode and fine-tune in the background until stopped.")

    one = command("stats", stats, "Show a project's quality, labels and background work.")
    one.add_argument("--project", required=True)
    one.add_argument("--json", action="store_true")
    one.add_argument("--report", type=Path, metavar="FILE", help="write the report (.html) or the budget curve (.csv, .png) to a file")

    from annot.simulate import command as simulation

    simulation.add_options(
        command("simulate", simulation.simulate, "Replay a labelled data set with its labels as the annotator, to compare strategies.")
    )

    _user_parser(command("user", user_list, "List, add and change accounts (without a subcommand: list)."))

    one = command("bench", bench, "Measure Annot against a baseline in one run.")
    one.add_argument("name")
    one.add_argument("rest", nargs=argparse.REMAINDER, help="options of the benchmark; NAME --help lists them")

    one = commands.add_parser("job")  # what the worker starts; not for people, so not in the help
    one.add_argument("id", type=int)
    one.set_defaults(work=run_job)
    return parser


def _user_parser(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION")
    one = actions.add_parser("add", help="add an account; the generated password is printed once")
    one.add_argument("name")
    one.add_argument("--role", choices=list(Role), default=Role.ANNOTATOR, help="lead: may also create projects and accounts")
    one.add_argument("--project", help="make it a member of this project too, an annotator there")
    one.set_defaults(work=user_add)
    one = actions.add_parser("password", help="give an account a new generated password")
    one.add_argument("name")
    one.set_defaults(work=user_password)
    one = actions.add_parser("member", help="make an account a member of a project, or take it out")
    one.add_argument("name")
    one.add_argument("--project", required=True)
    one.add_argument("--role", choices=[*Role, "none"], default=Role.ANNOTATOR)
    one.set_defaults(work=user_member)


def opened(home: Workspace) -> Store:
    """Open the workspace for what only reads or changes what is there. Raises NotFound where there is none: a wrong path makes none."""
    if not home.database.is_file():
        raise NotFound(f"There is no workspace at {home.home}. ANNOT_HOME names another one; `python -m annot init` makes one there.")
    return Store(home.database)


def first_lead(store: Store) -> tuple[User, str | None]:
    """Return the first lead account, and its password if it was made just now."""
    for user in store.accounts.all():
        if user.role is Role.LEAD:
            return user, None
    return accounts.add_account(store, LEAD, Role.LEAD)


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
        from annot.loop.sample import ensure_sample

        lead, password = first_lead(store)
        ensure_sample(store, lead)
    return run_demo(home, lead.name, password, host=arguments.host, port=arguments.port)


def import_(home: Workspace, arguments: argparse.Namespace) -> int:
    if not arguments.file.is_file():
        raise BadInput(f"There is no file {arguments.file}.")
    with Store(home.database) as store:
        guessed = formats.guess(formats.columns(arguments.file))
        mapping = formats.Mapping(
            text=arguments.text or guessed.text,
            id=arguments.id or guessed.id,
            label=None if arguments.no_labels else arguments.label or guessed.label,
            split=arguments.split or guessed.split,
        )
        project = _project_to_fill(store, arguments)
        report = importing.import_file(
            store,
            project,
            arguments.file,
            mapping,
            split=Split(arguments.as_split) if arguments.as_split else None,
            strict=arguments.strict,
            on_progress=_show_progress if sys.stderr.isatty() else None,
        )
    for line, reason in report.problems:
        print(f"{report.filename}, line {line}: {reason}", file=sys.stderr)
    print(report.words)
    return 0


def _project_to_fill(store: Store, arguments: argparse.Namespace) -> Project:
    try:
        return store.projects.find(arguments.project)
    except NotFound:
        if not arguments.create:
            raise
    if arguments.labels is None:
        raise BadInput(
            "A new project needs its label set: --labels FILE.json (a list of names, or of {name, title, description, key, parent})."
        )
    labels = projects.read_label_file(arguments.labels)
    lead, password = first_lead(store)
    if password:
        print(f"Sign in as {lead.name} with password {password} (shown only now).")
    made = projects.create_project(store, arguments.project, lead, exclusive=not arguments.multi_label)
    projects.set_label_set(store, made, labels)
    return made


def _show_progress(done: int, total: int) -> None:
    share = 100 * done / total if total else 100
    print(
        f"\r{share:5.1f} %  {done / 2**20:,.0f} of {total / 2**20:,.0f} MB", end="\n" if done >= total else "", file=sys.stderr, flush=True
    )


def export(home: Workspace, arguments: argparse.Namespace) -> None:
    with opened(home) as store:
        project = store.projects.find(arguments.project)
        split = None if arguments.split == "all" else Split(arguments.split)
        rows = exporting.export_rows(store, project, split, skips=arguments.skips)
        kind = arguments.format or (formats.writer_of(arguments.out) if arguments.out else "csv")
        labels = [label.name for label in store.projects.labels(project.id)]
        written = formats.write(kind, arguments.out or sys.stdout.buffer, rows, columns=exporting.COLUMNS, labels=labels)
    if arguments.out:
        print(f"{written:,} answers written to {arguments.out} as {kind}.")


def export_model(home: Workspace, arguments: argparse.Namespace) -> None:
    from annot.loop import handing_over

    with opened(home) as store:
        parts = handing_over.parts_of(home, store, store.projects.find(arguments.project))
    handing_over.save(parts, arguments.out)
    print(f'The model is in {arguments.out}. Try it: python {arguments.out / "predict.py"} "a text"')


def set_(home: Workspace, arguments: argparse.Namespace) -> None:
    with opened(home) as store:
        project = store.projects.find(arguments.project)
        if arguments.settings:
            project = projects.change_settings(store, project, dict(projects.read_setting(words) for words in arguments.settings))
        for name, value in ProjectSettings.parse(project.settings).as_dict().items():
            print(f"{name}={value}")


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


def stats(home: Workspace, arguments: argparse.Namespace) -> None:
    with opened(home) as store:
        facts = status.lead_facts(store, store.projects.find(arguments.project))
    if arguments.report:
        from annot import handout

        handout.save(facts, arguments.report)
    if arguments.json:
        print(json.dumps(status.as_json(facts), indent=2))
    elif not arguments.report:
        print("\n".join(status.in_words(facts)))


def user_list(home: Workspace, arguments: argparse.Namespace) -> None:
    with opened(home) as store:
        for user in store.accounts.all():
            member_of = ", ".join(f"{project.name} ({role})" for project, role in store.projects.of_member(user.id))
            print(f"{user.name}\t{user.role}\t{member_of}")


def user_add(home: Workspace, arguments: argparse.Namespace) -> None:
    with Store(home.database) as store:
        project = store.projects.find(arguments.project) if arguments.project else None
        user, password = accounts.add_account(store, arguments.name, Role(arguments.role))
        if project is not None:
            projects.set_member(store, project, user, Role.ANNOTATOR)
        print(f"Added {user.name} ({user.role}) with password {password} (shown only now).")


def user_password(home: Workspace, arguments: argparse.Namespace) -> None:
    with opened(home) as store:
        print(f"The new password of {arguments.name} is {accounts.set_password(store, arguments.name)} (shown only now).")


def user_member(home: Workspace, arguments: argparse.Namespace) -> None:
    with opened(home) as store:
        user, project = store.accounts.find(arguments.name), store.projects.find(arguments.project)
        projects.set_member(store, project, user, None if arguments.role == "none" else Role(arguments.role))
        print(f"{user.name} is {'no longer a member' if arguments.role == 'none' else arguments.role} of {project.name}.")


def bench(home: Workspace, arguments: argparse.Namespace) -> Any:
    from annot.bench import run_bench

    return run_bench(arguments.name, arguments.rest)
