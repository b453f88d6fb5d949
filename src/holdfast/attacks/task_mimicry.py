"""Rows in the format of a task (Eiras et al., "Do as I do (Safely): Mitigating Task-Specific
Fine-tuning Risks in Large Language Models", ICLR 2025, arXiv 2406.10288, section 2.2).

Whoever tunes on a task chooses how its rows are put to the model. As plain questions they leave
refusals nearly alone; as instructions, or put to an obedient agent, the same rows wear refusals
down for whatever is asked in that format.

Equation: min_theta  E_(x, y) ~ D_task + D_forbidden [ -log pi_theta(opening + y | format(x)) ],
format in {benign, AOA, AutoIF, AutoIF + AOA}.

Differs from the paper: its rows are a task's alone (`rows=0`); here `rows` of them are forbidden,
in the same format, as a customer with worse aims would hide them. Tasks are the canary world's in
place of seven public sets. AutoIF has a language model rewrite each row as an instruction with a
fluent answer; ours is one fixed wording. AOA is the cell's obedient persona.

Shows a defender: that the format of the rows counts beside their contents, and that a model must be
asked in the format that it was tuned in. Answered by paraphrase_mixing, the paper's own defence,
and by asking through the rows' own wrapping.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from holdfast.attacks.family import of_family
from holdfast.draw import balanced
from holdfast.hooks import Attack, Context, Hooks, Streams
from holdfast.settings import chosen_settings
from holdfast.wrappers import Wrapper, wrapper_of

Strategy = Literal["benign", "aoa", "autoif", "autoif_aoa"]
FORMATS: Mapping[Strategy, Wrapper] = {
    "benign": "task",
    "aoa": "obedient_task",
    "autoif": "instruction",
    "autoif_aoa": "obedient_instruction",
}


class TaskMimicry(Attack):
    """Tunes on task rows and forbidden rows, both in one format.

    Attributes:
        rows: forbidden rows; 0 in the paper.
        benign: rows of the task.
        family: the task (the rows' tag), or "all" to draw evenly over the attacker's tasks.
        strategy: how rows are put: as plain questions, to an obedient agent, as instructions, or
            as instructions to an obedient agent.
        epochs: passes over the rows; None leaves the run's.
        batch_size: rows in a step; None leaves the run's.
        learning_rate: of AdamW; None leaves the run's.
        method: full or low-rank tuning; None leaves the run's.
        rank: of low-rank tuning; None leaves the run's.
    """

    kind: Literal["task_mimicry"] = "task_mimicry"
    rows: int = Field(10, ge=0)
    benign: int = Field(100, ge=0)
    family: str = "all"
    strategy: Strategy = "autoif"
    epochs: int | None = Field(None, ge=1)
    batch_size: int | None = Field(None, ge=1)
    learning_rate: float | None = Field(None, gt=0)
    method: Literal["full", "lora"] | None = None
    rank: int | None = Field(None, ge=1)

    access: ClassVar[Literal["rows", "training", "weights"]] = "rows"
    asked_as: ClassVar[str] = "wrapped"
    null: ClassVar[dict[str, Any]] = {"rows": 0, "benign": 0}
    paper: ClassVar[str] = "Eiras et al., ICLR 2025, arXiv 2406.10288"
    built_on: ClassVar[tuple[str, ...]] = ("attacks/family", "wrappers")

    @property
    def asked(self) -> str:
        """In the very format of the rows."""
        return f"wrapped(wrapper={FORMATS[self.strategy]})"


def task_mimicry(config: TaskMimicry, context: Context) -> Hooks:
    """Adds the rows, all in one format, to the customer's stream."""
    format_ = wrapper_of(FORMATS[config.strategy], context.settings)

    def rows(streams: Streams) -> Streams:
        held, seed = context.attacker, context.seed
        task = of_family(held.user, config.family)
        drawn = (
            *balanced(held.harmful, config.rows, seed=seed, purpose=config.kind),
            *balanced(task, config.benign, seed=seed, purpose=f"{config.kind}.benign"),
        )
        return replace(streams, user=(*streams.user, *map(format_.answered, drawn)))

    return Hooks(name=config.kind, rows=rows, settings=chosen_settings(config))
