"""/holdfast/v1: what Holdfast adds: evidence, pre-screening, appeals, review, keys, the trail."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from holdfast.errors import UserError
from holdfast.gate import events, keys, ledger, release
from holdfast.gate.api.files import file_of
from holdfast.gate.api.jobs import job_of
from holdfast.gate.api.room import Admin, Anyone, Reviewer, Room, TheRoom, Told, Tuner
from holdfast.gate.api.wire import Asked, Deleted, Page
from holdfast.gate.failures import Failure, conflict, missing
from holdfast.gate.keys import Caller
from holdfast.gate.tables import Act, Appeal, Decision, Job, Key, Stage, Tuned

router = APIRouter(prefix="/holdfast/v1", tags=["holdfast"])
SCREENED = 60.0  # seconds that a pre-screening may take
_screening = asyncio.Semaphore(1)

Limit = Annotated[int, Query(ge=1, le=500)]
Before = Annotated[int | None, Query(ge=1)]
Reason = Annotated[str, Field(min_length=1, max_length=4_000)]


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


class Screened(BaseModel):
    """What a scan would say of a file."""

    file: str
    verdict: str
    finding: str
    rows: int
    unreadable: list[dict[str, Any]]


class AppealBody(Asked):
    """Why a refused job should be looked at."""

    reason: Reason


class ReviewBody(Asked):
    """What a reviewer decides, and why."""

    decision: Literal["release", "destroy"]
    reason: Reason


class KeyBody(Asked):
    """A key to be made."""

    tenant: Annotated[str, Field(min_length=1, max_length=40)]
    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Literal["tune", "infer", "review", "admin"]], Field(min_length=1)]


class KeyObject(BaseModel):
    """A key; `key` itself is told once, when it is made."""

    id: str
    object: Literal["key"] = "key"
    tenant: str
    name: str
    scopes: list[str]
    created_at: int
    revoked_at: int | None
    key: str | None = None


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


@router.post("/files/{file_id}/scan")
async def screen(room: TheRoom, caller: Tuner, file_id: str) -> Screened:
    """What the scan would say of a file, before any job is made."""
    sha256 = await run_in_threadpool(_sha_of, room, caller, file_id)
    if room.pace.wait(f"{caller.tenant} scans"):
        raise Failure(429, "Too many scans.", "rate_limit_exceeded", headers={"Retry-After": "60"})
    told = await _screened(room, sha256)
    return Screened(file=file_id, **told)


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
        digest = found.digest
        kept = session.scalar(
            select(Tuned.seq)
            .where(Tuned.digest == digest, Tuned.state.not_in(("deleted", "destroyed")))
            .limit(1)
        )
        told = _state(found, None)
    if kept is None:
        room.store.delete_model(digest)
    return told


@router.get("/decisions")
def decisions(
    room: TheRoom, caller: Reviewer, before: Before = None, limit: Limit = 100
) -> Page[DecisionObject]:
    """The chain of decisions, the newest first."""
    with room.database.session() as session:
        query = select(Decision).order_by(Decision.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(Decision.seq < before)
        found = [
            DecisionObject.model_validate(link, from_attributes=True)
            for link in session.scalars(query)
        ]
    return Page(data=found, has_more=len(found) == limit)


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
    with room.database.session() as session:
        query = select(Act).order_by(Act.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(Act.seq < before)
        found = [
            ActObject.model_validate(line, from_attributes=True) for line in session.scalars(query)
        ]
    return Page(data=found, has_more=len(found) == limit)


@router.post("/keys")
def new_key(room: TheRoom, caller: Admin, body: KeyBody) -> KeyObject:
    """A new key, which is shown this once."""
    with room.database.session() as session:
        try:
            key, text = keys.mint(session, body.tenant, body.name, body.scopes)
        except UserError as error:
            raise Failure(400, str(error), "invalid_request", "tenant") from error
        session.add(Act(by=caller.key, tenant=body.tenant, act="new key", object=key.id))
        return _key(key).model_copy(update={"key": text})


@router.get("/keys")
def all_keys(room: TheRoom, caller: Admin) -> Page[KeyObject]:
    """All keys, without themselves."""
    with room.database.session() as session:
        return Page(data=[_key(key) for key in session.scalars(select(Key).order_by(Key.seq))])


@router.delete("/keys/{key_id}")
def revoke(room: TheRoom, caller: Admin, key_id: str) -> Deleted:
    """Takes a key's power."""
    with room.database.session() as session:
        if not keys.revoke(session, key_id):
            raise missing("key", key_id)
        session.add(Act(by=caller.key, tenant=caller.tenant, act="revoke key", object=key_id))
    room.callers.forget()
    return Deleted(id=key_id, object="key")


def finding_of(found: dict[str, Any]) -> str:
    """The kind of what was found against a job, "" if nothing was."""
    scanned, audit = found.get("scan", {}), found.get("audit", {})
    if found.get("validate", {}).get("error"):
        return str(found["validate"]["error"]["code"])
    if scanned.get("verdict") == "findings":
        alarms = [f for f in scanned.get("set", []) if f["alarm"]]
        return str(alarms[0]["kind"]) if alarms else str(_first_kind(scanned))
    return str(audit.get("finding", ""))


def _first_kind(scanned: Told) -> str:
    kinds = [t["kind"] for t in scanned.get("findings", []) if t["level"] == "flag"]
    return kinds[0] if kinds else "flagged_rows"


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


def _key(key: Key) -> KeyObject:
    return KeyObject.model_validate(
        {name: getattr(key, name) for name in ("id", "tenant", "name", "scopes")}
        | {"created_at": key.created_at, "revoked_at": key.revoked_at}
    )


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
