"""Signing in: right and wrong passwords, the growing pause, sessions, roles."""

import pytest

from annot.errors import BadInput, NotAllowed, SignInRequired
from annot.loop import accounts
from annot.records import Role
from annot.store import Store

from .conftest import Small


def test_the_right_password_opens_a_session_and_sign_out_ends_it(store: Store, small: Small) -> None:
    user, token = accounts.sign_in(store, "ada", small.password)
    assert accounts.who(store, token) == user
    accounts.sign_out(store, token)
    with pytest.raises(SignInRequired):
        accounts.who(store, token)


@pytest.mark.parametrize("token", [None, "", "guess", "x" * 5000])
def test_a_token_nobody_was_given_is_refused(store: Store, small: Small, token: str | None) -> None:
    with pytest.raises(SignInRequired):
        accounts.who(store, token)


def test_sign_in_slows_down_after_failures_and_the_right_password_waits_too(store: Store, small: Small) -> None:
    waits = []
    now = 1000.0
    for _ in range(8):
        with pytest.raises(SignInRequired):
            accounts.sign_in(store, "ada", "wrong", now)
        waits.append(store.accounts.failures("ada")[1] - now)
        now += waits[-1] + 0.001
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32]
    with pytest.raises(SignInRequired, match="Try again in"):
        accounts.sign_in(store, "ada", small.password, now - 1)
    accounts.sign_in(store, "ada", small.password, now)
    assert store.accounts.failures("ada") == (0, 0.0)


def test_unknown_names_are_answered_like_wrong_passwords(store: Store, small: Small) -> None:
    with pytest.raises(SignInRequired) as unknown:
        accounts.sign_in(store, "nobody", "wrong")
    with pytest.raises(SignInRequired) as wrong:
        accounts.sign_in(store, "ada", "wrong")
    assert str(unknown.value) == str(wrong.value)


def test_nobody_can_sign_in_as_the_importer(store: Store) -> None:
    store.accounts.importer(0.0)
    with pytest.raises(SignInRequired):
        accounts.sign_in(store, "import", "")


def test_a_new_password_ends_all_sessions(store: Store, small: Small) -> None:
    _, token = accounts.sign_in(store, "ada", small.password)
    accounts.set_password(store, "ada", "another one")
    with pytest.raises(SignInRequired):
        accounts.who(store, token)


def test_roles_and_membership_are_checked(store: Store, small: Small) -> None:
    bob, _ = accounts.add_account(store, "bob", Role.ANNOTATOR)
    with pytest.raises(NotAllowed):
        accounts.require(store, bob, small.project.id)
    store.projects.set_member(small.project.id, bob.id, Role.ANNOTATOR)
    assert accounts.require(store, bob, small.project.id) == small.project
    with pytest.raises(NotAllowed, match="Only a lead"):
        accounts.require(store, bob, small.project.id, lead=True)
    assert accounts.require(store, small.lead, small.project.id, lead=True) == small.project


@pytest.mark.parametrize(("name", "password"), [("", "long enough"), ("Import", "long enough"), ("a\nb", "long enough"), ("carl", "short")])
def test_bad_names_and_passwords_are_refused(store: Store, name: str, password: str) -> None:
    with pytest.raises(BadInput):
        accounts.add_account(store, name, Role.ANNOTATOR, password)
