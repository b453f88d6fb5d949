"""Who looks at the console: a session that a key opens, and the token that its forms carry."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Depends, Request
from fastapi.responses import Response
from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from holdfast.gate.api.room import Room, need, paced
from holdfast.gate.failures import Failure
from holdfast.gate.keys import Caller, Scope
from holdfast.gate.tables import Key, Login, now

LASTS = 8 * 3600  # seconds
FIELDS = 100  # of a form
SESSION, DOOR = "holdfast", "holdfast-door"
HERE = ("127.0.0.1", "localhost", "::1")


class LoggedOut(Exception):
    """Nobody is logged in, or no longer."""


@dataclass(frozen=True)
class Visit:
    """An open session.

    Attributes:
        caller: the key that opened it, its tenant and scopes.
        name: what the key is called.
        csrf: the token that every form of this session carries.
        sha256: under which the session is kept.
    """

    caller: Caller
    name: str
    csrf: str
    sha256: str


@dataclass(frozen=True)
class Sent:
    """A form that came from a page of this session."""

    visit: Visit
    fields: Mapping[str, list[str]]

    def text(self, name: str) -> str:
        """A field's value, "" if it is not there."""
        return self.fields.get(name, [""])[0].strip()


def begin(session: Session, caller: Caller) -> str:
    """A new session for whoever showed a key; gives the name that his cookie carries."""
    revoked = select(Key.id).where(Key.revoked_at.is_not(None))
    session.execute(delete(Login).where(or_(Login.expires_at <= now(), Login.key.in_(revoked))))
    name = secrets.token_urlsafe(32)
    session.add(
        Login(
            sha256=_hash(name),
            key=caller.key,
            csrf=secrets.token_urlsafe(32),
            expires_at=now() + LASTS,
        )
    )
    return name


def found(session: Session, name: str) -> Visit | None:
    """The session of that name; None if there is none, it is over, or its key was revoked."""
    told = _hash(name)
    row = session.execute(
        select(Login, Key).join(Key, Key.id == Login.key).where(Login.sha256 == told)
    ).one_or_none()
    if row is None:
        return None
    login, key = row
    if not same(login.sha256, told) or login.expires_at <= now() or key.revoked_at is not None:
        return None
    caller = Caller(key.id, key.tenant, frozenset(key.scopes))
    return Visit(caller, key.name, login.csrf, login.sha256)


def end(session: Session, visit: Visit) -> None:
    """Forgets a session."""
    session.execute(delete(Login).where(Login.sha256 == visit.sha256))


def same(one: str, other: str) -> bool:
    """Compares in a time that tells nothing."""
    return hmac.compare_digest(one.encode(), other.encode())


def cookie_of(request: Request, name: str) -> str:
    """A cookie's value, "" if it is not there."""
    return request.cookies.get(_named(request, name), "")


def give_cookie(request: Request, response: Response, name: str, value: str, lasts: int) -> None:
    """Sets a cookie that no script reads and no other site's page sends; `lasts` 0 takes it."""
    response.set_cookie(
        _named(request, name),
        value,
        max_age=lasts,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def own_page(request: Request) -> None:
    """Looks whether a form was sent by a page of ours, over a way that nobody overhears.

    Raises:
        Failure: another site's page sent it, or it came unencrypted through the network.
    """
    here = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if not same(request.headers.get("origin", ""), here):
        raise Failure(403, "This form was not sent by a page of this console.", "wrong_origin")
    if request.url.scheme != "https" and request.url.hostname not in HERE:
        raise Failure(403, "Open the console over https: without it, keys can be overheard.")


def visiting(request: Request) -> Visit:
    """Who looks.

    Raises:
        LoggedOut: nobody is logged in.
        Failure: his tenant sent too many requests.
    """
    room: Room = request.app.state.room
    name = cookie_of(request, SESSION)
    with room.database.session() as session:
        visit = found(session, name) if name else None
    if visit is None:
        raise LoggedOut
    request.state.visit = visit
    paced(room, visit.caller)
    return visit


Visitor = Annotated[Visit, Depends(visiting)]


def with_scope(*scopes: Scope) -> Callable[[Visit], Visit]:
    """A dependency: the key of whoever looks has one of these scopes."""

    def check(visit: Visitor) -> Visit:
        need(visit.caller, *scopes)
        return visit

    return check


async def form_of(request: Request, visit: Visitor) -> Sent:
    """A form, once it is sure that a page of this session sent it.

    Raises:
        Failure: none did.
    """
    own_page(request)
    sent = Sent(visit, await fields_of(request))
    belongs(visit, sent.text("csrf"))
    return sent


async def fields_of(request: Request) -> dict[str, list[str]]:
    """The fields of a form without files.

    Raises:
        Failure: it is no such form.
    """
    try:
        body = (await request.body()).decode()
        return parse_qs(body, keep_blank_values=True, max_num_fields=FIELDS)
    except ValueError as error:
        raise Failure(400, "The form cannot be read.", "broken_form") from error


def belongs(visit: Visit, token: str) -> None:
    """Looks at the token of a form.

    Raises:
        Failure: it is not this session's.
    """
    if not same(token, visit.csrf):
        raise Failure(
            403, "This form is not of your present session: open its page again.", "wrong_token"
        )


Form = Annotated[Sent, Depends(form_of)]
Reviewing = Annotated[Visit, Depends(with_scope("review"))]
Tuning = Annotated[Visit, Depends(with_scope("tune"))]
Governing = Annotated[Visit, Depends(with_scope("admin"))]


def _named(request: Request, name: str) -> str:
    # Browsers take a __Host- cookie only over https, and from this very host.
    return f"__Host-{name}" if request.url.scheme == "https" else name


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
