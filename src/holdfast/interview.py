"""Asks a model a policy's requests in one way, and judges what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.evaluate import Exchange, Kind, Request
    from holdfast.models import Model
    from holdfast.policy import Policy
    from holdfast.serving import Serving

LONGEST = 64  # new tokens of a reply


def requests_of(policy: Policy, counts: Mapping[Kind, int]) -> list[Request]:
    """So many of a policy's report requests of each kind."""
    return [r for kind, many in counts.items() for r in policy.requests(kind, many)]


def ask(
    model: Model,
    policy: Policy,
    requests: Sequence[Request],
    way: str,
    *,
    serving: Serving | None = None,
    settings: Mapping[str, Any] | None = None,
) -> list[Exchange]:
    """What a model says, with verdicts.

    Args:
        model: whose replies.
        policy: whose judge.
        requests: asked in their order.
        way: an elicitation.
        serving: what stands before the model where it is served.
        settings: facts that the elicitation may look for, such as a persona.
    """
    from holdfast.elicit import Asking
    from holdfast.evaluate import evaluate
    from holdfast.methods import asker_of
    from holdfast.models import Decoding

    asker = asker_of(way, Asking(model=model, settings=settings or {}))
    return evaluate(
        model, requests, asker, policy.judge, serving, 0, Decoding(max_new_tokens=LONGEST)
    )
