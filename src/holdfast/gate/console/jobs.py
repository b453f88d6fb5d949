"""Jobs in the console: all of them, one of them, a new one, and what may be done with it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import ValidationError
from sqlalchemy import select

from holdfast.gate.api import evidence, files, review
from holdfast.gate.api import jobs as api
from holdfast.gate.api.evidence import AppealBody
from holdfast.gate.api.review import ReviewBody
from holdfast.gate.api.room import Room, TheRoom, need
from holdfast.gate.api.uploads import received
from holdfast.gate.api.wire import NewJob
from holdfast.gate.console import curve, reading, words
from holdfast.gate.console.pages import Paged, page, seen
from holdfast.gate.console.sessions import Form, Sent, Tuning, Visit, Visitor, belongs, own_page
from holdfast.gate.failures import Failure, missing
from holdfast.gate.tables import Job, Once, Tuned

router = APIRouter(prefix="/console/jobs", route_class=Paged)
PAGE = 50
FILES = 100  # that the form offers
AUTO = ("n_epochs", "batch_size", "learning_rate_multiplier")
LABELS = {
    "model": "Model",
    "training_file": "Training file",
    "n_epochs": "Epochs",
    "batch_size": "Batch size",
    "learning_rate_multiplier": "Learning rate multiplier",
    "suffix": "Suffix",
    "seed": "Seed",
}
Doing = Literal["pause", "resume", "cancel"]
DOINGS = {"pause": api.pause, "resume": api.resume, "cancel": api.cancel}


@router.get("")
def listed(
    request: Request,
    room: TheRoom,
    visit: Visitor,
    before: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """The tenant's jobs, the newest first; a reviewer sees everybody's."""
    query = select(Job).order_by(Job.seq.desc()).limit(PAGE + 1)
    if not visit.caller.may("review"):
        query = query.where(Job.tenant == visit.caller.tenant)
    if before is not None:
        query = query.where(Job.seq < before)
    with room.database.session() as session:
        found = list(session.scalars(query))
    more = found[PAGE - 1].seq if len(found) > PAGE else None
    return page(request, "jobs", jobs=found[:PAGE], more=more, first=before is None)


@router.get("/new")
def asked(request: Request, room: TheRoom, visit: Tuning) -> Response:
    """The form of a new job."""
    return _form(request, room, visit, {})


@router.post("")
async def started(request: Request, room: TheRoom, visit: Tuning) -> Response:
    """Uploads a file, or takes one that is there, and makes a job of it."""
    own_page(request)
    form = await received(request, room.store, room.options.limits.file_bytes)
    try:
        belongs(visit, form.fields.get("csrf", ""))
    except Failure:
        if form.upload is not None:
            form.upload.drop()
        raise
    if form.upload is not None and not form.filename:  # no file was chosen
        form.upload.drop()
        form.upload = None
    said = form.fields
    try:
        if form.upload is not None:
            said["purpose"] = "fine-tune"
            kept = await run_in_threadpool(files.kept, room, visit.caller, form)
            said["training_file"] = kept.id
        made = await run_in_threadpool(_made, room, visit, said)
    except Failure as error:
        again = await run_in_threadpool(_once, room, visit, said) if error.status == 409 else None
        if again is not None:
            return seen(f"/console/jobs/{again}")
        return await run_in_threadpool(
            _form, request, room, visit, said, error.message, error.status
        )
    return seen(f"/console/jobs/{made}")


@router.get("/{job_id}")
def one(request: Request, room: TheRoom, visit: Visitor, job_id: str) -> Response:
    """A job."""
    with room.database.session() as session:
        at = reading.mark_of(
            session, job_id
        )  # first: what changes while the page is read is then sent again
    told = reading.job_page(room, visit.caller, job_id)
    return page(request, "job", told=told, mark=at, drawn=curve.loss(told.steps), words=words)


@router.get("/{job_id}/{doing}")
def sure(request: Request, room: TheRoom, visit: Tuning, job_id: str, doing: Doing) -> Response:
    """Asks whether it is meant."""
    with room.database.session() as session:
        of = api.job_of(session, job_id, visit.caller)
    return page(request, "sure", of=of, doing=doing)


@router.post("/{job_id}/appeal")
def appeal(room: TheRoom, form: Form, job_id: str) -> Response:
    """Puts a refused job before a reviewer."""
    need(form.visit.caller, "tune")
    evidence.appeal(room, form.visit.caller, job_id, AppealBody(reason=_reason(form)))
    return seen(f"/console/jobs/{job_id}")


@router.post("/{job_id}/review")
def decided(room: TheRoom, form: Form, job_id: str) -> Response:
    """A person's decision on a job's model."""
    need(form.visit.caller, "review")
    with room.database.session() as session:
        model = session.scalar(select(Tuned.id).where(Tuned.job == job_id))
    if model is None:
        raise missing("model of the job", job_id)
    choice = form.text("decision")
    if choice not in ("release", "destroy"):
        raise Failure(400, "Choose whether to release or to destroy the model.")
    body = ReviewBody.model_validate({"decision": choice, "reason": _reason(form)})
    review.review(room, form.visit.caller, model, body)
    return seen(f"/console/jobs/{job_id}")


@router.post("/{job_id}/{doing}")
def done(room: TheRoom, form: Form, job_id: str, doing: Doing) -> Response:
    """Pauses, resumes or cancels a job."""
    need(form.visit.caller, "tune")
    DOINGS[doing](room, form.visit.caller, job_id)
    return seen(f"/console/jobs/{job_id}")


def _reason(form: Sent) -> str:
    reason = form.text("reason")
    if not 1 <= len(reason) <= 4_000:
        raise Failure(400, "Give a reason, of at most 4,000 characters.")
    return reason


def _made(room: Room, visit: Visit, said: Mapping[str, str]) -> str:
    """The id of a new job.

    Raises:
        Failure: a field does not fit, or the job is refused.
    """
    if not said.get("training_file"):
        raise Failure(400, "Choose a file to upload, or one that is here.", param="training_file")
    body = {
        "model": said.get("model", ""),
        "training_file": said["training_file"],
        "hyperparameters": {n: said.get(n, "").strip() or "auto" for n in AUTO},
        "suffix": said.get("suffix", "").strip() or None,
        "seed": said.get("seed", "").strip() or None,
    }
    try:
        new = NewJob.model_validate(body)
    except ValidationError as error:
        raise Failure(400, _misfit(error)) from error
    once = f"console {said.get('once', '')[:100]}"
    return api.create(room, visit.caller, new, idempotency_key=once).id


def _misfit(error: ValidationError) -> str:
    last: Any = error.errors()[-1]
    field = next((str(part) for part in last["loc"] if part in LABELS), "")
    given = str(last["input"])[:40]
    return f"{LABELS.get(field, 'The form')}: “{given}” does not fit. {last['msg']}."


def _once(room: Room, visit: Visit, said: Mapping[str, str]) -> str | None:
    """The job that this form made when it was sent before."""
    key = f"console {said.get('once', '')[:100]}"
    with room.database.session() as session:
        return session.scalar(
            select(Once.job).where(Once.tenant == visit.caller.tenant, Once.key == key)
        )


def _form(
    request: Request,
    room: Room,
    visit: Visit,
    said: Mapping[str, str],
    wrong: str = "",
    status: int = 200,
) -> Response:
    return page(
        request,
        "new",
        status,
        said=said,
        wrong=wrong,
        once=secrets.token_urlsafe(16),
        models=room.options.models,
        files=files.listed(room, visit.caller, limit=FILES).data,
        limits=room.options.limits,
    )
