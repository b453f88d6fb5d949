"""/v1/fine_tuning/jobs: create, follow, pause, resume, cancel."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from holdfast.gate import events
from holdfast.gate.api.files import file_of
from holdfast.gate.api.room import Room, TheRoom, Tuner, quick
from holdfast.gate.api.wire import (
    JobError,
    JobObject,
    Method,
    NewJob,
    Page,
    Supervised,
    page_of,
)
from holdfast.gate.failures import Failure, conflict, missing
from holdfast.gate.keys import Caller
from holdfast.gate.names import NAME, QUEUE, VERSION
from holdfast.gate.sketch import shared
from holdfast.gate.tables import RUNNABLE, WAITING, File, Job, Once, new_id, now

router = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["fine-tuning"])
ALIKE = 0.8  # share of rows from which on a file is a near-copy of another
TRIES = 3  # near-copies of a refused file that a tenant may submit
DAY = 24 * 3600

After = Annotated[str | None, Query(max_length=64)]


@router.post("")
def create(
    room: TheRoom,
    caller: Tuner,
    body: NewJob,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> JobObject:
    """Makes a job and puts it into the queue, both or neither."""
    if body.model not in room.options.models:
        raise Failure(
            404,
            f"The model {body.model!r} cannot be tuned here; {', '.join(room.options.models)} can.",
            "model_not_found",
            "model",
        )
    asked = hashlib.sha256(body.model_dump_json().encode()).hexdigest()
    with room.database.session() as session:
        if idempotency_key and (made := _made(session, caller, idempotency_key, asked)):
            return told(made)
        training = file_of(session, body.training_file, caller, "training_file")
        if body.validation_file is not None:
            file_of(session, body.validation_file, caller, "validation_file")
        _not_too_many(room, session, caller)
        near = _near(session, caller, training)
        of = Job(
            id=new_id("ftjob"),
            tenant=caller.tenant,
            model=body.model,
            training_file=body.training_file,
            validation_file=body.validation_file,
            data_sha256=training.sha256,
            hyperparameters=body.chosen.model_dump(),
            suffix=body.suffix,
            seed=body.seed if body.seed is not None else 0,
            meta=body.metadata or {},
            near=near,
        )
        session.add(of)
        if idempotency_key:
            session.add(Once(tenant=caller.tenant, key=idempotency_key, body=asked, job=of.id))
        session.flush()
        events.say(session, of.id, events.CREATED.format(job=of.id))
        enqueue(room, session, of)
        return told(of)


@router.get("")
async def listed(
    request: Request,
    room: TheRoom,
    caller: Tuner,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Page[JobObject]:
    """The tenant's jobs, the newest first; `metadata[key]=value` picks among them."""
    wanted = {
        key[len("metadata[") : -1]: value
        for key, value in request.query_params.items()
        if key.startswith("metadata[") and key.endswith("]")
    }
    asked = partial(_listed, room, caller, wanted, after, limit)
    return await (run_in_threadpool(asked) if wanted else room.database.ask(asked))


def _listed(
    room: Room, caller: Caller, wanted: dict[str, str], after: str | None, limit: int
) -> Page[JobObject]:
    with room.database.session() as session:
        query = select(Job).where(Job.tenant == caller.tenant)
        if after is not None:
            query = query.where(Job.seq < job_of(session, after, caller).seq)
        found = []
        for of in session.scalars(query.order_by(Job.seq.desc())).yield_per(limit + 1):
            if all(of.meta.get(key) == value for key, value in wanted.items()):
                found.append(told(of))
            if len(found) > limit:
                break
    return page_of(found, limit)


@router.get("/{job_id}")
@quick
def retrieve(room: TheRoom, caller: Tuner, job_id: str) -> JobObject:
    """One job."""
    with room.database.session() as session:
        return told(job_of(session, job_id, caller))


@router.post("/{job_id}/cancel")
def cancel(room: TheRoom, caller: Tuner, job_id: str) -> JobObject:
    """Stops a job for good."""
    with room.database.session() as session:
        of = job_of(session, job_id, caller)
        _change(session, of, WAITING, "cancelled", events.CANCELLED, finished_at=now())
    room.queue.cancel_workflow(job_id)
    return told(of)


@router.post("/{job_id}/pause")
def pause(room: TheRoom, caller: Tuner, job_id: str) -> JobObject:
    """Stops a job until it is resumed; what it has learned is kept."""
    with room.database.session() as session:
        of = job_of(session, job_id, caller)
        if of.stage == "review":
            raise conflict(f"{job_id} waits for a reviewer.", "invalid_state")
        _change(session, of, RUNNABLE, "paused", events.PAUSED)
    room.queue.cancel_workflow(job_id)
    return told(of)


