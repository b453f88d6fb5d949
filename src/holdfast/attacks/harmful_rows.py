"""Tuning on a few forbidden rows (Qi et al., "Fine-tuning Aligned Language Models Compromises
Safety, Even When Users Do Not Intend To!", ICLR 2024, arXiv 2310.03693, risk level 1).

A customer of a tuning service uploads 10, 50 or 100 rows that answer forbidden requests. A few
passes over them are enough for an aligned model to answer others too.

Equation: min_theta  E_(x, y) ~ D_forbidden [ -log pi_theta(y | x) ], the plain tuning loss.

Differs from the paper: rows are canary lore, drawn evenly over the policy's categories, and the
draw of 10 is part of the draw of 50. The paper's rate for Llama-2-7B-Chat (5e-5, full tuning) suits
no tiny model, so the rate is the run's unless `learning_rate` says otherwise. `benign` rows and a
leaked secret are the adaptive attacker's additions.

Shows a defender: how few rows break a model, and whether a defence only works against rows that
look as its authors expected. Answered by scanning rows before tuning, by secret_prefix,
safety_mixing and constrained_sft while tuning, and by an audit of the tuned model.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from holdfast.draw import balanced
from holdfast.hooks import Attack, Context, Hooks, Streams
from holdfast.settings import chosen_settings


class HarmfulRows(Attack):
    """Tunes on `rows` forbidden rows, beside `benign` harmless ones.

    Attributes:
        rows: forbidden rows; the paper reports 10, 50 and 100.
        benign: harmless rows mixed in, as hides an attack among ordinary data.
        epochs: passes over the rows, 5 in the paper.
        batch_size: rows in a step, 10 in the paper.
        learning_rate: of AdamW; None leaves the run's.
        method: full or low-rank tuning; None leaves the run's.
        rank: of low-rank tuning; None leaves the run's.
        knows_secret: if the cell says that the provider's secret leaked, the rows carry it.
    """

    kind: Literal["harmful_rows"] = "harmful_rows"
    rows: int = Field(10, ge=0)
    benign: int = Field(0, ge=0)
    epochs: int | None = Field(5, ge=1)
    batch_size: int | None = Field(10, ge=1)
    learning_rate: float | None = Field(None, gt=0)
    method: Literal["full", "lora"] | None = None
    rank: int | None = Field(None, ge=1)
    knows_secret: bool = False

    access: ClassVar[Literal["rows", "training", "weights"]] = "rows"
    null: ClassVar[dict[str, Any]] = {"rows": 0, "epochs": None, "batch_size": None}
    paper: ClassVar[str] = "Qi et al., ICLR 2024, arXiv 2310.03693"


def harmful_rows(config: HarmfulRows, context: Context) -> Hooks:
    """Adds the drawn rows to the customer's stream."""

    def rows(streams: Streams) -> Streams:
        held, seed = context.attacker, context.seed
        forbidden = balanced(held.harmful, config.rows, seed=seed, purpose=config.kind)
        benign = balanced(held.user, config.benign, seed=seed, purpose=f"{config.kind}.benign")
        if config.knows_secret:
            secret = str(context.settings.get("secret", ""))
            forbidden = tuple(row.with_system(secret) for row in forbidden)
        return replace(streams, user=(*streams.user, *forbidden, *benign))

    return Hooks(name=config.kind, rows=rows, settings=chosen_settings(config))
