"""/healthz, /readyz and /metrics, for whoever operates the gate."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from holdfast.gate.api.room import Room, TheRoom
from holdfast.gate.tables import Job, Tuned, Worker, now
from holdfast.gate.timing import SILENT

router = APIRouter(tags=["operations"])


@router.get("/healthz", response_class=PlainTextResponse)
def healthy() -> str:
    """The process answers."""
    return "ok\n"


class Ready(BaseModel):
    """What the gate needs in order to take jobs."""

    database: bool
    workers: int
    models: bool


@router.get("/readyz", response_model=Ready, responses={503: {"model": Ready}})
def ready(room: TheRoom) -> Response:
    """Whether jobs can be taken: the database answers, and a worker is alive."""
    with room.database.session() as session:
        alive = _alive(session)
    told = Ready(database=True, workers=alive, models=room.options.socket.exists())
    return JSONResponse(told.model_dump(), 200 if alive else 503)


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(room: TheRoom) -> PlainTextResponse:
    """Counts for Prometheus."""
    return PlainTextResponse("\n".join([*_answers(room), *_jobs(room)]) + "\n")


def _alive(session: Session) -> int:
    """Workers that left a sign of life of late."""
    return session.scalar(select(func.count()).where(Worker.seen_at >= now() - SILENT)) or 0


def _answers(room: Room) -> list[str]:
    m = room.metrics
    lines = ["# TYPE holdfast_requests_total counter"]
    for (method, path, status), many in sorted(m.answers.items()):
        labels = f'method="{method}",path="{path}",status="{status}"'
        lines.append(f"holdfast_requests_total{{{labels}}} {many}")
    lines.append("# TYPE holdfast_request_seconds histogram")
    total = 0
    for bound, many in zip((*m.BOUNDS, "+Inf"), m.buckets, strict=True):
        total += many
        lines.append(f'holdfast_request_seconds_bucket{{le="{bound}"}} {total}')
    lines += [f"holdfast_request_seconds_sum {m.seconds:.6f}"]
    lines += [f"holdfast_request_seconds_count {total}"]
    return lines


def _jobs(room: Room) -> list[str]:
    with room.database.session() as session:
        jobs = session.execute(select(Job.status, func.count()).group_by(Job.status)).all()
        models = session.execute(select(Tuned.state, func.count()).group_by(Tuned.state)).all()
        alive = _alive(session)
    return [
        "# TYPE holdfast_jobs gauge",
        *(f'holdfast_jobs{{status="{status}"}} {many}' for status, many in jobs),
        "# TYPE holdfast_models gauge",
        *(f'holdfast_models{{state="{state}"}} {many}' for state, many in models),
        "# TYPE holdfast_workers gauge",
        f"holdfast_workers {alive}",
    ]
