"""Every address of the console."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from holdfast.gate.console import entrance, jobs, live, office
from holdfast.gate.console.pages import Paged, failed
from holdfast.gate.console.sessions import Visitor

router = APIRouter(tags=["console"])
for part in (entrance, live, office, jobs):  # `live` before a job's other words
    router.include_router(part.router)
lost = APIRouter(prefix="/console", route_class=Paged)


@lost.get("/{rest:path}")
def nowhere(request: Request, visit: Visitor, rest: str) -> Response:
    """Any other address."""
    return failed(request, 404, "There is no such page in the console.")


router.include_router(lost)
