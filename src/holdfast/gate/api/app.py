"""The server: who may ask what, how errors look, and what every answer carries."""

from __future__ import annotations

import logging
import time
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast import __version__
from holdfast.gate.api import (
    chat,
    evidence,
    files,
    health,
    jobs,
    keyring,
    models,
    review,
    screening,
    story,
)
from holdfast.gate.api.room import Room
from holdfast.gate.api.wire import ErrorBody
from holdfast.gate.console import routes as console
from holdfast.gate.failures import Failure, told

log = logging.getLogger("holdfast.gate")

FOLLOWED = "/live"  # answers that last as long as somebody looks; their time says nothing
FORM = 1 << 16  # bytes of an upload beside the file
UPLOADS = ("/v1/files", "/console/jobs")

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"model": ErrorBody} for code in (400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 503)
}


def create_app(room: Room) -> FastAPI:
    """The application, around what its answers come from."""
    app = FastAPI(
        title="Holdfast gate",
        version=__version__,
        description="Fine-tuning that never ships a broken model. Under /v1 OpenAI's API, under "
        "/holdfast/v1 what Holdfast adds.",
        responses=ERRORS,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.room = room
    for part in (files, jobs, story, models, chat, evidence, screening, review, keyring, health):
        app.include_router(part.router)
    app.include_router(console.router, include_in_schema=False)
    app.add_exception_handler(Failure, _failure)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(sa.exc.OperationalError, _away)
    app.add_exception_handler(sa.exc.TimeoutError, _away)
    app.add_exception_handler(Exception, _broken)
    app.add_middleware(Watched, room=room)
    return app


class Watched:
    """Every answer: its headers, its line in the log, its place in the metrics.

    Plain ASGI: the framework's own middleware costs as much as an answer.
    """

    def __init__(self, app: ASGIApp, room: Room) -> None:
        self.app, self.room = app, room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, unless its body is too large."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            refused = _too_large(self.room, Request(scope))
            await (refused or self.app)(scope, receive, sent)
        finally:
            path = getattr(scope.get("route"), "path", "unknown")
            if not path.endswith(FOLLOWED):
                spent = time.perf_counter() - began
                self.room.metrics.seen(scope["method"], path, status, spent)


def _too_large(room: Room, request: Request) -> Response | None:
    """Refuses a body before it is read; uploads are counted again as they come."""
    length = request.headers.get("content-length", "")
    upload = request.method == "POST" and request.url.path in UPLOADS
    most = room.options.limits.file_bytes + FORM if upload else room.options.limits.body_bytes
    if length and not length.isdigit():
        return _answer(400, "Content-Length is no number.", None, None)
    if length and int(length) > most:
        return _answer(413, f"The body may have {most:,} bytes at most.", "too_large", None)
    if not length and not upload and "transfer-encoding" in request.headers:
        return _answer(411, "Send Content-Length.", "length_required", None)
    return None


async def _broken(_: Request, error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return _answer(500, "The server made an error; its log has more.", None, None)


async def _failure(_: Request, error: Exception) -> Response:
    assert isinstance(error, Failure)
    return JSONResponse(error.body(), error.status, error.headers)


async def _invalid(_: Request, error: Exception) -> Response:
    """A request that does not fit: OpenAI answers 400, and names the parameter."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = [str(part) for part in first["loc"] if part not in ("body", "query", "path", "header")]
    param = ".".join(where) or None
    message = first["msg"].removeprefix("Value error, ")
    return _answer(400, f"{param or 'The request'}: {message}", "invalid_request", param)


async def _plain(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    body = {"error": told(error.status_code, str(error.detail), None, None)}
    return JSONResponse(body, error.status_code, headers)


async def _away(_: Request, error: Exception) -> Response:
    log.warning("database away: %s", type(error).__name__)
    return JSONResponse(
        {"error": told(503, "The database is not available; try again.", "unavailable", None)},
        503,
        {"Retry-After": "5"},
    )


def _answer(status: int, message: str, code: str | None, param: str | None) -> JSONResponse:
    return JSONResponse({"error": told(status, message, code, param)}, status)
