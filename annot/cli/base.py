"""What the commands share: how one is added, and the workspace it works on. Must not hold a command."""

import argparse
from collections.abc import Callable
from typing import Protocol

from annot.errors import NotFound
from annot.loop import accounts
from annot.records import Role, User
from annot.settings import Workspace
from annot.store import Store

LEAD = "lead"
Work = Callable[[Workspace, argparse.Namespace], int | None]


class Command(Protocol):
    """Adds a command of a name, what it does, and what its help says."""

    def __call__(self, name: str, work: Work, text: str) -> argparse.ArgumentParser: ...


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
