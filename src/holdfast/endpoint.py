"""An endpoint: a model behind an OpenAI-compatible server, and what may be asked of it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from holdfast.errors import UserError

if TYPE_CHECKING:
    from holdfast.elicit.asking import Elicitation

__all__ = ["Endpoint", "endpoint_of", "is_remote", "lost", "may_force"]

FORM = "write http://host:port/v1#model-name"


@dataclass(frozen=True)
class Endpoint:
    """Where a model is, and how it is asked.

    Attributes:
        url: Of the API, such as http://localhost:8000/v1.
        model: What the server calls the model.
        key_env: Environment variable that holds the key; a key is never written down.
        concurrency: Requests under way at once.
        timeout: Seconds for one attempt.
        patience: Seconds for which a request that fails is tried again.
        price_in: Money for a million tokens of prompts; 0 if unknown.
        price_out: Money for a million tokens of replies.
    """

    url: str
    model: str
    key_env: str = "OPENAI_API_KEY"
    concurrency: int = 8
    timeout: float = 60.0
    patience: float = 120.0
    price_in: float = 0.0
    price_out: float = 0.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"{self.url!r} is no endpoint: {FORM}.")
        if not self.model:
            raise UserError(f"{self.url} does not say which model: {FORM}.")
        if self.concurrency < 1 or self.timeout <= 0 or self.patience < 0:
            raise UserError(
                f"The endpoint {self.url} needs a concurrency of 1 or more, a timeout above 0 and "
                "a patience of 0 or more."
            )

    @property
    def name(self) -> str:
        """The spec that users write: `http://host:port/v1#model-name`."""
        return f"{self.url}#{self.model}"


def is_remote(name: str) -> bool:
    """Whether a model's name is that of an endpoint."""
    return name.startswith(("http://", "https://"))


def endpoint_of(name: str) -> Endpoint:
    """The endpoint that `http://host:port/v1#model-name` names.

    Raises:
        UserError: it is no such name.
    """
    url, _, model = name.partition("#")
    return Endpoint(url.rstrip("/"), model)


def may_force(url: str) -> bool:
    """Whether answer starts may be forced there: on this machine's own addresses only."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def lost(elicitation: Elicitation, url: str = "") -> str:
    """Why this way of asking cannot be had behind an endpoint; "" if it can.

    Args:
        elicitation: the way of asking.
        url: of the endpoint; some ways go to no other machine than this one.
    """
    if elicitation.needs == "start":
        return "the API takes whole conversations, so an answer's start cannot be forced"
    if elicitation.needs == "weights":
        return "it takes the model's weights, which an endpoint keeps to itself"
    if elicitation.needs == "decoding":
        return "the API does not take every way of decoding (it has no top-k)"
    from holdfast.elicit.mutations import MUTATIONS

    mutation = MUTATIONS.get(getattr(elicitation, "mutation", ""))
    encoded = mutation is not None and mutation.group == "encoding"
    if url and not may_force(url) and (encoded or getattr(elicitation, "code", "")):
        return "endpoints on other machines are asked in plain language, not in codes"
    return ""
