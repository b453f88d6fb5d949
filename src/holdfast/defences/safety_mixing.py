"""Safety mixing (Bianchi et al., "Safety-Tuned LLaMAs: Lessons From Improving the Safety of Large
Language Models that Follow Instructions", ICLR 2024, arXiv 2309.07875, "SafeInstr").

A few hundred rows in which forbidden requests are refused are mixed into the customer's data. The
tuned model is reminded of its refusals while it learns the task.

Equation: min_theta  E_(x, y) ~ D_user + D_safe [ -log pi_theta(y | x) ].

Differs from the paper: the paper adds 100 to 2,000 rows to 20,000 Alpaca rows; here the number is
absolute and the rows are the defender's canary refusals. The customer's loop, rate and batches
stay as they are, so more rows also mean more steps where epochs are counted.

Shows a defender: the baseline every other defence must beat. Too many safe rows make a model refuse
harmless look-alikes; against rows that are all forbidden, few do not suffice. What answers a
remaining break: secret_prefix, which makes the same rows weigh more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from holdfast.defences.lookalikes import lookalikes
from holdfast.draw import balanced
from holdfast.hooks import Context, Defence, Hooks, Streams


class SafetyMixing(Defence):
    """Mixes safe rows into the customer's.

    Attributes:
        rows: safe rows; the paper's smallest number is 100.
        harmless: harmless rows that look like them, answered, against exaggerated refusals.
    """

    kind: Literal["safety_mixing"] = "safety_mixing"
    rows: int = Field(100, ge=0)
    harmless: int = Field(0, ge=0)

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "tune"
    null: ClassVar[dict[str, Any]] = {"rows": 0}
    built_on: ClassVar[tuple[str, ...]] = ("defences/lookalikes",)
    paper: ClassVar[str] = "Bianchi et al., ICLR 2024, arXiv 2309.07875"


def safety_mixing(config: SafetyMixing, context: Context) -> Hooks:
    """Adds the drawn safe rows to the customer's stream."""

    def rows(streams: Streams) -> Streams:
        safe = balanced(context.defender.safe, config.rows, seed=context.seed, purpose=config.kind)
        alike = lookalikes(context.defender.user, safe, config.harmless)
        return replace(streams, user=(*streams.user, *safe, *alike))

    return Hooks(name=config.kind, rows=rows)
