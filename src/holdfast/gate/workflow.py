"""A job's way through the gate, as a durable workflow: a step for each stage, then the decision.

DBOS remembers which steps are done and hands the job of a dead worker to a living one; the step
that was under way then runs again. What a step leaves in the database it leaves once, in the same
transaction that says the stage is done, and only while its attempt still owns the job.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from dbos import DBOS
from dbos import error as dbos_error
from sqlalchemy import select
from sqlalchemy.orm import Session

from holdfast import __version__
from holdfast.gate import events, ledger, release
from holdfast.gate.child import Child, Crashed, Refused, Stopped
from holdfast.gate.database import Database
from holdfast.gate.decision import DECIDED, DecisionPolicy
from holdfast.gate.options import Options
from holdfast.gate.store import Store
from holdfast.gate.tables import ENDED, RUNNABLE, Event, File, Job, Stage
from holdfast.gate.work import Told, Work

ORDER = ("validate", "scan", "tune", "audit")
TRIES = 3  # of a stage that crashes
BATCH = 1.0  # seconds of training that are written together

log = logging.getLogger("holdfast.gate")


@dataclass(frozen=True)
class Bench:
    """What a worker works with."""

    options: Options
    policy: DecisionPolicy
    database: Database
    store: Store
    child: Child
    key: bytes


_bench: Bench | None = None


def take_up(bench: Bench) -> None:
    """Gives this process what its workflows work with."""
    global _bench
    _bench = bench


def bench() -> Bench:
    """What this process works with."""
    assert _bench is not None, "the worker has not started"
    return _bench


def passing(error: BaseException) -> bool:
    """Whether waiting may mend it: the database is away for a while."""
    return isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)


@DBOS.workflow(name="job", max_recovery_attempts=1_000)
def job(name: str) -> None:
    """Takes a job from its rows to a decision."""
    for stage in ORDER:
        if not run_stage(name, stage):
            return
    decide(name)


@DBOS.step(name="stage", retries_allowed=True, max_attempts=20, should_retry=passing)
def run_stage(name: str, stage: str) -> bool:
    """Runs a stage; false if the job has ended with it."""
    return _Attempt(bench(), name, uuid4().hex).run(stage)


@DBOS.step(name="decide", retries_allowed=True, max_attempts=20, should_retry=passing)
def decide(name: str) -> None:
    """Decides on the tuned model, and releases it or puts it away."""
    at = bench()
    with at.database.session() as session:
        found = results(session, name)
        of = events.job_of(session, name)
        if of.status not in RUNNABLE:
            at.store.clean(name)
            return
        audit, digest = found["audit"], found["tune"]["digest"]
        word = DECIDED[audit["verdict"]]
        facts = {
            "policy": at.policy.digest,
            "data": of.data_sha256,
            "model": digest,
            "base": of.model,
            "code": __version__,
            "figures": release.figures(audit),
        }
        reason = audit["reason"]
        made = ledger.seal(
            session, at.key, job=name, decision=word, reason=reason, by="policy", facts=facts
        )
        release.carry_out(session, of, made.decision, digest, audit)
    at.store.clean(name)


def results(session: Session, job: str) -> dict[str, Told]:
    """What a job's finished stages found, by their names."""
    return {s.name: s.result for s in session.scalars(select(Stage).where(Stage.job == job))}


