"""A job's page while the job runs: the parts that changed, as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response, StreamingResponse

from holdfast.gate.api.room import Room, TheRoom
from holdfast.gate.console import curve, reading, sessions, words
from holdfast.gate.console.pages import Paged, environment
from holdfast.gate.console.sessions import SESSION, Visit, Visitor
from holdfast.gate.failures import Failure
from holdfast.gate.tables import ENDED

router = APIRouter(prefix="/console/jobs", route_class=Paged)
EVERY = 1.0  # seconds between two looks
QUIET = 15.0  # seconds after which something is said, so that no proxy hangs up
LONGEST = 900.0  # seconds; the browser then comes again
MOST = 100  # streams at once
PARTS = ("summary", "line", "loss", "story", "found", "doings")
_open: set[int] = set()


@dataclass
class Stream:
    """What one browser has been sent.

    Attributes:
        seen: mark of the job when its page was last made.
        sent: the parts, by name, as the browser has them.
    """

    room: Room
    name: str
    job: str
    seen: str
    sent: dict[str, str] = field(default_factory=dict)
    over: bool = False

    def look(self) -> list[tuple[str, str]]:
        """The parts that changed; `over` once nothing will change any more."""
        with self.room.database.session() as session:
            visit = sessions.found(session, self.name)
            now = reading.mark_of(session, self.job) if visit else ""
        if visit is None:
            self.over = True
            return []
        first = not self.sent
        if now == self.seen and not first:
            return []
        told = reading.job_page(self.room, visit.caller, self.job)
        made = parts(told, visit)
        changed = [(n, text) for n, text in made.items() if self.sent.get(n) != text]
        if first and now == self.seen:
            changed = []  # the page that asks has just been made
        self.seen, self.sent = now, made
        self.over = told.job.status in ENDED
        return changed


@router.get("/{job_id}/live")
def live(
    request: Request,
    room: TheRoom,
    visit: Visitor,
    job_id: str,
    seen: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """The parts of a job's page, each whenever it changes."""
    reading.job_page(room, visit.caller, job_id)  # or there is no such job
    if len(_open) >= MOST:
        raise Failure(503, "Too many pages are being followed.", headers={"Retry-After": "30"})
    stream = Stream(room, sessions.cookie_of(request, SESSION), job_id, seen)
    return StreamingResponse(
        _said(stream), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


def parts(told: reading.JobPage, visit: Visit) -> dict[str, str]:
    """The parts of a job's page that change while it runs."""
    made = environment().get_template("parts.html.j2").module
    drawn = curve.loss(told.steps)
    return {name: str(getattr(made, name)(told, visit, words, drawn)).strip() for name in PARTS}


async def _said(stream: Stream) -> AsyncIterator[str]:
    _open.add(id(stream))
    try:
        began = quiet = time.monotonic()
        while time.monotonic() - began < LONGEST:
            for name, text in await run_in_threadpool(stream.look):
                yield _event(name, text)
                quiet = time.monotonic()
            if stream.over:
                yield _event("over", "")
                return
            if time.monotonic() - quiet > QUIET:
                yield ": still here\n\n"
                quiet = time.monotonic()
            await asyncio.sleep(EVERY)
    finally:
        _open.discard(id(stream))


def _event(name: str, text: str) -> str:
    lines = "".join(f"data: {line}\n" for line in text.splitlines() or [""])
    return f"event: {name}\n{lines}\n"
