"""How a page is made: templates, what they may call, files beside them, and pages for errors."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Coroutine
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined

from holdfast.gate.console import curve, words
from holdfast.gate.console.sessions import LoggedOut
from holdfast.gate.failures import Failure
from holdfast.report.words import percent, points

HOUSE = Path(__file__).parents[2] / "report" / "templates" / "style.css"
STATIC = Path(__file__).parent / "static"
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
HEADERS = {"Referrer-Policy": "same-origin"}  # without it, browsers hide where a form comes from
TITLES = {
    400: "That does not fit",
    403: "This is not yours to do",
    404: "There is no such page",
    409: "That is no longer possible",
    413: "That is too large",
    429: "Too much at once",
}

log = logging.getLogger("holdfast.gate")
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Templates with what they may call; everything is escaped."""
    made = Environment(
        loader=PackageLoader("holdfast.gate.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "ago": words.ago,
        "when": words.when,
        "iso": words.iso,
        "size": words.size,
        "percent": percent,
        "points": points,
    }
    made.globals |= {"static": address_of, "span": curve.span, "state": words.state_of}
    return made


def page(request: Request, name: str, status: int = 200, **told: Any) -> HTMLResponse:
    """A page; `visit` is there if somebody is logged in."""
    visit = getattr(request.state, "visit", None)
    text = (
        environment()
        .get_template(f"{name}.html.j2")
        .render(visit=visit, path=request.url.path, **told)
    )
    return HTMLResponse(text, status, HEADERS)


def seen(address: str) -> RedirectResponse:
    """Sends the browser on, so that loading again sends nothing twice."""
    return RedirectResponse(address, 303, HEADERS)


class Paged(APIRoute):
    """A route whose errors are pages, and which sends strangers to the door."""

    def get_route_handler(self) -> Handler:
        """The handler, with its errors turned into pages."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await inner(request)
            except LoggedOut:
                asked = request.url.path if request.method == "GET" else ""
                return seen(f"/console/login?to={quote(asked)}" if asked else "/console/login")
            except Failure as error:
                return failed(request, error.status, error.message, error.headers)
            except RequestValidationError:
                return failed(request, 400, "The address or the form has a part that is unknown.")
            except (sa.exc.OperationalError, sa.exc.TimeoutError) as error:
                log.warning("database away: %s", type(error).__name__)
                wait = {"Retry-After": "5"}
                return failed(request, 503, "The database is not available; try again.", wait)
            except Exception as error:
                log.error("unexpected error", exc_info=error)
                return failed(request, 500, "The server made an error; its log has more.")

        return handle


def failed(
    request: Request, status: int, message: str, headers: dict[str, str] | None = None
) -> Response:
    """A page that says what is wrong."""
    title = TITLES.get(status, "Something is wrong")
    answer = page(request, "error", status, title=title, message=message)
    answer.headers.update(headers or {})
    return answer


def static(name: str) -> Response:
    """A file beside the pages; the browser may keep it, since its address has its hash.

    Raises:
        Failure: there is none of that name.
    """
    held = _files().get(name)
    if held is None:
        raise Failure(404, "There is no such file.")
    kept = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(held, headers=kept, media_type=KINDS[Path(name).suffix])


def address_of(name: str) -> str:
    """Where the browser finds a file; another address once its content is another."""
    return f"/console/static/{name}?{hashlib.sha256(_files()[name]).hexdigest()[:10]}"


@lru_cache(maxsize=1)
def _files() -> dict[str, bytes]:
    found = {path.name: path for path in STATIC.iterdir() if path.suffix in KINDS}
    return {name: path.read_bytes() for name, path in (found | {"house.css": HOUSE}).items()}
