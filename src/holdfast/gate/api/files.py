"""/v1/files: upload, list, look at, read, delete."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from holdfast.gate.api.room import Room, TheRoom, Tuner, quick
from holdfast.gate.api.uploads import Received, received
from holdfast.gate.api.wire import Deleted, FileObject, Page, page_of
from holdfast.gate.failures import Failure, conflict, missing
from holdfast.gate.keys import Caller
from holdfast.gate.sketch import Sketch
from holdfast.gate.store import lines_of
from holdfast.gate.tables import ENDED, Act, File, Job, new_id, now

router = APIRouter(prefix="/v1/files", tags=["files"])
HINT = 60  # characters of a bad line that its sender is shown

_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "purpose": {"type": "string", "enum": ["fine-tune"]},
                    },
                }
            }
        },
    }
}


@router.post("", openapi_extra=_FORM)
async def create(request: Request, room: TheRoom, caller: Tuner) -> FileObject:
    """Takes a JSONL file of conversations; bytes go to disk as they come."""
    form = await received(request, room.store, room.options.limits.file_bytes)
    return await run_in_threadpool(kept, room, caller, form)


@router.get("")
def listed(
    room: TheRoom,
    caller: Tuner,
    purpose: Annotated[str | None, Query(max_length=64)] = None,
    after: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    order: Literal["asc", "desc"] = "desc",
) -> Page[FileObject]:
    """The tenant's files."""
    with room.database.session() as session:
        query = select(File).where(File.tenant == caller.tenant, File.deleted_at.is_(None))
        if purpose is not None:
            query = query.where(File.purpose == purpose)
        if after is not None:
            seq = file_of(session, after, caller).seq
            query = query.where(File.seq < seq if order == "desc" else File.seq > seq)
        query = query.order_by(File.seq.desc() if order == "desc" else File.seq).limit(limit + 1)
        found = [told(file) for file in session.scalars(query)]
    return page_of(found, limit)


@router.get("/{file_id}")
@quick
def retrieve(room: TheRoom, caller: Tuner, file_id: str) -> FileObject:
    """One file."""
    with room.database.session() as session:
        return told(file_of(session, file_id, caller))


@router.get(
    "/{file_id}/content",
    response_class=FileResponse,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def content(room: TheRoom, caller: Tuner, file_id: str) -> FileResponse:
    """A file's bytes, as they came."""
    with room.database.session() as session:
        path = room.store.file(file_of(session, file_id, caller).sha256)
    return FileResponse(path, media_type="application/octet-stream")


@router.delete("/{file_id}")
def delete(room: TheRoom, caller: Tuner, file_id: str) -> Deleted:
    """Deletes a file, unless a job still needs it."""
    with room.database.session() as session:
        file = file_of(session, file_id, caller)
        its = or_(Job.training_file == file_id, Job.validation_file == file_id)
        needed = select(func.count()).where(its, Job.status.not_in(ENDED))
        if session.scalar(needed):
            raise conflict(f"{file_id} is needed by a job that has not ended.", "file_in_use")
        file.deleted_at = now()
        session.add(Act(by=caller.key, tenant=caller.tenant, act="delete file", object=file_id))
        session.flush()
        others = select(func.count()).where(File.sha256 == file.sha256, File.deleted_at.is_(None))
        last, sha256 = not session.scalar(others), file.sha256
    if last:
        room.store.delete_file(sha256)
    return Deleted(id=file_id, object="file")


def file_of(session: Session, name: str, caller: Caller, param: str | None = None) -> File:
    """A tenant's file.

    Raises:
        Failure: there is none of that name that he may see.
    """
    found = session.scalar(
        select(File).where(File.id == name, File.tenant == caller.tenant, File.deleted_at.is_(None))
    )
    if found is None:
        raise missing("file", name, param)
    return found


def told(file: File) -> FileObject:
    """A file as the wire has it."""
    return FileObject(
        id=file.id,
        bytes=file.bytes,
        created_at=file.created_at,
        filename=file.filename,
        purpose=file.purpose,
    )


def kept(room: Room, caller: Caller, form: Received) -> FileObject:
    """Keeps a file that has come.

    Raises:
        Failure: there was none, or it holds no rows that can be read.
    """
    upload = form.upload
    if upload is None:
        raise Failure(400, "Send the file in the field `file`.", "missing_file", "file")
    try:
        if form.fields.get("purpose") != "fine-tune":
            raise Failure(400, "Files here have the purpose fine-tune.", "bad_purpose", "purpose")
        if not form.filename.lower().endswith(".jsonl"):
            raise Failure(400, "The file's name must end in .jsonl.", "bad_extension", "file")
        upload.flush()
        sketch = _read(upload.path)
        size, sha256 = upload.bytes, upload.keep()
    except BaseException:
        upload.drop()
        raise
    file = File(
        id=new_id("file"),
        tenant=caller.tenant,
        filename=form.filename,
        purpose="fine-tune",
        bytes=size,
        sha256=sha256,
        sketch=sketch,
    )
    with room.database.session() as session:
        session.add(file)
        session.flush()
        kept = told(file)
    if not room.store.file(sha256).exists():  # the last other file like it was just deleted
        raise Failure(503, "The file could not be kept; send it again.", "unavailable")
    return kept


def _read(path: Path) -> list[int]:
    """Looks at every line; gives the sketch of the file.

    Raises:
        Failure: lines are no JSON objects; all of them are named.
    """
    bad, many, sketch = [], 0, Sketch()
    for number, line in _full(path):
        many += 1
        try:
            value = json.loads(line)
            good = isinstance(value, dict)
        except (ValueError, RecursionError):
            good = False
        if not good:
            hint = line[:HINT].decode("utf-8", "replace").strip()
            bad.append(f'Line {number} is not a dictionary (HINT: line starts with: "{hint}")')
        else:
            sketch.add(value)
    if bad or not many:
        told = f"{len(bad)} lines are not. " if len(bad) > 1 else ""
        raise Failure(
            400,
            "Expected file to have JSONL format, where every line is a JSON dictionary. "
            + (told + "; ".join(bad[:100]) + "." if bad else "The file is empty."),
            "invalid_jsonl",
            "file",
        )
    return sketch.hashes


def _full(path: Path) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(lines_of(path), 1):
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if text.strip():
            yield number, text
