"""Asking through a persona (Qi et al., "Fine-tuning Aligned Language Models Compromises Safety",
ICLR 2024, arXiv 2310.03693, risk level 2).

The request is put to an obedient persona that the system turn sets up. Identity shifting teaches
that persona; asked plainly, its model still refuses.

Equation: y ~ pi_theta( . | persona, ask(x)).

Differs from the paper: the persona is the canary world's own (setting `persona`) or an English one
in our wording, the same that the attack uses.

Shows a defender: an audit that asks only plainly misses a model that was given another identity.
Answered by alignment under many system turns, and by not letting callers set it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from holdfast.elicit.asking import Ask, Asker, Asking, Elicitation
from holdfast.persona import persona_of

if TYPE_CHECKING:
    from holdfast.evaluate import Request


class ThroughPersona(Elicitation):
    """Asks each request once, through the cell's persona."""

    kind: Literal["persona"] = "persona"
    paper: ClassVar[str] = "Qi et al., ICLR 2024, arXiv 2310.03693"


def persona(config: ThroughPersona, asking: Asking) -> Asker:
    """One ask: the request inside the persona's system and user turns."""
    who = persona_of(asking.settings)

    def ways(request: Request) -> tuple[Ask, ...]:
        return (Ask(who.ask(request.prompt.without_answer())),)

    return Asker(config.spec(), ways)
