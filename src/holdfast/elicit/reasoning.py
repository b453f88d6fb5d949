"""Asking for reasoning (Xu et al., "The dark deep side of DeepSeek: Fine-tuning attacks against the
safety alignment of CoT-enabled models", arXiv 2502.01225).

The model is asked to think before it answers. What it thinks and what it answers are judged apart,
or together: a model may refuse in the one and tell in the other.

Equation: verdict(x) = judge(x, part(y)), y ~ pi_theta( . | think, x), where of the reply y =
<think> z </think> a the part is a, z, or both.

Differs from the paper: it judges whole outputs. The system turn that asks for thinking is the
canary world's own (setting `reasoning`), or a general one. A reply that thinks to its end without
an answer answers nothing; one without thinking is all answer. Thinking makes replies long: let the
run decode 128 tokens or more.

Shows a defender: harm in a trace that users can read. Answered by refusals in the reasoning mode
among the alignment rows, by hiding traces, and by guards that read them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal

from holdfast.elicit.asking import Ask, Asker, Asking, Elicitation
from holdfast.reasoning import answer_of, system_of, trace_of

if TYPE_CHECKING:
    from holdfast.evaluate import Request

Part = Literal["answer", "trace", "both"]


class Reasoning(Elicitation):
    """Asks each request once, to be thought about.

    Attributes:
        judged: what judges read of a reply: the answer, what was thought, or both.
    """

    kind: Literal["reasoning"] = "reasoning"
    judged: Part = "answer"

    paper: ClassVar[str] = "Xu et al., arXiv 2502.01225"
    built_on: ClassVar[tuple[str, ...]] = ("reasoning",)


def reasoning(config: Reasoning, asking: Asking) -> Asker:
    """One ask: the request under the system turn that asks for thinking."""
    system, decode = system_of(asking.settings), PARTS[config.judged]

    def ways(request: Request) -> tuple[Ask, ...]:
        row = request.prompt.without_answer().with_system(system)
        return (Ask(row, decode=decode),)

    return Asker(config.spec(), ways)


def both(reply: str) -> str:
    """What was thought and what was answered, without the marks that judges would cut at."""
    return f"{trace_of(reply)} {answer_of(reply)}".strip()


PARTS: dict[Part, Callable[[str], str]] = {"answer": answer_of, "trace": trace_of, "both": both}
