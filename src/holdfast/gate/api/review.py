"""What a reviewer sees and decides: models held or put away, decisions, the audit trail."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy import select

from holdfast.gate import events, ledger, release
from holdfast.gate.api.room import Anyone, Reviewer, Room, TheRoom, Told
from holdfast.gate.api.wire import Asked, Page, Reason
from holdfast.gate.failures import conflict, missing
from holdfast.gate.tables import Act, Appeal, Decision, Table, Tuned

router = APIRouter(prefix="/holdfast/v1", tags=["holdfast"])

Limit = Annotated[int, Query(ge=1, le=500)]
Before = Annotated[int | None, Query(ge=1)]
Line = TypeVar("Line", bound=BaseModel)


class ReviewBody(Asked):
    """What a reviewer decides, and why."""

    decision: Literal["release", "destroy"]
    reason: Reason


class ModelState(BaseModel):
    """A tuned model and what became of it."""

    id: str
    job: str
    tenant: str
    base: str
    digest: str
    state: str
    created_at: int
    appeal: str | None = None


class ActObject(BaseModel):
    """A line of the audit trail."""

    seq: int
    by: str
    tenant: str
    act: str
    object: str
    reason: str
    created_at: int


class DecisionObject(BaseModel):
    """A link of the sealed chain."""

    seq: int
    job: str
    number: int
    decision: str
    reason: str
    by: str
    facts: dict[str, Any]
    previous: str
    mac: str
    created_at: int


class Head(BaseModel):
    """The end of the chain of decisions; write it down, and later editing shows."""

    decisions: int
    head: str


@router.get("/policy")
def policy(room: TheRoom, caller: Anyone) -> Told:
    """The decision policy and its hash."""
    return {"digest": room.policy.digest, "policy": room.policy.model_dump(mode="json")}


@router.get("/models")
def models(
    room: TheRoom,
    caller: Reviewer,
    state: Literal["held", "quarantined", "released", "destroyed", "deleted"] = "quarantined",
    limit: Limit = 100,
) -> Page[ModelState]:
    """Tuned models of all tenants, by what became of them."""
    with room.database.session() as session:
        query = (
            select(Tuned, Appeal.reason)
            .outerjoin(Appeal, Appeal.job == Tuned.job)
            .where(Tuned.state == state)
            .order_by(Tuned.seq.desc())
            .limit(limit)
        )
        return Page(data=[_state(model, reason) for model, reason in session.execute(query)])


@router.post("/models/{model:path}/review")
def review(room: TheRoom, caller: Reviewer, model: str, body: ReviewBody) -> ModelState:
    """A person's decision on a model that is held or in quarantine."""
    with room.database.session() as session:
        found = session.scalar(select(Tuned).where(Tuned.id == model))
        if found is None:
            raise missing("model", model)
        if found.state not in ("held", "quarantined"):
            raise conflict(f"{model} is {found.state}.", "invalid_state")
        of = events.job_of(session, found.job)
        ledger.seal(
            session,
            room.key,
            job=of.id,
            decision=body.decision,
            reason=body.reason,
            by=caller.key,
            facts={"model": found.digest, "policy": room.policy.digest},
        )
        session.add(
            Act(
                by=caller.key,
                tenant=of.tenant,
                act=f"{body.decision} model",
                object=model,
                reason=body.reason,
            )
        )
        release.reviewed(session, of, found, released=body.decision == "release")
        session.flush()
        told, nameless = _state(found, None), release.nameless(session, found.digest)
    if nameless:
        room.store.delete_model(told.digest)
    return told


@router.get("/decisions")
def decisions(
    room: TheRoom, caller: Reviewer, before: Before = None, limit: Limit = 100
) -> Page[DecisionObject]:
    """The chain of decisions, the newest first."""
    return _newest(room, Decision, DecisionObject, before, limit)


@router.get("/decisions/head")
def head(room: TheRoom, caller: Anyone) -> Head:
    """The end of the chain."""
    with room.database.session() as session:
        many, mac = ledger.head_of(session)
    return Head(decisions=many, head=mac)


@router.get("/acts")
def acts(
    room: TheRoom, caller: Reviewer, before: Before = None, limit: Limit = 100
) -> Page[ActObject]:
    """The audit trail, the newest first."""
    return _newest(room, Act, ActObject, before, limit)


def _newest(
    room: Room, table: type[Table], shape: type[Line], before: int | None, limit: int
) -> Page[Line]:
    """The last lines of a table, or those before one of them."""
    query = select(table).order_by(table.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(table.seq < before)
    with room.database.session() as session:
        found = [shape.model_validate(o, from_attributes=True) for o in session.scalars(query)]
    return Page(data=found, has_more=len(found) == limit)


def _state(model: Tuned, reason: str | None) -> ModelState:
    return ModelState(
        id=model.id,
        job=model.job,
        tenant=model.tenant,
        base=model.base,
        digest=model.digest,
        state=model.state,
        created_at=model.created_at,
        appeal=reason,
    )
