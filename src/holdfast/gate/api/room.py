"""What the server's answers come from, and who may ask: keys, scopes, tenants, limits."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Annotated, Any, TypeVar

from dbos import DBOSClient
from fastapi import Depends, Request, Response
from pydantic import BaseModel

from holdfast.gate import keys
from holdfast.gate.database import Database
from holdfast.gate.decision import DecisionPolicy
from holdfast.gate.failures import Failure
from holdfast.gate.keys import Caller, Scope
from holdfast.gate.options import Options
from holdfast.gate.store import Store

Answer = TypeVar("Answer", bound=BaseModel)
MINUTE = 60.0
FRESH = 1.0  # seconds for which a key that was good is still taken for good
MOST_SEEN = 10_000  # keys remembered at once
LOGINS = 30  # tries to log in to the console that an address has within a minute


class Metrics:
    """Counts of answers and the time they took, for Prometheus."""

    BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str, int], int] = defaultdict(int)
        self.buckets = [0] * (len(self.BOUNDS) + 1)
        self.seconds = 0.0
        self._lock = threading.Lock()

    def seen(self, method: str, path: str, status: int, seconds: float) -> None:
        """One answer."""
        with self._lock:
            self.answers[method, path, status] += 1
            at = next((i for i, b in enumerate(self.BOUNDS) if seconds <= b), len(self.BOUNDS))
            self.buckets[at] += 1
            self.seconds += seconds


class Pace:
    """How many requests each tenant sent within the last minute, roughly."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def wait(self, tenant: str) -> float:
        """Seconds that the tenant must wait before he may ask; 0 lets him ask now."""
        with self._lock:
            now = time.monotonic()
            left, at = self._left.get(tenant, (float(self.most), now))
            left = min(self.most, left + (now - at) * self.most / MINUTE)
            if left < 1:
                self._left[tenant] = (left, now)
                return (1 - left) * MINUTE / self.most
            self._left[tenant] = (left - 1, now)
            return 0.0


class Callers:
    """Who has which key, asked of the database anew after `FRESH` seconds."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._seen: dict[str, tuple[float, Caller]] = {}

    async def of(self, text: str) -> Caller | None:
        """Who has this key; None if nobody does."""
        name = keys.hashed(text)
        at, caller = self._seen.get(name, (0.0, None))
        if caller is not None and time.monotonic() - at < FRESH:
            return caller
        if len(self._seen) > MOST_SEEN:
            self._seen.clear()
        found = await self.database.ask(partial(self._asked, text))
        if found is None:
            self._seen.pop(name, None)
            return None
        self._seen[name] = (time.monotonic(), found)
        return found

    def forget(self) -> None:
        """Asks the database about every key again."""
        self._seen.clear()

    def _asked(self, text: str) -> Caller | None:
        with self.database.session() as session:
            return keys.caller_of(session, text)


@dataclass
class Room:
    """What every answer may use.

    Attributes:
        queue: puts jobs into the queue, in the transaction that makes them.
    """

    options: Options
    policy: DecisionPolicy
    database: Database
    store: Store
    queue: DBOSClient
    key: bytes
    metrics: Metrics = field(default_factory=Metrics)
    callers: Callers = field(init=False)
    pace: Pace = field(init=False)
    scans: Pace = field(init=False)
    logins: Pace = field(init=False)

    def __post_init__(self) -> None:
        self.callers = Callers(self.database)
        self.pace = Pace(self.options.limits.requests)
        self.scans = Pace(self.options.limits.scans)
        self.logins = Pace(LOGINS)


def quick(answer: Callable[..., Answer]) -> Callable[..., Awaitable[Answer]]:
    """An answer from one short question; FastAPI would check it once more."""

    @wraps(answer)
    async def at_once(*, room: Room, **more: Any) -> Any:
        found = await room.database.ask(partial(answer, room=room, **more))
        return Response(found.model_dump_json(), media_type="application/json")

    return at_once


# Async where nothing waits: FastAPI sends every plain function to a thread and back.
async def room_of(request: Request) -> Room:
    """The server's room."""
    room: Room = request.app.state.room
    return room


async def known(request: Request) -> Caller:
    """Who asks.

    Raises:
        Failure: no key, a wrong one, or too many requests.
    """
    room = await room_of(request)
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        message = "Send your API key as `Authorization: Bearer KEY`."
        raise Failure(401, message, "invalid_api_key", headers={"WWW-Authenticate": "Bearer"})
    caller = await room.callers.of(text.strip())
    if caller is None:
        raise Failure(
            401,
            "Incorrect API key provided.",
            "invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )
    paced(room, caller)
    return caller


def paced(room: Room, caller: Caller) -> None:
    """Counts a request.

    Raises:
        Failure: the tenant sent too many within a minute.
    """
    if wait := room.pace.wait(caller.tenant):
        raise Failure(
            429,
            f"Too many requests: {room.options.limits.requests} a minute are allowed.",
            "rate_limit_exceeded",
            headers={"Retry-After": str(int(wait) + 1)},
        )


def need(caller: Caller, *scopes: Scope) -> None:
    """Looks whether a caller has one of these scopes.

    Raises:
        Failure: he has none of them.
    """
    if not any(caller.may(scope) for scope in scopes):
        needed = " or ".join(scopes)
        raise Failure(403, f"This key lacks the scope {needed}.", "insufficient_permissions")


def allowed(*scopes: Scope) -> Callable[[Caller], Awaitable[Caller]]:
    """A dependency: whoever asks has one of these scopes."""

    async def check(caller: Annotated[Caller, Depends(known)]) -> Caller:
        need(caller, *scopes)
        return caller

    return check


TheRoom = Annotated[Room, Depends(room_of)]
Tuner = Annotated[Caller, Depends(allowed("tune"))]
Asker = Annotated[Caller, Depends(allowed("infer", "tune"))]
Reviewer = Annotated[Caller, Depends(allowed("review"))]
Admin = Annotated[Caller, Depends(allowed("admin"))]
Anyone = Annotated[Caller, Depends(known)]
Told = dict[str, Any]
