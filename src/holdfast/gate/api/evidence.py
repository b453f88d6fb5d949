"""What was found on a job, as far as whoever asks may know it, and a tenant's word against it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from holdfast.gate import events
from holdfast.gate.api.jobs import job_of
from holdfast.gate.api.room import Anyone, TheRoom, Told, Tuner
from holdfast.gate.api.wire import Asked, Reason
from holdfast.gate.failures import conflict, missing
from holdfast.gate.findings import finding_of
from holdfast.gate.keys import Caller
from holdfast.gate.tables import Act, Appeal, Decision, Job, Stage

router = APIRouter(prefix="/holdfast/v1", tags=["holdfast"])


class Evidence(BaseModel):
    """What a job's stages found, as far as its reader may know.

    With the scope `tune` it is the verdict and the kind of finding; scores, texts and figures
    need `review`, since exact answers would teach how to evade them.
    """

    job: str
    stage: str
    decision: str | None
    finding: str
    reason: str
    near: str | None
    stages: dict[str, Any]


class AppealBody(Asked):
    """Why a refused job should be looked at."""

    reason: Reason


@router.get("/jobs/{job_id}/evidence")
def evidence(room: TheRoom, caller: Anyone, job_id: str) -> Evidence:
    """What was found on a job."""
    with room.database.session() as session:
        of = _job_of_any(session, job_id, caller)
        stages = session.scalars(select(Stage).where(Stage.job == job_id).order_by(Stage.seq))
        found = {s.name: {**s.result, "seconds": round(s.seconds, 3)} for s in stages}
        last = session.scalar(
            select(Decision).where(Decision.job == job_id).order_by(Decision.seq.desc()).limit(1)
        )
    full = caller.may("review")
    return Evidence(
        job=job_id,
        stage=of.stage,
        decision=last.decision if last else None,
        finding=finding_of(found),
        reason=last.reason if last and full else (of.error or {}).get("message", ""),
        near=of.near,
        stages=found if full else {name: _coarse(name, told) for name, told in found.items()},
    )


@router.post("/jobs/{job_id}/appeal")
def appeal(room: TheRoom, caller: Tuner, job_id: str, body: AppealBody) -> Evidence:
    """Puts a refused job before a reviewer."""
    with room.database.session() as session:
        of = job_of(session, job_id, caller)
        if of.status != "failed":
            raise conflict(f"{job_id} was not refused.", "invalid_state")
        if session.scalar(select(Appeal).where(Appeal.job == job_id)):
            raise conflict(f"{job_id} has an appeal already.", "invalid_state")
        session.add(Appeal(job=job_id, tenant=caller.tenant, reason=body.reason))
        session.add(
            Act(
                by=caller.key, tenant=caller.tenant, act="appeal", object=job_id, reason=body.reason
            )
        )
        events.say(session, job_id, "An appeal was made; a reviewer will look at it")
    return evidence(room, caller, job_id)


def _coarse(name: str, told: Told) -> Told:
    """What a tenant may know of a stage: schema errors in full, else a verdict."""
    if name == "validate":
        return told
    kept = {"seconds": told["seconds"]}
    if "verdict" in told:
        kept["verdict"] = told["verdict"]
    if name == "tune":
        kept |= {k: told[k] for k in ("steps", "tokens", "train_loss") if k in told}
    return kept


def _job_of_any(session: Session, name: str, caller: Caller) -> Job:
    if not caller.may("review"):
        return job_of(session, name, caller)
    found = session.scalar(select(Job).where(Job.id == name))
    if found is None:
        raise missing("fine-tuning job", name)
    return found
