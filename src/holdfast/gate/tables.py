"""What the gate remembers. Rows are never overwritten but for states; evidence is kept apart."""

from __future__ import annotations

import secrets
import time
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

# SQLite counts up by itself only in a column that is called INTEGER.
Serial = BigInteger().with_variant(Integer, "sqlite")
ENDED = ("succeeded", "failed", "cancelled")
RUNNABLE = ("validating_files", "queued", "running")
WAITING = (*RUNNABLE, "paused")
GONE = ("destroyed", "deleted")  # states of models whose weights nobody may have any more


def now() -> int:
    """Seconds since 1970, as the wire has them."""
    return int(time.time())


def new_id(kind: str) -> str:
    """A name that nobody guesses: 96 random bits."""
    return f"{kind}-{secrets.token_hex(12)}"


class Table(MappedAsDataclass, DeclarativeBase, kw_only=True):
    """Every table counts its rows, so that lists have an order that does not change."""

    seq: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True, init=False)


class Key(Table):
    """An API key; the key itself is shown once and never stored."""

    __tablename__ = "keys"

    id: Mapped[str] = mapped_column(unique=True)
    tenant: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[int] = mapped_column(default_factory=now)
    revoked_at: Mapped[int | None] = mapped_column(default=None)


class Login(Table):
    """A session of the console; the cookie that names it is never stored."""

    __tablename__ = "sessions"

    sha256: Mapped[str] = mapped_column(unique=True)
    key: Mapped[str] = mapped_column(ForeignKey("keys.id"), index=True)
    csrf: Mapped[str]
    expires_at: Mapped[int]
    created_at: Mapped[int] = mapped_column(default_factory=now)


class File(Table):
    """An uploaded file; its bytes are in the store under their hash."""

    __tablename__ = "files"

    id: Mapped[str] = mapped_column(unique=True)
    tenant: Mapped[str] = mapped_column(index=True)
    filename: Mapped[str]
    purpose: Mapped[str]
    bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(index=True)
    sketch: Mapped[list[int]] = mapped_column(JSON, default_factory=list)
    created_at: Mapped[int] = mapped_column(default_factory=now)
    deleted_at: Mapped[int | None] = mapped_column(default=None)


class Job(Table):
    """A fine-tuning job. `owner` is the attempt that may write; another one's writes are lost."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(unique=True)
    tenant: Mapped[str] = mapped_column(index=True)
    model: Mapped[str]
    training_file: Mapped[str]
    validation_file: Mapped[str | None] = mapped_column(default=None)
    data_sha256: Mapped[str] = mapped_column(default="")
    hyperparameters: Mapped[dict[str, Any]] = mapped_column(JSON, default_factory=dict)
    suffix: Mapped[str | None] = mapped_column(default=None)
    seed: Mapped[int] = mapped_column(default=0)
    meta: Mapped[dict[str, str]] = mapped_column(JSON, default_factory=dict)
    status: Mapped[str] = mapped_column(default="validating_files", index=True)
    stage: Mapped[str] = mapped_column(default="")
    owner: Mapped[str] = mapped_column(default="")
    near: Mapped[str | None] = mapped_column(default=None)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), default=None)
    fine_tuned_model: Mapped[str | None] = mapped_column(default=None)
    trained_tokens: Mapped[int | None] = mapped_column(default=None)
    created_at: Mapped[int] = mapped_column(default_factory=now)
    finished_at: Mapped[int | None] = mapped_column(default=None)


class Event(Table):
    """A line of a job's story, as its owner reads it."""

    __tablename__ = "events"

    id: Mapped[str] = mapped_column(unique=True)
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    message: Mapped[str]
    level: Mapped[str] = mapped_column(default="info")
    type: Mapped[str] = mapped_column(default="message")
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default_factory=dict)
    created_at: Mapped[int] = mapped_column(default_factory=now)


class Stage(Table):
    """A finished stage of a job and what it found, and whether the job ended with it."""

    __tablename__ = "stages"
    __table_args__ = (UniqueConstraint("job", "name"),)

    job: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    name: Mapped[str]
    result: Mapped[dict[str, Any]] = mapped_column(JSON)
    seconds: Mapped[float]
    ends: Mapped[bool]
    created_at: Mapped[int] = mapped_column(default_factory=now)


class Tuned(Table):
    """A tuned model; its folder is in the store under its digest."""

    __tablename__ = "models"

    id: Mapped[str] = mapped_column(unique=True)
    tenant: Mapped[str] = mapped_column(index=True)
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id"), unique=True)
    base: Mapped[str]
    digest: Mapped[str] = mapped_column(index=True)
    state: Mapped[str]  # released, held, quarantined, destroyed, deleted
    created_at: Mapped[int] = mapped_column(default_factory=now)


class Decision(Table):
    """A link of the sealed chain: what was decided, on which figures, by whom."""

    __tablename__ = "decisions"
    __table_args__ = (Index("one_first_decision", "job", "number", unique=True),)

    job: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    number: Mapped[int]  # 0 is the policy's own, later ones a reviewer's
    decision: Mapped[str]
    reason: Mapped[str]
    by: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    previous: Mapped[str] = mapped_column(unique=True)
    mac: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[int] = mapped_column(default_factory=now)


class Act(Table):
    """A line of the audit trail: who did what to what, and why."""

    __tablename__ = "acts"

    by: Mapped[str]
    tenant: Mapped[str] = mapped_column(index=True)
    act: Mapped[str]
    object: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str] = mapped_column(default="")
    created_at: Mapped[int] = mapped_column(default_factory=now)


class Appeal(Table):
    """A tenant's word on a job that was refused, for a reviewer."""

    __tablename__ = "appeals"

    job: Mapped[str] = mapped_column(ForeignKey("jobs.id"), unique=True)
    tenant: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str]
    created_at: Mapped[int] = mapped_column(default_factory=now)


class Once(Table):
    """A request that must not act twice: the job that its idempotency key made."""

    __tablename__ = "once"
    __table_args__ = (UniqueConstraint("tenant", "key"),)

    tenant: Mapped[str]
    key: Mapped[str]
    body: Mapped[str]
    job: Mapped[str]


class Worker(Table):
    """A worker that is or was alive; its jobs are taken over once it is silent."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(unique=True)
    host: Mapped[str]
    seen_at: Mapped[int] = mapped_column(default_factory=now)