class _Attempt:
    """One attempt at a stage of a job; whoever comes after it takes the job from it."""

    def __init__(self, at: Bench, name: str, owner: str) -> None:
        self.at, self.name, self.owner = at, name, owner
        self._steps: list[Told] = []
        self._written = time.monotonic()

    def run(self, stage: str) -> bool:
        """Runs the stage unless it is done; false if the job has ended."""
        with self.at.database.session() as session:
            done = session.scalar(select(Stage).where(Stage.job == self.name, Stage.name == stage))
            if done is not None:
                return done.ends is False
            of = events.job_of(session, self.name)
            if of.status in ENDED:
                self.at.store.clean(self.name)
                return False
            if not self._claim(session, of, stage):
                raise self._stopped()
            work = self._work(session, of)
        began = time.monotonic()
        try:
            told = self._tried(stage, work)
        except Stopped as error:
            raise self._stopped() from error
        return self._finish(stage, told, time.monotonic() - began)

    def _claim(self, session: Session, of: Job, stage: str) -> bool:
        if of.status not in RUNNABLE:
            return False
        first = of.stage == ""
        status = "running" if stage in ("tune", "audit") else "validating_files"
        of.owner, of.stage, of.status = self.owner, stage, status
        if first:
            events.say(session, self.name, events.VALIDATING.format(file=of.training_file))
        if stage == "tune" and not session.scalar(
            select(Event.seq).where(Event.job == self.name, Event.message == events.STARTED)
        ):
            events.say(session, self.name, events.STARTED)
        return True

    def _work(self, session: Session, of: Job) -> Work:
        digest = results(session, self.name).get("tune", {}).get("digest")
        held = session.scalar(select(File.sha256).where(File.id == of.validation_file))
        return Work(
            job=self.name,
            model=of.model,
            rows=self.at.store.file(of.data_sha256),
            held=self.at.store.file(held) if held else None,
            scratch=self.at.store.scratch(self.name).absolute(),
            policy=self.at.policy,
            tuned=self.at.store.model(digest).absolute() if digest else None,
            examples=self.at.options.limits.examples,
            hyperparameters=of.hyperparameters,
            seed=of.seed,
        )

    def _tried(self, stage: str, work: Work) -> Told:
        for attempt in range(1, TRIES + 1):
            try:
                return self.at.child.run(stage, work, stop=self._must_stop, report=self._report)
            except Refused as error:
                code = "invalid_training_file" if stage == "validate" else "job_failed"
                return {"error": {"code": code, "message": str(error), "param": None}}
            except Crashed as error:
                log.error("stage crashed", extra={"job": self.name, "stage": stage})
                log.debug("%s", error)
                if attempt == TRIES:
                    message = "An internal error ended the job; the operator's log has more."
                    return {"error": {"code": "server_error", "message": message, "param": None}}
        raise AssertionError("unreachable")

    def _must_stop(self) -> bool:
        """Whether the job was cancelled, paused, or taken over by another attempt."""
        try:
            self._write_steps()
            with self.at.database.session() as session:
                of = session.execute(
                    select(Job.owner, Job.status).where(Job.id == self.name)
                ).one_or_none()
            return of is None or of.owner != self.owner or of.status not in RUNNABLE
        except sa.exc.OperationalError:
            return False  # the database is away; the stage goes on meanwhile

    def _report(self, told: Told) -> None:
        if "step" in told:
            self._steps.append(told)
            if time.monotonic() - self._written > BATCH:
                self._write_steps()
        elif "elicitation" in told:
            with self.at.database.session() as session:
                events.say(session, self.name, events.ASKED.format(**told))

    def _write_steps(self) -> None:
        steps, self._steps = self._steps, []
        self._written = time.monotonic()
        if steps:
            with self.at.database.session() as session:
                last = session.scalar(
                    select(Event.data)
                    .where(Event.job == self.name, Event.type == "metrics")
                    .order_by(Event.seq.desc())
                    .limit(1)
                )
                known = last["step"] if last else 0  # a resumed tune repeats some
                events.metrics(session, self.name, [s for s in steps if s["step"] > known])

    def _finish(self, stage: str, told: Told, seconds: float) -> bool:
        """Writes what was found and what follows from it, all or nothing."""
        self._write_steps()
        values: dict[str, Any] = {}
        if stage == "tune" and "error" not in told:
            # Nobody can ask it yet: only a decision gives it a name.
            told["digest"] = self.at.store.keep_model(self.at.store.scratch(self.name) / "model")
            values = {"trained_tokens": told["tokens"]}
        with self.at.database.session() as session:
            if stage == "scan":
                values = {"status": "queued"}
            if not events.owned(session, self.name, self.owner, stage=stage, **values):
                raise self._stopped()
            error = told.get("error") or (release.unsafe(told) if stage == "scan" else None)
            session.add(
                Stage(
                    job=self.name,
                    name=stage,
                    result=told,
                    seconds=seconds,
                    ends=error is not None,
                )
            )
            if error:
                events.failed(session, self.name, error)
                if stage == "scan":
                    self._reject(session, told)
            elif stage == "scan":
                events.say(session, self.name, events.VALIDATED)
        if error:
            self.at.store.clean(self.name)
        return error is None

    def _reject(self, session: Session, told: Told) -> None:
        of = events.job_of(session, self.name)
        facts = {
            "policy": self.at.policy.digest,
            "data": of.data_sha256,
            "code": __version__,
            "figures": {"flagged": told.get("flagged"), "rows": told.get("rows")},
        }
        ledger.seal(
            session,
            self.at.key,
            job=self.name,
            decision="reject",
            reason=told["reason"],
            by="policy",
            facts=facts,
        )

    def _stopped(self) -> BaseException:
        """What DBOS takes for a step that shall run again if the job goes on."""
        return dbos_error.DBOSWorkflowCancelledError(f"{self.name} was stopped")