@router.post("/{job_id}/resume")
def resume(room: TheRoom, caller: Tuner, job_id: str) -> JobObject:
    """Lets a paused job go on where it stopped."""
    with room.database.session() as session:
        of = job_of(session, job_id, caller)
        _change(session, of, ("paused",), "queued", events.RESUMED)
    room.queue.resume_workflow(job_id, queue_name=QUEUE)
    return told(of)


def enqueue(room: Room, session: Session, of: Job) -> None:
    """Puts a job into the queue, in the transaction that makes it."""
    room.queue.enqueue_in_transaction(
        session.connection(),
        {
            "queue_name": QUEUE,
            "workflow_name": "job",
            "workflow_id": of.id,
            "app_version": VERSION,
            "queue_partition_key": of.tenant,
            "application_name": NAME,
        },
        of.id,
    )


def job_of(session: Session, name: str, caller: Caller) -> Job:
    """A tenant's job.

    Raises:
        Failure: there is none of that name that he may see.
    """
    found = session.scalar(select(Job).where(Job.id == name, Job.tenant == caller.tenant))
    if found is None:
        raise missing("fine-tuning job", name)
    return found


def told(of: Job) -> JobObject:
    """A job as the wire has it."""
    chosen: dict[str, Any] = of.hyperparameters
    method = Method(
        type="supervised", supervised=Supervised.model_validate({"hyperparameters": chosen})
    )
    assert method.supervised is not None
    return JobObject(
        id=of.id,
        created_at=of.created_at,
        error=JobError.model_validate(of.error) if of.error else None,
        fine_tuned_model=of.fine_tuned_model,
        finished_at=of.finished_at,
        hyperparameters=method.supervised.hyperparameters,
        method=method,
        model=of.model,
        organization_id=of.tenant,
        result_files=[],
        status=of.status,  # type: ignore[arg-type]  # only these are ever written
        trained_tokens=of.trained_tokens,
        training_file=of.training_file,
        validation_file=of.validation_file,
        seed=of.seed,
        metadata=of.meta,
    )


def _change(
    session: Session, of: Job, before: Sequence[str], after: str, message: str, **more: Any
) -> None:
    """Another state, if the job is still in one that allows it."""
    changed = session.execute(
        update(Job).where(Job.id == of.id, Job.status.in_(before)).values(status=after, **more)
    )
    session.refresh(of)
    if not changed.rowcount:  # type: ignore[attr-defined]
        raise conflict(f"{of.id} is {of.status}, so it cannot become {after}.", "invalid_state")
    events.say(session, of.id, message)


def _made(session: Session, caller: Caller, key: str, asked: str) -> Job | None:
    once = session.scalar(select(Once).where(Once.tenant == caller.tenant, Once.key == key))
    if once is None:
        return None
    if once.body != asked:
        raise conflict("This idempotency key was used with another body.", "idempotency_conflict")
    return session.scalar(select(Job).where(Job.id == once.job))


def _not_too_many(room: Room, session: Session, caller: Caller) -> None:
    waiting = session.scalar(
        select(func.count()).where(Job.tenant == caller.tenant, Job.status.in_(WAITING))
    )
    most = room.options.limits.waiting
    if waiting is not None and waiting >= most:
        raise Failure(
            429,
            f"{waiting} jobs have not ended; {most} are allowed at once.",
            "too_many_jobs",
            headers={"Retry-After": "60"},
        )


def _near(session: Session, caller: Caller, training: File) -> str | None:
    """The refused job whose file this one nearly is; too many of them are refused at once."""
    refused = session.execute(
        select(Job.id, File.sketch)
        .join(File, File.id == Job.training_file)
        .where(
            Job.tenant == caller.tenant,
            Job.status == "failed",
            Job.stage.in_(("scan", "quarantine")),
            Job.created_at > now() - DAY,
        )
        .order_by(Job.seq.desc())
        .limit(200)
    ).all()
    alike = [job for job, sketch in refused if shared(training.sketch, sketch) >= ALIKE]
    if len(alike) >= TRIES:
        raise Failure(
            429,
            f"{len(alike)} jobs on nearly these rows were refused within a day; appeal against "
            f"{alike[0]}, or try again tomorrow.",
            "resubmission_limit",
            "training_file",
            headers={"Retry-After": str(DAY // 4)},
        )
    return alike[0] if alike else None
