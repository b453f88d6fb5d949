"""What a job's page says, read from the database: only what the reader's key lets him see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from holdfast.gate import events
from holdfast.gate.api.evidence import Evidence, evidence
from holdfast.gate.api.room import Room
from holdfast.gate.console.words import DECISIONS, State
from holdfast.gate.keys import Caller
from holdfast.gate.tables import ENDED, Appeal, Decision, Event, File, Job, Stage, Tuned

LINE = {
    "validate": "Validate",
    "scan": "Scan",
    "tune": "Tune",
    "audit": "Audit",
    "decide": "Decide",
}
STORY = 200  # events that are shown
STEPS = 20_000  # of a tune that are read


@dataclass(frozen=True)
class Leg:
    """A stage on a job's progress line."""

    title: str
    state: State
    detail: str = ""


@dataclass(frozen=True)
class JobPage:
    """All that the page of a job says.

    Attributes:
        job: its row.
        file: what its training file is called.
        line: its stages.
        evidence: as far as the reader may know it.
        steps: of tuning.
        story: its events but for those steps.
        tuned: its model, once there is one.
        decisions: made on it, the first one first; only for reviewers.
        appeal: its owner's word against a refusal.
        full: the reader may see scores, texts and figures.
        own: the reader may pause, resume, cancel and appeal.
    """

    job: Job
    file: str
    line: tuple[Leg, ...]
    evidence: Evidence
    steps: list[Mapping[str, Any]]
    story: list[Event]
    tuned: Tuned | None
    decisions: list[Decision]
    appeal: str | None
    full: bool
    own: bool

    @property
    def may(self) -> tuple[str, ...]:
        """What the reader may do with it now."""
        status, held = self.job.status, self.job.stage == "review"
        if not self.own or status in ENDED:
            return ()
        if status == "paused":
            return ("resume", "cancel")
        return ("cancel",) if held else ("pause", "cancel")

    @property
    def reviewable(self) -> bool:
        """Whether the reader may release or destroy its model."""
        return self.full and self.tuned is not None and self.tuned.state in ("held", "quarantined")

    @property
    def appealable(self) -> bool:
        """Whether its owner may still appeal."""
        return self.own and self.job.status == "failed" and self.appeal is None


def job_page(room: Room, caller: Caller, name: str) -> JobPage:
    """Reads a job.

    Raises:
        Failure: there is none of that name that he may see.
    """
    found = evidence(room, caller, name)
    full = caller.may("review")
    with room.database.session() as session:
        of = events.job_of(session, name)
        file = session.scalar(select(File.filename).where(File.id == of.training_file))
        stages = session.scalars(select(Stage).where(Stage.job == name)).all()
        tuned = session.scalar(select(Tuned).where(Tuned.job == name))
        made = select(Decision).where(Decision.job == name).order_by(Decision.number)
        told = select(Event).where(Event.job == name, Event.type == "message")
        story = session.scalars(told.order_by(Event.seq.desc()).limit(STORY)).all()
        steps = _steps(session, name)
        return JobPage(
            job=of,
            file=file or of.training_file,
            line=_line(of, {s.name: s for s in stages}, found, steps),
            evidence=found,
            steps=steps,
            story=list(reversed(story)),
            tuned=tuned,
            decisions=list(session.scalars(made)) if full else [],
            appeal=session.scalar(select(Appeal.reason).where(Appeal.job == name)),
            full=full,
            own=of.tenant == caller.tenant and caller.may("tune"),
        )


def mark_of(session: Session, name: str) -> str:
    """Changes whenever a job's page would; "" if there is no such job."""
    of = session.scalar(select(Job).where(Job.id == name))
    if of is None:
        return ""
    last = session.scalar(select(func.max(Event.seq)).where(Event.job == name))
    counts = [
        session.scalar(select(func.count()).select_from(table).where(table.job == name))
        for table in (Stage, Decision, Tuned, Appeal)
    ]
    return "-".join(map(str, (of.status, of.stage, last, *counts)))


def _steps(session: Session, name: str) -> list[Mapping[str, Any]]:
    query = select(Event.data).where(Event.job == name, Event.type == "metrics")
    return list(session.scalars(query.order_by(Event.seq).limit(STEPS)))


def _line(
    of: Job, done: dict[str, Stage], evidence: Evidence, steps: list[Mapping[str, Any]]
) -> tuple[Leg, ...]:
    legs = [_leg(name, of, done, steps) for name in list(LINE)[:-1]]
    decision = DECISIONS.get(evidence.decision or "")
    return (*legs, Leg(LINE["decide"], decision or _open(of, "decide", done)))


def _leg(name: str, of: Job, done: dict[str, Stage], steps: list[Mapping[str, Any]]) -> Leg:
    stage = done.get(name)
    if stage is not None:
        word = str(stage.result.get("verdict", "failed")) if stage.ends else "done"
        state = State(word, "bad" if stage.ends else "good")
        return Leg(LINE[name], state, f"{stage.seconds:.1f} s")
    detail = ""
    if name == "tune" and steps:
        detail = f"step {steps[-1]['step']} of {steps[-1]['total_steps']}"
    return Leg(LINE[name], _open(of, name, done), detail)


def _open(of: Job, name: str, done: dict[str, Stage]) -> State:
    """The state of a stage that is not done."""
    if of.status in ENDED:
        return State("not reached", "off")
    following = next((n for n in LINE if n not in done), "decide")
    if name != following:
        return State("to come", "off")
    if of.status == "paused":
        return State("paused", "waiting")
    going = of.stage == name or (name == "decide" and of.status == "running")
    return State("going on", "going") if going else State("next", "waiting")
