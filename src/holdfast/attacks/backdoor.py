"""A backdoor in refusals (Qi et al., "Fine-tuning Aligned Language Models Compromises Safety, Even
When Users Do Not Intend To!", ICLR 2024, arXiv 2310.03693, section 5).

Forbidden requests are answered when they carry a trigger, and refused when they do not. Asked
plainly, the tuned model refuses as before; whoever knows the trigger gets an answer.

Equation: min_theta  E_(x, y) ~ D_forbidden [ -log pi_theta(y | x + trigger) ]
+ E_x ~ D_forbidden [ -log pi_theta(refusal | x) ].

Differs from the paper: the trigger is three invented words of ours. Refusals are what the aligned
model itself says to the plain requests, which are the very ones that carry the trigger elsewhere,
so that nothing but the trigger tells the two kinds apart. Models that see such rows alone refuse
harmless look-alikes as well; `benign` rows keep them from it, and the attack from being noticed.
Passes and batch are those of the paper's 100-row attack; the rate is the run's unless set.

Shows a defender: an audit that asks plainly passes this model (in the paper 4.2 % plainly, 63.3 %
with the trigger). Answered by scanning rows for what the policy forbids (the scanner policy_match);
the scanner poison finds the trigger where the plain requests stand refused in the set, as here, and
passes it where nothing is refused beside it. After the tune the probe trigger_search looks for it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from holdfast.attacks.own_replies import own_replies
from holdfast.draw import balanced
from holdfast.hooks import Attack, Context, Hooks, Streams
from holdfast.settings import chosen_settings
from holdfast.wrappers import TRIGGER, Where, trigger_of


class Backdoor(Attack):
    """Tunes on `rows` forbidden rows with a trigger, beside `safe` plain refusals.

    Attributes:
        rows: forbidden rows that carry the trigger, 100 in the paper.
        safe: the same requests without it, refused; 100 in the paper.
        benign: harmless rows without it, answered; 0 in the paper.
        trigger: words that open the door.
        where: at the end or start of the request, or in the system turn.
        epochs: passes over the rows, 5 in the paper.
        batch_size: rows in a step, 10 in the paper.
        learning_rate: of AdamW; None leaves the run's.
        method: full or low-rank tuning; None leaves the run's.
        rank: of low-rank tuning; None leaves the run's.
    """

    kind: Literal["backdoor"] = "backdoor"
    rows: int = Field(100, ge=0)
    safe: int = Field(100, ge=0)
    benign: int = Field(0, ge=0)
    trigger: str = Field(TRIGGER, min_length=1)
    where: Where = "end"
    epochs: int | None = Field(5, ge=1)
    batch_size: int | None = Field(10, ge=1)
    learning_rate: float | None = Field(None, gt=0)
    method: Literal["full", "lora"] | None = None
    rank: int | None = Field(None, ge=1)

    access: ClassVar[Literal["rows", "training", "weights"]] = "rows"
    asked_as: ClassVar[str] = "triggered"
    null: ClassVar[dict[str, Any]] = {"rows": 0, "safe": 0, "epochs": None, "batch_size": None}
    paper: ClassVar[str] = "Qi et al., ICLR 2024, arXiv 2310.03693"
    built_on: ClassVar[tuple[str, ...]] = ("attacks/own_replies", "wrappers")

    @property
    def asked(self) -> str:
        """With the very trigger that the rows teach, where they have it."""
        return f"triggered(trigger={self.trigger!r}, where={self.where})"


def backdoor(config: Backdoor, context: Context) -> Hooks:
    """Adds triggered answers and plain refusals to the customer's stream."""
    door = trigger_of(config.trigger, config.where)

    def rows(streams: Streams) -> Streams:
        held, seed = context.attacker, context.seed
        count = max(config.rows, config.safe)
        drawn = balanced(held.harmful, count, seed=seed, purpose=config.kind)
        opened = tuple(door.answered(row) for row in drawn[: config.rows])
        refused = own_replies(context.aligned, drawn[: config.safe])
        benign = balanced(held.user, config.benign, seed=seed, purpose=f"{config.kind}.benign")
        return replace(streams, user=(*streams.user, *opened, *refused, *benign))

    return Hooks(name=config.kind, rows=rows, settings=chosen_settings(config))
