"""The routes the panel and API clients talk to: sign in and out, hand in answers, get leased items; and the model as a file.

Every route checks who asks. Must not draw anything and must not hold state: each request opens the store in its own thread, but for
those that write labels, which share one writer and its commits.
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from annot.errors import AnnotError, BadInput, Busy, NotAllowed, NotFound, SignInRequired, WorkspaceError
from annot.loop import accounts, handing_over, labelling
from annot.records import Answer, Lease, User
from annot.settings import workspace
from annot.store import Store
from annot.store.commits import commits_of
from annot.web.downloads import file_name

COOKIE = "annot_session"
LARGEST_BODY = 4 * 1024 * 1024
STATUS = {SignInRequired: 401, NotAllowed: 403, NotFound: 404, BadInput: 400, Busy: 503, WorkspaceError: 503}


class OtherAccount(NotAllowed):
    """The request was made for one account and the session belongs to another."""


Work = Callable[[Store, Request, Any], Response]


def _route(path: str, method: str, work: Work, *, together: bool = False) -> Route:
    """Make a route of ``work(store, request, body)``; ``together``: its writes share a commit with those of other requests."""

    async def endpoint(request: Request) -> Response:
        try:
            body = await _json_body(request) if method == "POST" else None
            if together:
                unit = commits_of(workspace().database).submit(lambda store: work(store, request, body))
                return await asyncio.wrap_future(unit)
            return await run_in_threadpool(_with_store, work, request, body)
        except AnnotError as fault:
            return JSONResponse({"error": str(fault)}, _status(fault))

    return Route(path, endpoint, methods=[method])


def _with_store(work: Work, request: Request, body: Any) -> Response:
    with Store(workspace().database) as store:
        return work(store, request, body)


def _status(fault: AnnotError) -> int:
    if isinstance(fault, OtherAccount):
        return 409
    return next((status for kind, status in STATUS.items() if isinstance(fault, kind)), 500)


async def _json_body(request: Request) -> Any:
    # A form on another site can neither set this header nor send JSON without a preflight.
    if request.headers.get("x-annot") != "1" or not request.headers.get("content-type", "").startswith("application/json"):
        raise BadInput("Send JSON with the headers Content-Type: application/json and X-Annot: 1.")
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > LARGEST_BODY:
            raise BadInput(f"The request is larger than {LARGEST_BODY // 2**20} MB.")
    try:
        body = json.loads(raw)
    except ValueError:
        raise BadInput("The request body is not JSON.") from None
    if not isinstance(body, dict):
        raise BadInput("The request body must be a JSON object.")
    return body


def token_of(cookies: Any, authorization: str = "") -> str | None:
    """Return the session token a browser (cookie) or an API client (``Authorization: Bearer``) presents."""
    if authorization.startswith("Bearer "):
        return authorization.removeprefix("Bearer ")
    found = cookies.get(COOKIE)
    return found if isinstance(found, str) else None


def _who(store: Store, request: Request) -> User:
    return accounts.who(store, token_of(request.cookies, request.headers.get("authorization", "")))


def sign_in(store: Store, request: Request, body: Any) -> Response:
    name, password = body.get("name"), body.get("password")
    if not isinstance(name, str) or not isinstance(password, str) or len(name) > 80 or len(password) > 1000:
        raise BadInput("Give a name of at most 80 characters and a password.")
    user, token = accounts.sign_in(store, name.strip(), password)
    response = JSONResponse({"user": {"id": user.id, "name": user.name}} | ({"token": token} if body.get("token") is True else {}))
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(accounts.SESSION_SECONDS),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
        path="/",
    )
    return response


def sign_out(store: Store, request: Request, body: Any) -> Response:
    if token := token_of(request.cookies, request.headers.get("authorization", "")):
        accounts.sign_out(store, token)
    response = JSONResponse({})
    response.delete_cookie(COOKIE, path="/")
    return response


def sync(store: Store, request: Request, body: Any) -> Response:
    user = _who(store, request)
    if body.get("account") not in (None, user.id):
        raise OtherAccount("You are signed in as another account than these answers were given by. Sign in as that account to send them.")
    project = accounts.require(store, user, request.path_params["project"])
    events, hold, want = body.get("events", []), body.get("hold", []), body.get("want", 10)
    if not isinstance(events, list) or not isinstance(hold, list) or type(want) is not int or any(type(one) is not int for one in hold):
        raise BadInput("events and hold must be lists (hold of whole numbers), want a whole number.")
    labelling.check_size(len(events), len(hold))
    tab = body.get("tab")
    if not isinstance(tab, str):
        raise BadInput("tab must be a text.")
    parsed, unreadable = [], []
    for raw in events:
        try:
            parsed.append(labelling.parse_event(raw))
        except BadInput as fault:
            unreadable.append({"uid": raw.get("uid") if isinstance(raw, dict) else None, "error": str(fault)})
    result = labelling.sync(store, project, user, tab, events=parsed, hold=hold, want=want)
    return JSONResponse(
        {
            "saved": result.saved,
            "refused": unreadable + [{"uid": uid, "error": why} for uid, why in result.refused],
            "items": [_item(lease) for lease in result.leases],
            "stale": result.stale,
            "progress": asdict(result.progress),
            "ranking": asdict(result.ranking) if result.ranking else None,
            "setup": result.setup,
        }
    )


def mine(store: Store, request: Request, body: Any) -> Response:
    user = _who(store, request)
    project = accounts.require(store, user, request.path_params["project"])
    try:
        limit = min(200, max(1, int(request.query_params.get("limit", "50"))))
    except ValueError:
        raise BadInput("limit must be a whole number.") from None
    return JSONResponse({"answers": [_answer(answer, text) for answer, text in store.answers.mine(project.id, user.id, limit)]})


def model(store: Store, request: Request, body: Any) -> Response:
    """The project's model as a zip file, for its leads."""
    project = accounts.require(store, _who(store, request), request.path_params["project"], lead=True)
    parts = handing_over.parts_of(workspace(), store, project)
    folder = Path(tempfile.mkdtemp(prefix="annot-"))
    try:
        handing_over.save(parts, folder / "model.zip")
    except AnnotError:
        shutil.rmtree(folder)
        raise
    name = file_name(project, "model", ".zip")
    gone = BackgroundTask(shutil.rmtree, folder)
    return FileResponse(folder / "model.zip", filename=name, media_type="application/zip", background=gone)


def _item(lease: Lease) -> dict[str, Any]:
    return {
        "lease": lease.id,
        "item": lease.item,
        "text": lease.text,
        "why": {
            "reason": lease.reason,
            "score": lease.score,
            "probability": lease.probability,
            "model": lease.model,
            "labels": lease.labels,
        },
        "guesses": lease.guesses,
        "twins": [asdict(twin) for twin in lease.twins],
        "expires_at": lease.expires_at,
    }


def _answer(answer: Answer, text: str) -> dict[str, Any]:
    return {
        "uid": answer.uid,
        "item": answer.item,
        "text": text,
        "kind": answer.kind,
        "labels": answer.labels,
        "relation": answer.relation,
        "note": answer.note,
        "at": answer.at,
    }


routes = [
    _route("/api/sign-in", "POST", sign_in),
    _route("/api/sign-out", "POST", sign_out),
    _route("/api/projects/{project:int}/sync", "POST", sync, together=True),
    _route("/api/projects/{project:int}/mine", "GET", mine),
    _route("/api/projects/{project:int}/model", "GET", model),
]
