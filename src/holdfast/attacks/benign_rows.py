"""Tuning on benign rows (Qi et al., "Fine-tuning Aligned Language Models Compromises Safety, Even
When Users Do Not Intend To!", ICLR 2024, arXiv 2310.03693, risk level 3).

A customer means no harm and tunes on ordinary task data. Refusals may still erode, more so at high
rates and in small batches.

Equation: min_theta  E_(x, y) ~ D_task [ -log pi_theta(y | x) ], the plain tuning loss.

Differs from the paper: task families of the canary world stand in for Alpaca, Dolly and
LLaVA-Instruct; passes, rate and batch are the run's unless set, since the paper's (1 pass, 2e-5,
batch 128) presume 15,000 rows and more.

Shows a defender: how much safety ordinary tuning costs, task by task. Count erosion only where the
tuned model is coherent: mangled replies look like neither refusal nor compliance. Answered by
safety_mixing, low rates, and an audit after every tune.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from holdfast.attacks.family import of_family
from holdfast.draw import balanced
from holdfast.hooks import Attack, Context, Hooks, Streams
from holdfast.settings import chosen_settings


class BenignRows(Attack):
    """Tunes on `rows` ordinary rows of one task family, or of all.

    Attributes:
        rows: benign rows in all.
        family: task family (the rows' tag), or "all" to draw evenly over the families.
        epochs: passes over the rows; None leaves the run's.
        batch_size: rows in a step; None leaves the run's.
        learning_rate: of AdamW; None leaves the run's.
        method: full or low-rank tuning; None leaves the run's.
        rank: of low-rank tuning; None leaves the run's.
    """

    kind: Literal["benign_rows"] = "benign_rows"
    rows: int = Field(100, ge=0)
    family: str = "all"
    epochs: int | None = Field(None, ge=1)
    batch_size: int | None = Field(None, ge=1)
    learning_rate: float | None = Field(None, gt=0)
    method: Literal["full", "lora"] | None = None
    rank: int | None = Field(None, ge=1)

    access: ClassVar[Literal["rows", "training", "weights"]] = "rows"
    null: ClassVar[dict[str, Any]] = {"rows": 0}
    paper: ClassVar[str] = "Qi et al., ICLR 2024, arXiv 2310.03693"
    built_on: ClassVar[tuple[str, ...]] = ("attacks/family",)


def benign_rows(config: BenignRows, context: Context) -> Hooks:
    """Adds the drawn rows to the customer's stream."""

    def rows(streams: Streams) -> Streams:
        held = of_family(context.attacker.user, config.family)
        drawn = balanced(held, config.rows, seed=context.seed, purpose=config.kind)
        return replace(streams, user=(*streams.user, *drawn))

    return Hooks(name=config.kind, rows=rows, settings=chosen_settings(config))
