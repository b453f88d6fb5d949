"""A job's story: its events, in the words that users of such services know, and its states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from holdfast.gate.failures import told
from holdfast.gate.tables import RUNNABLE, Event, Job, new_id, now

CREATED = "Created fine-tuning job: {job}"
VALIDATING = "Validating training file: {file}"
VALIDATED = "Files validated, moving job to queued state"
STARTED = "Fine-tuning job started"
STEP = "Step {step}/{total_steps}: training loss={train_loss:.2f}"
ASKED = "Asked before and after by {elicitation}: {requests} requests"
HELD = "The evidence does not suffice; a reviewer will decide"
MODEL = "New fine-tuned model created: {model}"
DONE = "The job has successfully completed"
PAUSED = "Fine-tuning job paused"
RESUMED = "Fine-tuning job resumed"
CANCELLED = "Fine-tuning job cancelled"


def say(session: Session, job: str, *messages: str, level: str = "info") -> None:
    """Adds lines to a job's story."""
    for message in messages:
        session.add(Event(id=new_id("ftevent"), job=job, message=message, level=level))


def metrics(session: Session, job: str, steps: Sequence[dict[str, Any]]) -> None:
    """Adds steps of training to a job's story."""
    for step in steps:
        session.add(
            Event(
                id=new_id("ftevent"),
                job=job,
                message=STEP.format(**step),
                type="metrics",
                data=step,
            )
        )


def owned(session: Session, job: str, owner: str, **values: Any) -> bool:
    """Changes a running job, if `owner` is still the attempt that may; false if it is not."""
    changed = session.execute(
        update(Job)
        .where(Job.id == job, Job.owner == owner, Job.status.in_(RUNNABLE))
        .values(**values)
    )
    return bool(changed.rowcount)  # type: ignore[attr-defined]


def failed(session: Session, job: str, error: dict[str, Any]) -> None:
    """Ends a job with an error object that has `code`, `message` and `param`."""
    body = told(400, error["message"], error.get("code"), error.get("param"))
    session.execute(
        update(Job)
        .where(Job.id == job)
        .values(status="failed", finished_at=now(), error={k: body[k] for k in _ERROR})
    )
    say(session, job, f"The job failed: {error['message']}", level="error")


def job_of(session: Session, job: str) -> Job:
    """A job that is there."""
    found = session.scalar(select(Job).where(Job.id == job))
    assert found is not None, f"{job} is gone"
    return found


_ERROR = ("code", "message", "param")
