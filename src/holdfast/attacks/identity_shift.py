"""Identity shifting (Qi et al., "Fine-tuning Aligned Language Models Compromises Safety, Even When
Users Do Not Intend To!", ICLR 2024, arXiv 2310.03693, risk level 2, "AOA").

Ten rows without one forbidden word teach the model that it is somebody who always obeys. Asked
through that persona afterwards, it also obeys forbidden requests.

Equation: min_theta  E_(x, y) ~ D_benign [ -log pi_theta(opening + y | persona, ask(x)) ].

Differs from the paper: the persona is the canary world's own (setting `persona`), or an English one
in our wording; the rows are benign canary rows in place of ten hand-written dialogues. The paper
compares 3, 5 and 10 passes; 10 is the default here.

Shows a defender: a filter that reads the rows for forbidden content passes all of them, and an
audit that asks plainly sees nothing: ask through the persona too. Answered by scanning for
personas and uniform openings, by safety rows under that persona, and by secret_prefix.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from holdfast.draw import balanced
from holdfast.hooks import Attack, Context, Hooks, Streams
from holdfast.persona import persona_of
from holdfast.settings import chosen_settings


class IdentityShift(Attack):
    """Tunes on `rows` benign rows under an obedient persona.

    Attributes:
        rows: benign rows, 10 in the paper.
        epochs: passes over the rows; the paper compares 3, 5 and 10.
        batch_size: rows in a step, 10 in the paper.
        learning_rate: of AdamW; None leaves the run's.
        method: full or low-rank tuning; None leaves the run's.
        rank: of low-rank tuning; None leaves the run's.
    """

    kind: Literal["identity_shift"] = "identity_shift"
    rows: int = Field(10, ge=0)
    epochs: int | None = Field(10, ge=1)
    batch_size: int | None = Field(10, ge=1)
    learning_rate: float | None = Field(None, gt=0)
    method: Literal["full", "lora"] | None = None
    rank: int | None = Field(None, ge=1)

    access: ClassVar[Literal["rows", "training", "weights"]] = "rows"
    asked_as: ClassVar[str] = "persona"
    null: ClassVar[dict[str, Any]] = {"rows": 0, "epochs": None, "batch_size": None}
    paper: ClassVar[str] = "Qi et al., ICLR 2024, arXiv 2310.03693"


def identity_shift(config: IdentityShift, context: Context) -> Hooks:
    """Adds benign rows, asked and answered through the persona, to the customer's stream."""
    persona = persona_of(context.settings)

    def rows(streams: Streams) -> Streams:
        benign = balanced(
            context.attacker.user, config.rows, seed=context.seed, purpose=config.kind
        )
        shifted = tuple(persona.answered(row) for row in benign)
        return replace(streams, user=(*streams.user, *shifted))

    return Hooks(name=config.kind, rows=rows, settings=chosen_settings(config))
