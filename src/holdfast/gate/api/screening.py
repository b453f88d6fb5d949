"""Pre-screening: what the scan would say of a file, before any job is made of it."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from holdfast.gate.api.files import file_of
from holdfast.gate.api.room import Room, TheRoom, Told, Tuner
from holdfast.gate.failures import Failure
from holdfast.gate.keys import Caller

router = APIRouter(prefix="/holdfast/v1", tags=["holdfast"])
SCREENED = 60.0  # seconds that a pre-screening may take
_screening = asyncio.Semaphore(1)


class Screened(BaseModel):
    """What a scan would say of a file."""

    file: str
    verdict: str
    finding: str
    rows: int
    unreadable: list[dict[str, Any]]


@router.post("/files/{file_id}/scan")
async def screen(room: TheRoom, caller: Tuner, file_id: str) -> Screened:
    """What the scan would say of a file, before any job is made."""
    sha256 = await run_in_threadpool(_sha_of, room, caller, file_id)
    if room.pace.wait(f"{caller.tenant} scans"):
        raise Failure(429, "Too many scans.", "rate_limit_exceeded", headers={"Retry-After": "60"})
    told = await _screened(room, sha256)
    return Screened(file=file_id, **told)


def _sha_of(room: Room, caller: Caller, file_id: str) -> str:
    with room.database.session() as session:
        return file_of(session, file_id, caller).sha256


async def _screened(room: Room, sha256: str) -> Told:
    """A scan in a process of its own: the server itself imports nothing heavy."""
    asked = json.dumps(
        {
            "file": str(room.store.file(sha256)),
            "model": room.options.models[0],
            "policy": room.policy.model_dump(mode="json"),
        }
    )
    async with _screening:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "holdfast.gate.screen"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(asked.encode()), SCREENED)
        except TimeoutError as error:
            process.kill()
            raise Failure(
                503,
                f"The scan took more than {SCREENED:.0f} s; make a job of it instead.",
                "unavailable",
            ) from error
    if process.returncode:
        raise Failure(503, "The scan failed; try again.", "unavailable")
    told: Told = json.loads(said)
    return told
