"""Decisions in a sealed chain: each is bound to the one before by a key that is kept elsewhere.

Whoever edits, removes or reorders a decision without the key breaks the chain. Whoever has the key
can forge it all, except against a head that somebody wrote down: that is why heads are published.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from holdfast.errors import UserError
from holdfast.gate.tables import Decision, now

START = "0" * 64


def key_of(path: Path, *, make: bool = False) -> bytes:
    """The key that seals decisions.

    Args:
        path: its file, readable by its owner alone.
        make: draw a key where there is none.

    Raises:
        UserError: there is no key, or it is damaged.
    """
    try:
        if make and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(number, "w") as file:
                file.write(secrets.token_hex(32) + "\n")
        key = bytes.fromhex(path.read_text("ascii").strip())
    except FileExistsError:
        return key_of(path)
    except FileNotFoundError as error:
        raise UserError(f"There is no key at {path}: name its file with --chain-key.") from error
    except (OSError, ValueError) as error:
        raise UserError(f"The key {path} cannot be read ({error}).") from error
    if len(key) != 32:
        raise UserError(f"The key {path} is damaged: it must be 64 hexadecimal digits.")
    return key


def seal(
    session: Session,
    key: bytes,
    *,
    job: str,
    decision: str,
    reason: str,
    by: str,
    facts: dict[str, Any],
) -> Decision:
    """Adds a decision to the chain; a job's first one is made once, whoever asks again."""
    _lock(session)
    made = session.scalars(select(Decision).where(Decision.job == job)).all()
    if made and by == "policy":
        return made[0]
    last = session.scalar(select(Decision).order_by(Decision.seq.desc()).limit(1))
    link = Decision(
        job=job,
        number=len(made),
        decision=decision,
        reason=reason,
        by=by,
        facts=facts,
        previous=last.mac if last else START,
        mac="",
        created_at=now(),
    )
    link.mac = _mac(key, link)
    session.add(link)
    session.flush()
    return link


@dataclass(frozen=True)
class Checked:
    """What a look at the chain found.

    Attributes:
        links: how many decisions there are.
        head: seal of the last one.
        broken: what is wrong, "" if nothing is.
    """

    links: int
    head: str
    broken: str = ""


def check(session: Session, key: bytes, head: str = "") -> Checked:
    """Follows the chain from its start.

    Args:
        session: of the database.
        key: that the chain was sealed with.
        head: a seal that was published; it must be in the chain.
    """
    links = session.scalars(select(Decision).order_by(Decision.seq))
    return followed(links, key, head)


def followed(links: Iterable[Decision], key: bytes, head: str) -> Checked:
    """Follows links that are given in order."""
    previous, many, seen = START, 0, not head or head == START
    for link in links:
        many += 1
        where = f"decision {many}, on {link.job},"
        if link.previous != previous:
            return Checked(many, previous, f"{where} does not follow the one before it")
        if not hmac.compare_digest(link.mac, _mac(key, link)):
            return Checked(many, previous, f"{where} was changed, or sealed with another key")
        previous = link.mac
        seen = seen or previous == head
    broken = "" if seen else "the published head is not in the chain: decisions were taken away"
    return Checked(many, previous, broken)


def head_of(session: Session) -> tuple[int, str]:
    """How many decisions there are, and the seal of the last one."""
    last = session.scalar(select(Decision).order_by(Decision.seq.desc()).limit(1))
    return session.scalar(select(func.count()).select_from(Decision)) or 0, (
        last.mac if last else START
    )


def _mac(key: bytes, link: Decision) -> str:
    fields = (link.job, link.number, link.decision, link.reason, link.by, link.facts)
    sealed = json.dumps([*fields, link.previous, link.created_at], sort_keys=True)
    return hmac.new(key, sealed.encode(), hashlib.sha256).hexdigest()


def _lock(session: Session) -> None:
    """One decision at a time, so that the chain has no forks."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(7270001)"))
    else:
        # SQLite locks with the first write of a transaction; this one writes nothing.
        session.execute(text("UPDATE decisions SET seq = seq WHERE 0"))
