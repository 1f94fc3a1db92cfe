"""The routes: who may do what, exactly-once over HTTP, and errors in words with the right status."""

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from annot.loop import accounts
from annot.records import Role
from annot.store import Store
from annot.web.api import routes

from .conftest import Small

HEADERS = {"X-Annot": "1"}


@pytest.fixture
def client(small: Small) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=routes), headers=HEADERS) as opened:
        yield opened


def sign_in(client: TestClient, name: str, password: str) -> None:
    assert client.post("/api/sign-in", json={"name": name, "password": password}).status_code == 200


def path(small: Small, end: str = "sync") -> str:
    return f"/api/projects/{small.project.id}/{end}"


BODY = {"tab": "t", "hold": [], "want": 3, "events": []}


def test_every_route_wants_a_session(client: TestClient, small: Small) -> None:
    assert client.post(path(small), json=BODY).status_code == 401
    assert client.get(path(small, "mine")).status_code == 401


def test_a_member_of_another_project_is_refused(client: TestClient, store: Store, small: Small) -> None:
    _, password = accounts.add_account(store, "eve", Role.LEAD)
    sign_in(client, "eve", password)
    assert client.post(path(small), json=BODY).status_code == 403
    assert client.get(path(small, "mine")).status_code == 403


def test_a_form_of_another_site_cannot_post(client: TestClient, small: Small) -> None:
    sign_in(client, "ada", small.password)
    bare = {"X-Annot": "", "Content-Type": "text/plain"}
    assert client.post(path(small), content="{}", headers=bare).status_code == 400


def test_the_session_cookie_cannot_be_read_by_scripts_or_sent_from_elsewhere(client: TestClient, small: Small) -> None:
    answer = client.post("/api/sign-in", json={"name": "ada", "password": small.password})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "token" not in answer.json()


def test_wrong_passwords_are_answered_in_words(client: TestClient, small: Small) -> None:
    answer = client.post("/api/sign-in", json={"name": "ada", "password": "wrong"})
    assert (answer.status_code, answer.json()) == (401, {"error": "The name or the password is not right."})


def test_labels_go_in_once_and_come_back_under_mine(client: TestClient, small: Small) -> None:
    sign_in(client, "ada", small.password)
    item = client.post(path(small), json=BODY).json()["items"][0]
    event = {"uid": "uid-00001", "kind": "label", "item": item["item"], "lease": item["lease"], "labels": [small.labels[0].id]}
    for _ in range(2):
        answer = client.post(path(small), json=BODY | {"events": [event], "account": small.lead.id}).json()
        assert (answer["saved"], answer["refused"], answer["progress"]["labelled"]) == (["uid-00001"], [], 1)
    (mine,) = client.get(path(small, "mine")).json()["answers"]
    assert (mine["text"], mine["labels"]) == (item["text"], [small.labels[0].id])


def test_an_outbox_of_another_account_is_not_taken(client: TestClient, small: Small) -> None:
    sign_in(client, "ada", small.password)
    assert client.post(path(small), json=BODY | {"account": small.lead.id + 1}).status_code == 409


@pytest.mark.parametrize(
    "broken",
    [
        {"tab": ""},
        {"tab": 5},
        {"hold": ["x"]},
        {"hold": "x"},
        {"want": "many"},
        {"events": {}},
    ],
)
def test_a_request_no_panel_makes_is_refused(client: TestClient, small: Small, broken: dict[str, object]) -> None:
    sign_in(client, "ada", small.password)
    answer = client.post(path(small), json=BODY | broken)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "event", [None, {}, {"uid": "uid-00001", "kind": "dance", "item": 1}, {"uid": "uid-00001", "kind": "label", "item": "1"}]
)
def test_one_unreadable_event_does_not_hold_up_the_others(client: TestClient, small: Small, event: object) -> None:
    sign_in(client, "ada", small.password)
    item = client.post(path(small), json=BODY).json()["items"][0]
    good = {"uid": "uid-good-1", "kind": "label", "item": item["item"], "labels": [small.labels[0].id]}
    answer = client.post(path(small), json=BODY | {"events": [event, good]}).json()
    assert answer["saved"] == ["uid-good-1"]
    assert len(answer["refused"]) == 1


def test_sign_out_ends_the_session(client: TestClient, small: Small) -> None:
    sign_in(client, "ada", small.password)
    token = client.cookies["annot_session"]
    client.post("/api/sign-out", json={})
    client.cookies.clear()
    assert client.post(path(small), json=BODY, headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_an_api_client_signs_in_with_a_token(client: TestClient, small: Small) -> None:
    token = client.post("/api/sign-in", json={"name": "ada", "password": small.password, "token": True}).json()["token"]
    client.cookies.clear()
    assert client.post(path(small), json=BODY, headers={"Authorization": f"Bearer {token}"}).status_code == 200
