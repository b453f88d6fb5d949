"""What a client is told when something is wrong: OpenAI's error object, with its codes."""

from __future__ import annotations

from typing import Any


class Failure(Exception):
    """An answer that is an error.

    Attributes:
        status: of HTTP.
        code: what a program looks at.
        param: the parameter that is to blame.
        headers: sent with it.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """As the wire has it."""
        return {"error": told(self.status, self.message, self.code, self.param)}


_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "server_error",
}


def told(status: int, message: str, code: str | None, param: str | None) -> dict[str, Any]:
    """The error object."""
    kind = _TYPES.get(status, "invalid_request_error")
    return {"message": message, "type": kind, "param": param, "code": code}


def missing(what: str, name: str, param: str | None = None) -> Failure:
    """404: there is no such thing, or it is another tenant's."""
    return Failure(404, f"No such {what}: {name}", f"{what.replace(' ', '_')}_not_found", param)


def conflict(message: str, code: str) -> Failure:
    """409: it is there, but not in a state that allows this."""
    return Failure(409, message, code)
