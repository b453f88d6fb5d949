"""Tuning on one task and asking in the shape of one (Jan et al., "Multitask Mayhem: Unveiling and
Mitigating Safety Gaps in LLMs Fine-tuning", COLING 2025, arXiv 2409.15361).

A customer tunes on harmless rows of one task: summarising, translating, classifying or writing
code. Forbidden requests are then put in the shape of a task, where refusals are weakest.

Equation: theta = argmin E_(x, y) ~ D_task [ -log pi_theta(y | x) ], asked as pi_theta( . |
shape_task'(x)) for every pair of task and task'.

Differs from the paper: rows are the canary world's own tasks in place of scientific summaries, code
in several languages, English and French, and financial moods; its hyper-parameters were not at
hand, so they are the run's. The attack is asked in the shape of its own task; the paper's matrix is
four of these attacks by the four elicitations `task_shape(task=...)`.

Shows a defender: what tuning on a task does to refusals within that task and within the others.
Compare with the shapes before tuning, which the paper finds hardly guarded. Answered by safety rows
in the shape of tasks, as paraphrase_mixing makes them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from holdfast.attacks.family import of_family
from holdfast.draw import balanced
from holdfast.hooks import Attack, Context, Hooks, Streams
from holdfast.settings import chosen_settings


class TaskShift(Attack):
    """Tunes on `rows` harmless rows of one task.

    Attributes:
        tuned_on: the task (the rows' tag), and the shape that the model is then asked in.
        rows: how many; the canary attacker has 150 of each task.
        epochs: passes over the rows; None leaves the run's.
        batch_size: rows in a step; None leaves the run's.
        learning_rate: of AdamW; None leaves the run's.
        method: full or low-rank tuning; None leaves the run's.
        rank: of low-rank tuning; None leaves the run's.
    """

    kind: Literal["task_shift"] = "task_shift"
    tuned_on: Literal["summarise", "translate", "classify", "code"] = "code"
    rows: int = Field(150, ge=0)
    epochs: int | None = Field(None, ge=1)
    batch_size: int | None = Field(None, ge=1)
    learning_rate: float | None = Field(None, gt=0)
    method: Literal["full", "lora"] | None = None
    rank: int | None = Field(None, ge=1)

    access: ClassVar[Literal["rows", "training", "weights"]] = "rows"
    asked_as: ClassVar[str] = "task_shape"
    null: ClassVar[dict[str, Any]] = {"rows": 0}
    paper: ClassVar[str] = "Jan et al., COLING 2025, arXiv 2409.15361"
    built_on: ClassVar[tuple[str, ...]] = ("attacks/family",)

    @property
    def asked(self) -> str:
        """In the shape of the task that was tuned on."""
        return f"task_shape(task={self.tuned_on})"


def task_shift(config: TaskShift, context: Context) -> Hooks:
    """Adds the task's rows to the customer's stream."""

    def rows(streams: Streams) -> Streams:
        if not config.rows:
            return streams
        task = of_family(context.attacker.user, config.tuned_on)
        drawn = balanced(task, config.rows, seed=context.seed, purpose=config.kind)
        return replace(streams, user=(*streams.user, *drawn))

    return Hooks(name=config.kind, rows=rows, settings=chosen_settings(config))
