"""Asking plainly: the request as the policy words it, no forced start, the run's decoding.

The protocol of HEx-PHI as Qi et al. use it (arXiv 2310.03693): one reply to each request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from holdfast.elicit.asking import Ask, Asker, Asking, Elicitation

if TYPE_CHECKING:
    from holdfast.evaluate import Request


class Plain(Elicitation):
    """Asks each request once, as it is."""

    kind: Literal["plain"] = "plain"
    paper: ClassVar[str] = "Qi et al., ICLR 2024, arXiv 2310.03693"


def plain(config: Plain, asking: Asking) -> Asker:
    """One ask: the request's own conversation."""

    def ways(request: Request) -> tuple[Ask, ...]:
        return (Ask(request.prompt.without_answer()),)

    return Asker(config.spec(), ways)
