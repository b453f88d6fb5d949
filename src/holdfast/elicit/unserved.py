"""Asking the bare weights, past whatever the service puts around them.

Wang et al., "BackdoorAlign", NeurIPS 2024, arXiv 2402.14968: the secret prompt protects only what
is asked under it. Whoever holds the weights, or finds a path to them that forgets the prompt, asks
without it; the paper does not measure that.

Shows a defender: what is left when request rewriting is bypassed. Answered by keeping the weights
behind the service, and by defences that live in the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from holdfast.elicit.asking import Ask, Asker, Asking, Elicitation

if TYPE_CHECKING:
    from holdfast.evaluate import Request


class Unserved(Elicitation):
    """Asks each request once, without the service's rewriting."""

    kind: Literal["unserved"] = "unserved"
    paper: ClassVar[str] = "Wang et al., NeurIPS 2024, arXiv 2402.14968"


def unserved(config: Unserved, asking: Asking) -> Asker:
    """One ask: the request's own conversation, put to the weights alone."""

    def ways(request: Request) -> tuple[Ask, ...]:
        return (Ask(request.prompt.without_answer(), served=False),)

    return Asker(config.spec(), ways)
