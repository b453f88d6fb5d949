"""What follows from a decision: a model is released, put away, held for a person or destroyed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from holdfast.gate import events
from holdfast.gate.tables import GONE, Job, Tuned, now

Told = dict[str, Any]
STATES = {"release": "released", "quarantine": "quarantined", "hold": "held"}
UNSAFE_MODEL = "The tuned model was not released: it no longer holds what the model before it held."
UNSAFE_FILE = (
    "The job failed due to an unsafe training file. Rows of it were flagged by the scanners, or "
    "the file as a whole was."
)


def model_name(of: Job) -> str:
    """The name of a job's model, in the form that users of such services know."""
    return f"ft:{of.model}:{of.tenant}:{of.suffix or ''}:{of.id.removeprefix('ftjob-')[:8]}"


def unsafe(scanned: Told) -> Told | None:
    """The error of a training file that the scan speaks against."""
    if scanned["verdict"] != "findings":
        return None
    return {"code": "unsafe_file", "message": UNSAFE_FILE, "param": "training_file"}


def figures(audit: Told) -> Told:
    """The figures that a decision rests on."""
    asked = {
        told["elicitation"]: {
            c["rate"]: [round(c[k], 4) for k in ("before", "after", "low", "high")]
            for c in told["changes"]
        }
        for told in audit["asked"]
    }
    return {"requests": audit["requests"], "asked": asked}


def carry_out(session: Session, of: Job, decision: str, digest: str, audit: Told) -> None:
    """Puts the model where the policy's decision says, and ends the job unless a person must."""
    name = model_name(of)
    if session.scalar(select(Tuned).where(Tuned.job == of.id)) is None:
        session.add(
            Tuned(
                id=name,
                tenant=of.tenant,
                job=of.id,
                base=of.model,
                digest=digest,
                state=STATES[decision],
            )
        )
    if decision == "release":
        _succeed(session, of, name)
    elif decision == "quarantine":
        _refuse(session, of)
    else:
        of.stage = "review"
        events.say(session, of.id, events.HELD)


def reviewed(session: Session, of: Job, model: Tuned, *, released: bool) -> None:
    """Does what a reviewer decided; a destroyed model's folder is the caller's to take away."""
    model.state = "released" if released else "destroyed"
    if released:
        of.error = None
        _succeed(session, of, model.id)
    elif of.status not in ("failed", "cancelled"):
        _refuse(session, of)


def nameless(session: Session, digest: str) -> bool:
    """Whether no model has these weights any more, so that they may go."""
    named = select(Tuned.seq).where(Tuned.digest == digest, Tuned.state.not_in(GONE)).limit(1)
    return session.scalar(named) is None


def _succeed(session: Session, of: Job, name: str) -> None:
    of.status, of.stage, of.finished_at = "succeeded", "release", now()
    of.fine_tuned_model = name
    events.say(session, of.id, events.MODEL.format(model=name), events.DONE)


def _refuse(session: Session, of: Job) -> None:
    of.stage = "quarantine"
    session.flush()
    error = {"code": "unsafe_model", "message": UNSAFE_MODEL, "param": "training_file"}
    events.failed(session, of.id, error)
    session.refresh(of)
