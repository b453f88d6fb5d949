"""Pre-screening: what the scan would say of a file, before any job is made of it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from holdfast.gate.api.files import file_of
from holdfast.gate.api.room import Room, TheRoom, Told, Tuner
from holdfast.gate.failures import Failure
from holdfast.gate.keys import Caller

router = APIRouter(prefix="/holdfast/v1", tags=["holdfast"])
COMMAND = (sys.executable, "-m", "holdfast.gate.screen")
SCREENED = 60.0  # seconds that a pre-screening may take
LISTENED = 0.5  # seconds between two looks at whether the client still waits
_screening = asyncio.Semaphore(1)


class Screened(BaseModel):
    """What a scan would say of a file."""

    file: str
    verdict: str
    finding: str
    rows: int
    unreadable: list[dict[str, Any]]


@router.post("/files/{file_id}/scan")
async def screen(room: TheRoom, caller: Tuner, file_id: str, request: Request) -> Screened:
    """What the scan would say of a file, before any job is made."""
    sha256 = await run_in_threadpool(_sha_of, room, caller, file_id)
    if seconds := room.scans.wait(caller.tenant):
        after = {"Retry-After": str(ceil(seconds))}
        raise Failure(429, "Too many scans.", "rate_limit_exceeded", headers=after)
    told = await screened(room, sha256, request.is_disconnected)
    return Screened(file=file_id, **told)


def _sha_of(room: Room, caller: Caller, file_id: str) -> str:
    with room.database.session() as session:
        return file_of(session, file_id, caller).sha256


async def screened(room: Room, sha256: str, gone: Callable[[], Awaitable[bool]]) -> Told:
    """A scan in a process of its own: the server itself imports nothing heavy.

    Args:
        room: where files are.
        sha256: the file's.
        gone: whether the client has hung up, which ends the scan.

    Raises:
        Failure: it failed, or took too long, or nobody waits for it.
    """
    asked = json.dumps(
        {
            "file": str(room.store.file(sha256)),
            "model": room.options.models[0],
            "policy": room.policy.model_dump(mode="json"),
        }
    )
    async with _screening:
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        answer = asyncio.ensure_future(process.communicate(asked.encode()))
        try:
            async with asyncio.timeout(SCREENED):
                while not answer.done():
                    if await gone():
                        raise Failure(499, "The client has hung up.")
                    await asyncio.wait({answer}, timeout=LISTENED)
        except TimeoutError as error:
            late = f"The scan took more than {SCREENED:.0f} s; make a job of it instead."
            raise Failure(503, late, "unavailable") from error
        finally:
            if process.returncode is None:
                process.kill()
            said, _ = await answer
    if process.returncode:
        raise Failure(503, "The scan failed; try again.", "unavailable")
    told: Told = json.loads(said)
    return told
