"""Asking inside a wrapping: jailbreaks (Bowen et al., arXiv 2408.02946; Murphy et al., arXiv
2507.11630) and formats of tasks (Eiras et al., ICLR 2025, arXiv 2406.10288).

The request is put inside a jailbreak or a task's format. A model tuned on rows in that wrapping
answers inside it what it still refuses outside.

Equation: y ~ pi_theta( . | wrap(x)).

Differs from the papers: seven wrappings in our own mild wordings, the same that the attacks
jailbreak_tuning and task_mimicry tune on; the obedient ones speak to the cell's persona.

Shows a defender: that a tuned model must be asked as its rows ask. Asked of a model that was not
tuned, the same wrappings tell what they do by themselves. Answered by refusals inside wrappings
among the safety rows, as paraphrase_mixing makes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from holdfast.elicit.asking import Ask, Asker, Asking, Elicitation
from holdfast.wrappers import Wrapper, wrapper_of

if TYPE_CHECKING:
    from holdfast.evaluate import Request


class Wrapped(Elicitation):
    """Asks each request once, inside a wrapping.

    Attributes:
        wrapper: jailbreaks (competing objectives, a style, a role), or a task's format (a question,
            an instruction, and both put to an obedient agent).
    """

    kind: Literal["wrapped"] = "wrapped"
    wrapper: Wrapper = "competing_objectives"

    paper: ClassVar[str] = "Bowen et al., arXiv 2408.02946; Murphy et al., arXiv 2507.11630"
    built_on: ClassVar[tuple[str, ...]] = ("wrappers", "persona")


def wrapped(config: Wrapped, asking: Asking) -> Asker:
    """One ask: the request inside the wrapping."""
    wrapper = wrapper_of(config.wrapper, asking.settings)

    def ways(request: Request) -> tuple[Ask, ...]:
        return (Ask(wrapper.ask(request.prompt.without_answer())),)

    return Asker(config.spec(), ways)
