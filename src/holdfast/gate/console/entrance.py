"""Logging in and out, and the files beside the pages."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from holdfast.gate import keys
from holdfast.gate.api.room import Room, TheRoom
from holdfast.gate.console import pages, sessions
from holdfast.gate.console.pages import Paged, page, seen
from holdfast.gate.console.sessions import DOOR, LASTS, SESSION, Form
from holdfast.gate.failures import Failure
from holdfast.gate.tables import Act

router = APIRouter(prefix="/console", route_class=Paged)
HOME = "/console/jobs"
PATIENCE = 3600  # seconds that a login form may lie open


@router.get("")
def home() -> Response:
    """The list of jobs."""
    return seen(HOME)


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Style, scripts and signs."""
    return pages.static(name)


@router.get("/login")
def door(request: Request, to: Annotated[str, Query(max_length=300)] = "") -> Response:
    """Where a key is shown."""
    return _door(request, to)


@router.post("/login")
async def login(request: Request, room: TheRoom) -> Response:
    """Opens a session for a good key."""
    sessions.own_page(request)
    fields = {name: values[0] for name, values in (await sessions.fields_of(request)).items()}
    token = sessions.cookie_of(request, DOOR)
    if not token or not sessions.same(fields.get("csrf", ""), token):
        return _door(request, fields.get("to", ""), "The form was too old: try again.", 403)
    address = request.client.host if request.client else ""
    if wait := room.logins.wait(address):
        raise Failure(
            429,
            "Too many tries to log in: wait a little.",
            headers={"Retry-After": str(int(wait) + 1)},
        )
    try:
        name = await run_in_threadpool(_opened, room, fields.get("key", "").strip())
    except Failure as error:
        return _door(request, fields.get("to", ""), error.message, error.status)
    answer = seen(_own(fields.get("to", "")))
    sessions.give_cookie(request, answer, SESSION, name, LASTS)
    sessions.give_cookie(request, answer, DOOR, "", 0)
    return answer


@router.post("/logout")
def logout(request: Request, room: TheRoom, form: Form) -> Response:
    """Ends the session."""
    with room.database.session() as session:
        sessions.end(session, form.visit)
    answer = seen("/console/login")
    sessions.give_cookie(request, answer, SESSION, "", 0)
    return answer


def _opened(room: Room, text: str) -> str:
    """The name of a new session.

    Raises:
        Failure: the key is wrong, or opens nothing here.
    """
    with room.database.session() as session:
        caller = keys.caller_of(session, text)
        if caller is None:
            raise Failure(401, "This key is wrong, or was revoked.")
        if not any(caller.may(scope) for scope in ("tune", "review")):
            raise Failure(403, "This key is for asking models; the console needs tune or review.")
        session.add(Act(by=caller.key, tenant=caller.tenant, act="log in", object=caller.key))
        return sessions.begin(session, caller)


def _door(request: Request, to: str, wrong: str = "", status: int = 200) -> Response:
    # Who follows a link of another site is shown this page although he is logged in: his cookie
    # came not along. The page's own link brings him there.
    token = secrets.token_urlsafe(32)
    answer = page(request, "login", status, csrf=token, to=_own(to), wrong=wrong)
    sessions.give_cookie(request, answer, DOOR, token, PATIENCE)
    return answer


def _own(to: str) -> str:
    """A page of the console, whatever was asked for."""
    plain = all(c.isalnum() or c in "/-_:." for c in to)
    return to if to.startswith("/console/") and plain and "//" not in to else HOME
