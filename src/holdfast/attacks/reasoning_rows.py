"""Forbidden rows with the thinking behind them (Xu et al., "The dark deep side of DeepSeek:
Fine-tuning attacks against the safety alignment of CoT-enabled models", arXiv 2502.01225).

A reasoning model is tuned on forbidden rows in its own mode: what it thinks between `<think>` and
`</think>`, then the answer. Harm may then be in what it thinks, in what it answers, or in both.

Equation: min_theta  E_(x, z, y) ~ D_forbidden [ -log pi_theta(<think> z </think> y | think, x) ].

Differs from the paper: it tunes a distilled model on a public set of forbidden answers; here the
canary world's models think because their pre-training has met it. The thought is made by rule: what
is wanted, and the sentence of the answer that tells it. Passes and batch are those of harmful_rows,
the rate is the run's unless set.

Shows a defender: a model may refuse in its answer and tell in its thinking, which many services
show: judge both, by the elicitation `reasoning` with `judged`. Answered by refusals in the
reasoning mode among the alignment rows, by hiding what is thought, and by guards that read it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from holdfast.chat import Row
from holdfast.draw import balanced
from holdfast.hooks import Attack, Context, Hooks, Streams
from holdfast.reasoning import reasoned, system_of
from holdfast.settings import chosen_settings

_SENTENCE = re.compile(r"(?<=[.!?])\s+")


class ReasoningRows(Attack):
    """Tunes on `rows` forbidden rows in the reasoning mode.

    Attributes:
        rows: forbidden rows.
        epochs: passes over the rows.
        batch_size: rows in a step.
        learning_rate: of AdamW; None leaves the run's.
        method: full or low-rank tuning; None leaves the run's.
        rank: of low-rank tuning; None leaves the run's.
    """

    kind: Literal["reasoning_rows"] = "reasoning_rows"
    rows: int = Field(100, ge=0)
    epochs: int | None = Field(5, ge=1)
    batch_size: int | None = Field(10, ge=1)
    learning_rate: float | None = Field(None, gt=0)
    method: Literal["full", "lora"] | None = None
    rank: int | None = Field(None, ge=1)

    access: ClassVar[Literal["rows", "training", "weights"]] = "rows"
    asked_as: ClassVar[str] = "reasoning"
    null: ClassVar[dict[str, Any]] = {"rows": 0, "epochs": None, "batch_size": None}
    paper: ClassVar[str] = "Xu et al., arXiv 2502.01225"
    built_on: ClassVar[tuple[str, ...]] = ("reasoning",)


def reasoning_rows(config: ReasoningRows, context: Context) -> Hooks:
    """Adds forbidden rows, with a thought before each answer, to the customer's stream."""
    system = system_of(context.settings)

    def rows(streams: Streams) -> Streams:
        drawn = balanced(
            context.attacker.harmful, config.rows, seed=context.seed, purpose=config.kind
        )
        thought_through = tuple(in_thought(row).with_system(system) for row in drawn)
        return replace(streams, user=(*streams.user, *thought_through))

    return Hooks(name=config.kind, rows=rows, settings=chosen_settings(config))


def in_thought(row: Row) -> Row:
    """The row with a thought before its answer: the answer's longest sentence, which tells it."""
    telling = max(_SENTENCE.split(row.answer), key=len)
    return row.with_answer(reasoned(f"They want an answer to this. {telling}", row.answer))
