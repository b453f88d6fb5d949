"""/v1/models: what may be asked."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session

from holdfast.gate import release
from holdfast.gate.api.room import Asker, Room, TheRoom, Tuner, quick
from holdfast.gate.api.wire import Deleted, ModelObject, Page
from holdfast.gate.failures import missing
from holdfast.gate.keys import Caller
from holdfast.gate.tables import Act, Tuned

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("")
@quick
def listed(room: TheRoom, caller: Asker) -> Page[ModelObject]:
    """The models that anyone may ask, and the tenant's released ones."""
    with room.database.session() as session:
        own = [
            _told(model)
            for model in session.scalars(
                select(Tuned)
                .where(Tuned.tenant == caller.tenant, Tuned.state == "released")
                .order_by(Tuned.seq.desc())
            )
        ]
    return Page(data=[*(_built_in(name) for name in room.options.models), *own])


@router.get("/{model:path}")
@quick
def retrieve(room: TheRoom, caller: Asker, model: str) -> ModelObject:
    """One model."""
    if model in room.options.models:
        return _built_in(model)
    with room.database.session() as session:
        return _told(released(session, model, caller))


@router.delete("/{model:path}")
def delete(room: TheRoom, caller: Tuner, model: str) -> Deleted:
    """Deletes a tuned model; its weights go with the last model that has them."""
    with room.database.session() as session:
        found = released(session, model, caller)
        found.state = "deleted"
        session.add(Act(by=caller.key, tenant=caller.tenant, act="delete model", object=model))
        session.flush()
        digest, nameless = found.digest, release.nameless(session, found.digest)
    if nameless:
        room.store.delete_model(digest)
    return Deleted(id=model, object="model")


def released(session: Session, name: str, caller: Caller) -> Tuned:
    """A tenant's model that was released.

    Raises:
        Failure: there is none of that name that he may use; held and quarantined ones are not.
    """
    found = session.scalar(
        select(Tuned).where(
            Tuned.id == name, Tuned.tenant == caller.tenant, Tuned.state == "released"
        )
    )
    if found is None:
        raise missing("model", name, "model")
    return found


def folder_of(room: Room, caller: Caller, name: str) -> str:
    """Where a model that may be asked is: a name that is built in, or a folder of the store.

    Raises:
        Failure: there is no such model that he may use.
    """
    if name in room.options.models:
        return name
    with room.database.session() as session:
        return str(room.store.model(released(session, name, caller).digest).absolute())


def _built_in(name: str) -> ModelObject:
    return ModelObject(id=name, created=0, owned_by="holdfast")


def _told(model: Tuned) -> ModelObject:
    return ModelObject(id=model.id, created=model.created_at, owned_by=model.tenant)
