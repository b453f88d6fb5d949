"""Keys over HTTP: made, listed and revoked by an admin."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import select

from holdfast.errors import UserError
from holdfast.gate import keys
from holdfast.gate.api.room import Admin, TheRoom
from holdfast.gate.api.wire import Asked, Deleted, Page
from holdfast.gate.failures import Failure, missing
from holdfast.gate.tables import Act, Key

router = APIRouter(prefix="/holdfast/v1", tags=["holdfast"])


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


def _key(key: Key) -> KeyObject:
    return KeyObject.model_validate(
        {name: getattr(key, name) for name in ("id", "tenant", "name", "scopes")}
        | {"created_at": key.created_at, "revoked_at": key.revoked_at}
    )
