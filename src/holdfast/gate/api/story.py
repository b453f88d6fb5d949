"""/v1/fine_tuning/jobs/ID/events and /checkpoints: how a job goes, and what it made."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import select

from holdfast.gate.api.jobs import After, job_of
from holdfast.gate.api.room import TheRoom, Tuner, quick
from holdfast.gate.api.wire import CheckpointObject, EventObject, Page, page_of
from holdfast.gate.failures import missing
from holdfast.gate.tables import Event, Stage

router = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["fine-tuning"])


@router.get("/{job_id}/events")
@quick
def story(
    room: TheRoom,
    caller: Tuner,
    job_id: str,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Page[EventObject]:
    """A job's events, the newest first."""
    with room.database.session() as session:
        job_of(session, job_id, caller)
        query = select(Event).where(Event.job == job_id)
        if after is not None:
            last = session.scalar(select(Event.seq).where(Event.id == after, Event.job == job_id))
            if last is None:
                raise missing("event", after, "after")
            query = query.where(Event.seq < last)
        found = [
            EventObject.model_validate(event, from_attributes=True)
            for event in session.scalars(query.order_by(Event.seq.desc()).limit(limit + 1))
        ]
    return page_of(found, limit)


@router.get("/{job_id}/checkpoints")
@quick
def checkpoints(
    room: TheRoom,
    caller: Tuner,
    job_id: str,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
) -> Page[CheckpointObject]:
    """The end of a released job's tune; models on the way there are nobody's to use."""
    with room.database.session() as session:
        of = job_of(session, job_id, caller)
        tuned = session.scalar(select(Stage).where(Stage.job == job_id, Stage.name == "tune"))
        found = []
        if of.fine_tuned_model is not None and tuned is not None:
            metrics = {"step": float(tuned.result["steps"])}
            for name, known in (("train_loss", "train_loss"), ("full_valid_loss", "valid_loss")):
                if tuned.result.get(known) is not None:
                    metrics[name] = float(tuned.result[known])
            found = [
                CheckpointObject(
                    id=f"ftckpt-{job_id.removeprefix('ftjob-')}",
                    created_at=tuned.created_at,
                    fine_tuned_model_checkpoint=of.fine_tuned_model,
                    fine_tuning_job_id=job_id,
                    step_number=int(tuned.result["steps"]),
                    metrics=metrics,
                )
            ]
        if after is not None:
            if not found or after != found[0].id:
                raise missing("checkpoint", after, "after")
            found = []
    return page_of(found, limit)
