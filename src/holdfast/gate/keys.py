"""API keys: 256 random bits, shown once and kept as a hash; each has scopes and one tenant."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from holdfast.errors import UserError
from holdfast.gate.tables import Key, new_id, now

Scope = Literal["tune", "infer", "review", "admin"]
SCOPES: tuple[str, ...] = get_args(Scope)
_TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True)
class Caller:
    """Who sends a request.

    Attributes:
        key: id of the key.
        tenant: whose things he sees.
        scopes: what he may do.
    """

    key: str
    tenant: str
    scopes: frozenset[str]

    def may(self, scope: Scope) -> bool:
        """Whether he has the scope; an admin has them all."""
        return scope in self.scopes or "admin" in self.scopes


def mint(session: Session, tenant: str, name: str, scopes: Sequence[str]) -> tuple[Key, str]:
    """A new key, and the text that is shown this once.

    Raises:
        UserError: no such scope, or a tenant's name that cannot be part of a model's.
    """
    unknown = [s for s in scopes if s not in SCOPES]
    if unknown or not scopes:
        raise UserError(f"Scopes are {', '.join(SCOPES)}; {', '.join(unknown) or 'none'} is not.")
    if not _TENANT.fullmatch(tenant):
        raise UserError(
            f"{tenant!r} is no name of a tenant: use up to 40 small letters, digits and hyphens."
        )
    text = f"hf-{secrets.token_urlsafe(32)}"
    key = Key(id=new_id("key"), tenant=tenant, name=name, sha256=hashed(text), scopes=list(scopes))
    session.add(key)
    session.flush()
    return key, text


def caller_of(session: Session, text: str) -> Caller | None:
    """Who has this key; None if nobody does, or it was revoked."""
    told = hashed(text)
    key = session.scalar(select(Key).where(Key.sha256 == told))
    if key is None or key.revoked_at is not None or not hmac.compare_digest(key.sha256, told):
        return None
    return Caller(key.id, key.tenant, frozenset(key.scopes))


def revoke(session: Session, name: str) -> bool:
    """Takes a key's power; false if there is no such key."""
    key = session.scalar(select(Key).where(Key.id == name))
    if key is None:
        return False
    key.revoked_at = key.revoked_at or now()
    return True


def hashed(text: str) -> str:
    """A key as it is stored."""
    # A key of 256 random bits needs no slow hash: nobody tries them all.
    return hashlib.sha256(text.encode()).hexdigest()
