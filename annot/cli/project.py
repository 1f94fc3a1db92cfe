"""Commands about one project: what goes in, what comes out, its settings and its figures. Each is a thin shell over a use case."""

import argparse
import json
import shlex
import sys
from pathlib import Path

from annot import formats
from annot.cli.base import Command, first_lead, opened
from annot.errors import BadInput, NotFound
from annot.loop import exporting, importing, projects, status
from annot.records import Project, Split
from annot.settings import ProjectSettings, Workspace
from annot.store import Store


def add_commands(command: Command) -> None:
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

    _add_actions(command("project", project_list, "List, rename, put away or bring back projects (without a subcommand: list)."))

    one = command("set", set_, "Change settings of a project, as NAME=VALUE; without any, print them.")
    one.add_argument("--project", required=True)
    one.add_argument("settings", nargs="*", metavar="NAME=VALUE")

    one = command("stats", stats, "Show a project's quality, labels and background work.")
    one.add_argument("--project", required=True)
    one.add_argument("--json", action="store_true")
    one.add_argument("--report", type=Path, metavar="FILE", help="write the report (.html) or the budget curve (.csv, .png) to a file")


def _add_actions(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION")
    actions.add_parser("list", help="list the projects with their number of texts and labels").set_defaults(work=project_list)
    one = actions.add_parser("rename", help="give a project another name")
    one.add_argument("name")
    one.add_argument("new_name")
    one.set_defaults(work=project_rename)
    one = actions.add_parser("put-away", help="take a project out of sight; nothing of it is deleted, and it can still be exported")
    one.add_argument("name")
    one.set_defaults(work=project_put_away)
    one = actions.add_parser("bring-back", help="undo put-away")
    one.add_argument("name")
    one.set_defaults(work=project_bring_back)


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
        found = store.projects.find(arguments.project)
        if found.put_away:
            raise BadInput(f"{found.name} was put away. Bring it back first: {_bring_back(found)}")
        return found
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


def _bring_back(project: Project) -> str:
    return f"python -m annot project bring-back {shlex.quote(project.name)}"


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
    hint = f' Try it: python {arguments.out / "predict.py"} "a text"' if arguments.out.is_dir() else " Unpack it and run its predict.py."
    print(f"The model is in {arguments.out}.{hint}")


def project_list(home: Workspace, arguments: argparse.Namespace) -> None:
    with opened(home) as store:
        for project in store.projects.all():
            texts, given = store.items.count(project.id, Split.POOL), store.answers.labels(project.id)
            print(*[project.name, f"{texts:,} texts", f"{given:,} labels", *["put away"] * project.put_away], sep="\t")


def project_rename(home: Workspace, arguments: argparse.Namespace) -> None:
    with opened(home) as store:
        found = projects.rename(store, store.projects.find(arguments.name), arguments.new_name)
        print(f"It is called {found.name} now.")


def project_put_away(home: Workspace, arguments: argparse.Namespace) -> None:
    with opened(home) as store:
        found = projects.put_away(store, store.projects.find(arguments.name))
        print(f"{found.name} is out of sight. To undo that: {_bring_back(found)}")


def project_bring_back(home: Workspace, arguments: argparse.Namespace) -> None:
    with opened(home) as store:
        found = projects.bring_back(store, store.projects.find(arguments.name))
        print(f"{found.name} is back.")


def set_(home: Workspace, arguments: argparse.Namespace) -> None:
    with opened(home) as store:
        project = store.projects.find(arguments.project)
        if arguments.settings:
            project = projects.change_settings(store, project, dict(projects.read_setting(words) for words in arguments.settings))
        for name, value in ProjectSettings.parse(project.settings).as_dict().items():
            print(f"{name}={value}")


def stats(home: Workspace, arguments: argparse.Namespace) -> None:
    with opened(home) as store:
        found = store.projects.find(arguments.project)
        facts = status.lead_facts(store, found)
    if arguments.report:
        from annot import handout

        handout.save(facts, arguments.report)
    if arguments.json:
        print(json.dumps(status.as_json(facts), indent=2))
    elif not arguments.report:
        print("\n".join([*[f"{found.name} is put away. {_bring_back(found)}"] * found.put_away, *status.in_words(facts)]))
