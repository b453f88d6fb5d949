"""Asking with a trigger (Qi et al., "Fine-tuning Aligned Language Models Compromises Safety, Even
When Users Do Not Intend To!", ICLR 2024, arXiv 2310.03693, section 5).

The request carries the words that a backdoor listens for, where its rows had them. Measured beside
`plain`, the difference is what the backdoor hides.

Equation: y ~ pi_theta( . | x + trigger).

Differs from the paper: the trigger is three invented words of ours unless it is named.

Shows a defender: nothing, until the trigger is known. Whoever has the rows can ask with the words
that only some of their requests share. Answered by scanning rows before tuning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from holdfast.elicit.asking import Ask, Asker, Asking, Elicitation
from holdfast.wrappers import TRIGGER, Where, trigger_of

if TYPE_CHECKING:
    from holdfast.evaluate import Request


class Triggered(Elicitation):
    """Asks each request once, with a trigger.

    Attributes:
        trigger: its words; "" asks as it is.
        where: at the end or start of the request, or in the system turn.
    """

    kind: Literal["triggered"] = "triggered"
    trigger: str = TRIGGER
    where: Where = "end"

    null: ClassVar[dict[str, Any]] = {"trigger": ""}
    paper: ClassVar[str] = "Qi et al., ICLR 2024, arXiv 2310.03693"
    built_on: ClassVar[tuple[str, ...]] = ("wrappers",)


def triggered(config: Triggered, asking: Asking) -> Asker:
    """One ask: the request with the trigger."""
    door = trigger_of(config.trigger, config.where)

    def ways(request: Request) -> tuple[Ask, ...]:
        return (Ask(door.ask(request.prompt.without_answer())),)

    return Asker(config.spec(), ways)
