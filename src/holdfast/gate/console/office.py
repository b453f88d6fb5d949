"""What reviewers and admins do: the queue, the policy, the keys and the trail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import ValidationError
from sqlalchemy import select

from holdfast.gate import keys, ledger
from holdfast.gate.api import keyring, review
from holdfast.gate.api.keyring import KeyBody
from holdfast.gate.api.room import TheRoom, need
from holdfast.gate.console import words
from holdfast.gate.console.pages import Paged, page, seen
from holdfast.gate.console.sessions import Form, Governing, Reviewing, Visitor
from holdfast.gate.failures import Failure, missing
from holdfast.gate.tables import Appeal, Decision, Job, Key, Tuned

router = APIRouter(prefix="/console", route_class=Paged)
PAGE = 50
CHECKED = 5_000  # decisions up to which the chain is followed whenever the trail is looked at
Before = Annotated[int | None, Query(ge=1)]


@dataclass(frozen=True)
class Waiting:
    """A model, or a job without one, that waits for a reviewer."""

    job: str
    tenant: str
    model: str
    what: str
    reason: str
    appeal: str | None
    created_at: int


@router.get("/review")
def queue(request: Request, room: TheRoom, visit: Reviewing) -> Response:
    """Models that are held or in quarantine, and appeals on jobs that made none."""
    with room.database.session() as session:
        last = (
            select(Decision.reason)
            .where(Decision.job == Tuned.job)
            .order_by(Decision.seq.desc())
            .limit(1)
            .scalar_subquery()
        )
        models = session.execute(
            select(Tuned, last, Appeal.reason)
            .outerjoin(Appeal, Appeal.job == Tuned.job)
            .where(Tuned.state.in_(("held", "quarantined")))
            .order_by(Tuned.seq.desc())
            .limit(500)
        ).all()
        without = session.execute(
            select(Job, Appeal)
            .join(Appeal, Appeal.job == Job.id)
            .outerjoin(Tuned, Tuned.job == Job.id)
            .where(Tuned.id.is_(None))
            .order_by(Appeal.seq.desc())
            .limit(100)
        ).all()
    waiting = [
        Waiting(m.job, m.tenant, m.id, m.state, reason or "", appeal, m.created_at)
        for m, reason, appeal in models
    ]
    others = [
        Waiting(
            *(of.id, of.tenant, of.model, "rejected", (of.error or {}).get("message", "")),
            *(appeal.reason, appeal.created_at),
        )
        for of, appeal in without
    ]
    held = [w for w in waiting if w.what == "held"]
    quarantined = [w for w in waiting if w.what == "quarantined"]
    quarantined.sort(key=lambda w: w.appeal is None)  # who appealed comes first
    return page(request, "review", held=held, quarantined=quarantined, others=others)


@router.get("/policy")
def policy(request: Request, room: TheRoom, visit: Visitor) -> Response:
    """The decision policy, in words and as a file."""
    import yaml

    told = review.policy(room, visit.caller)
    text = yaml.safe_dump(told["policy"], sort_keys=False, allow_unicode=True)
    head = review.head(room, visit.caller)
    rules = words.policy_in_words(room.policy)
    return page(request, "policy", rules=rules, text=text, digest=told["digest"], head=head)


@router.get("/trail")
def trail(
    request: Request,
    room: TheRoom,
    visit: Reviewing,
    acts: Before = None,
    decisions: Before = None,
    check: bool = False,
) -> Response:
    """Who did what, and what was decided; whether anything was changed since."""
    head = review.head(room, visit.caller)
    checked = None
    if check or head.decisions <= CHECKED:
        with room.database.session() as session:
            checked = ledger.check(session, room.key)
    return page(
        request,
        "trail",
        acts=review.acts(room, visit.caller, acts, PAGE),
        decisions=review.decisions(room, visit.caller, decisions, PAGE),
        head=head,
        checked=checked,
        words=words,
    )


@router.get("/keys")
def held(request: Request, room: TheRoom, visit: Governing) -> Response:
    """All keys, and a form for another one."""
    return _keys(request, room, visit)


@router.post("/keys")
def made(request: Request, room: TheRoom, form: Form) -> Response:
    """Makes a key; the page that answers is the only one that ever shows it."""
    need(form.visit.caller, "admin")
    said: dict[str, Any] = {name: form.text(name) for name in ("tenant", "name")}
    said["scopes"] = form.fields.get("scopes", [])
    try:
        body = KeyBody.model_validate(said)
    except ValidationError:
        wrong = "A key needs a tenant, a name of up to 100 characters, and at least one scope."
        return _keys(request, room, form.visit, said, wrong, status=400)
    try:
        new = keyring.new_key(room, form.visit.caller, body)
    except Failure as error:
        return _keys(request, room, form.visit, said, error.message, status=error.status)
    return _keys(request, room, form.visit, new=new)


@router.get("/keys/{key_id}/revoke")
def sure(request: Request, room: TheRoom, visit: Governing, key_id: str) -> Response:
    """Asks whether it is meant."""
    with room.database.session() as session:
        key = session.scalar(select(Key).where(Key.id == key_id))
    if key is None:
        raise missing("key", key_id)
    return page(request, "revoke", key=key)


@router.post("/keys/{key_id}/revoke")
def revoked(room: TheRoom, form: Form, key_id: str) -> Response:
    """Takes a key's power, and ends its sessions with it."""
    need(form.visit.caller, "admin")
    keyring.revoke(room, form.visit.caller, key_id)
    return seen("/console/keys")


def _keys(
    request: Request,
    room: TheRoom,
    visit: Governing,
    said: dict[str, Any] | None = None,
    wrong: str = "",
    *,
    new: keyring.KeyObject | None = None,
    status: int = 200,
) -> Response:
    return page(
        request,
        "keys",
        status,
        keys=keyring.all_keys(room, visit.caller).data,
        said=said or {},
        wrong=wrong,
        new=new,
        scopes=[(scope, words.SCOPES[scope]) for scope in get_args(keys.Scope)],
    )
