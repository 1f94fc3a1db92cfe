"""Commands about accounts and members. A password is printed once, to whoever asked for it, and nowhere else."""

import argparse

from annot.cli.base import Command, opened
from annot.loop import accounts, projects
from annot.records import Role
from annot.settings import Workspace


def add_commands(command: Command) -> None:
    _add_actions(command("user", user_list, "List, add and change accounts (without a subcommand: list)."))


def _add_actions(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION")
    actions.add_parser("list", help="list the accounts and what they are members of").set_defaults(work=user_list)
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


def user_list(home: Workspace, arguments: argparse.Namespace) -> None:
    with opened(home) as store:
        for user in store.accounts.all():
            of = [f"{project.name} ({role})" for project, role in store.projects.of_member(user.id)]
            of += [f"{project.name} ({role}, put away)" for project, role in store.projects.of_member(user.id, put_away=True)]
            print(f"{user.name}\t{user.role}\t{', '.join(of)}")


def user_add(home: Workspace, arguments: argparse.Namespace) -> None:
    with opened(home) as store:
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
