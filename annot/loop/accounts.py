"""Signing in and out, making accounts, and asking who may do what. Passwords are hashed with argon2id (argon2-cffi).

Must not log or return a password or a token hash; a session token leaves this module once, to the person who signed in.
"""

import hashlib
import secrets
import time

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from annot.errors import BadInput, NotAllowed, SignInRequired
from annot.records import Project, Role, User
from annot.store import Store
from annot.store.accounts import IMPORTER

SESSION_SECONDS = 14 * 24 * 3600.0
FREE_TRIES = 3
LONGEST_WAIT_S = 300.0
MINIMUM_PASSWORD = 8

_hasher = PasswordHasher()
# Verifying against this when the name is unknown makes both answers take as long.
_NOBODY = _hasher.hash("nobody has this password")


def add_account(store: Store, name: str, role: Role, password: str | None = None) -> tuple[User, str]:
    """Create an account and return it with its password, a generated one when none is given. Raises BadInput."""
    name = name.strip()
    if not name or len(name) > 80 or any(not letter.isprintable() for letter in name):
        raise BadInput("An account name is 1 to 80 visible characters.")
    if name.lower() == IMPORTER:
        raise BadInput(f"The name {name!r} stands for labels that came with a file. Choose another one.")
    password = secrets.token_urlsafe(9) if password is None else password
    return store.accounts.add(name, role, _hash(password), time.time()), password


def set_password(store: Store, name: str, password: str | None = None) -> str:
    """Replace a password, end that account's sessions, and return the new password."""
    password = secrets.token_urlsafe(9) if password is None else password
    if name.lower() == IMPORTER:
        raise BadInput(f"Nobody can sign in as {name!r}.")
    store.accounts.set_password(store.accounts.find(name).id, _hash(password))
    store.accounts.forget_failures(name)
    return password


def _hash(password: str) -> str:
    if len(password) < MINIMUM_PASSWORD:
        raise BadInput(f"A password has at least {MINIMUM_PASSWORD} characters.")
    return _hasher.hash(password)


def sign_in(store: Store, name: str, password: str, now: float | None = None) -> tuple[User, str]:
    """Return the account and a new session token. Raises SignInRequired; after failures the name is closed for a growing while."""
    now = time.time() if now is None else now
    failures, open_again_at = store.accounts.failures(name)
    if now < open_again_at:
        raise SignInRequired(f"Too many failed attempts. Try again in {open_again_at - now:.0f} s.")
    stored = store.accounts.password_hash(name)
    try:
        _hasher.verify(stored or _NOBODY, password)
        right = bool(stored)
    except (VerifyMismatchError, InvalidHashError):
        right = False
    if not right:
        wait = 0.0 if failures + 1 < FREE_TRIES else min(LONGEST_WAIT_S, 2.0 ** (failures + 1 - FREE_TRIES))
        store.accounts.note_failure(name, now + wait)
        raise SignInRequired("The name or the password is not right.")
    store.accounts.forget_failures(name)
    user = store.accounts.find(name)
    token = secrets.token_urlsafe(32)
    store.accounts.open_session(user.id, _digest(token), now, now + SESSION_SECONDS)
    return user, token


def sign_out(store: Store, token: str) -> None:
    store.accounts.close_session(_digest(token))


def who(store: Store, token: str | None) -> User:
    """Return the account a session token stands for. Raises SignInRequired."""
    user = store.accounts.session_user(_digest(token), time.time()) if token else None
    if user is None:
        raise SignInRequired("Please sign in.")
    return user


def require(store: Store, user: User, project: int, *, lead: bool = False) -> Project:
    """Return the project when the account is a member (a lead of it, where asked). Raises NotAllowed alike for absent and foreign ones."""
    role = store.projects.role(project, user.id)
    if role is None:
        raise NotAllowed("This project does not exist or you are not a member of it.")
    if lead and role is not Role.LEAD:
        raise NotAllowed("Only a lead of this project may do this.")
    found = store.projects.get(project)
    if found.put_away:
        raise NotAllowed(f"{found.name} was put away by a lead, who can bring it back. Nothing in it is lost.")
    return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
