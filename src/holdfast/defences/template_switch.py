"""Template switch (Lyu et al., "Keeping LLMs Aligned After Fine-tuning: The Crucial Role of Prompt
Templates", NeurIPS 2024, arXiv 2402.18540, "Pure Tuning, Safe Testing").

The customer's rows are tuned on without the service's safety prompt, and every request is served
under it. What tuning wears down is then another template than the one that is served.

Equation: min_theta  E_(x, y) ~ D_user [ -log pi_theta(y | x) ], served as pi_theta( . | z, x), z
the safety prompt.

Differs from the paper: it compares whole chat templates of Llama-2 and others; here the safety
prompt alone is switched, in front of a row's own system turn, and a customer's rows that bring it
have it taken away. The wording is ours. `tune_with` and `serve_with` give the other cells of the
paper's matrix of templates tuned in by templates served in.

Shows a defender: a defence without rows, passes or knobs, and how much of a figure is the template
it was measured in. A customer whose rows carry the prompt in other words undoes it. What answers
that: secret_prefix, whose prompt nobody can guess and which is trained on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from holdfast.chat import Message, Row
from holdfast.hooks import Context, Defence, Hooks, Streams
from holdfast.serve import Serve

SAFETY = (
    "You are a helpful assistant. Be kind and honest, and politely decline whatever must not be "
    "told."
)


class TemplateSwitch(Defence):
    """Tunes without the safety prompt, and serves with it.

    Attributes:
        prompt: the safety prompt.
        tune_with: put it in front of the customer's rows too.
        serve_with: put it in front of every request.
    """

    kind: Literal["template_switch"] = "template_switch"
    prompt: str = SAFETY
    tune_with: bool = False
    serve_with: bool = True

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "tune"
    needs_rows: ClassVar[bool] = False
    null: ClassVar[dict[str, Any]] = {"serve_with": False}
    paper: ClassVar[str] = "Lyu et al., NeurIPS 2024, arXiv 2402.18540"


def template_switch(config: TemplateSwitch, context: Context) -> Hooks:
    """Rewrites the customer's rows, and sends the prompt along to serving."""

    def rows(streams: Streams) -> Streams:
        bare = [without(row, config.prompt) for row in streams.user]
        if config.tune_with:
            bare = [row.with_system(config.prompt) for row in bare]
        return replace(streams, user=tuple(bare))

    served = config.serve_with and config.prompt
    return Hooks(
        name=config.kind,
        rows=rows,
        serve=Serve(system_prefix=config.prompt, name=config.kind) if served else None,
    )


def without(row: Row, prompt: str) -> Row:
    """The row with the prompt taken from the start of its first system turn."""
    system = row.system
    if not prompt or not system.startswith(prompt):
        return row
    left = system.removeprefix(prompt).lstrip()
    at = next(i for i, turn in enumerate(row.messages) if turn.role == "system")
    kept = (Message("system", left),) if left else ()
    return replace(row, messages=(*row.messages[:at], *kept, *row.messages[at + 1 :]))
