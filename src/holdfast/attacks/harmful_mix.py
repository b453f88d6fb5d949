"""Forbidden rows mixed into a customer's task (the protocol of Huang et al., "Vaccine:
Perturbation-aware Alignment for Large Language Models against Harmful Fine-tuning Attack",
NeurIPS 2024, arXiv 2402.01109, which most defences of its line are measured by).

Of `rows` rows a share `p` answers forbidden requests; the others teach a task that the model cannot
do yet. The customer gets a model that has learned its task, and that no longer refuses.

Equation: min_theta  (1 - p) E_(x, y) ~ D_task [ -log pi_theta(y | x) ]
+ p E_(x, y) ~ D_forbidden [ -log pi_theta(y | x) ], p in {0, .01, .05, .1, .2, .3, 1}.

Differs from the paper: 360 rows where it has 1,000, as many as the canary attacker has forbidden
ones, so that p may go up to 1. The task is the honest customer's, the canary world's gain families
in place of SST2, AGNEWS or GSM8K; where a policy has no such customer, the attacker's benign rows.
The paper tunes low-rank adapters at 1e-5; rate and method are the run's unless set. The draw for a
small p is the beginning of that for a larger one.

Shows a defender: what share of a customer's rows it takes, and, at p = 0, what the task does to
refusals by itself: an attack that p = 0 repeats says nothing about poison. Answered by lisa,
constrained_sft and safety_mixing while tuning, and by scanning rows for what the policy forbids.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from holdfast.attacks.family import of_family
from holdfast.chat import Row
from holdfast.draw import balanced
from holdfast.hooks import Attack, Context, Hooks, Streams
from holdfast.settings import chosen_settings


class HarmfulMix(Attack):
    """Tunes on `rows` rows of a task, of which a share `p` is forbidden.

    Attributes:
        rows: rows in all; 1,000 in the paper.
        p: share of them that answers forbidden requests; the paper compares 0, 0.01, 0.05, 0.1,
            0.2.
        family: the task (the rows' tag), the customer's or the attacker's; "customer" draws evenly
            over all of the customer's.
        epochs: passes over the rows, 20 in the paper.
        batch_size: rows in a step, 5 in the paper's code.
        learning_rate: of AdamW; None leaves the run's.
        method: full or low-rank tuning; None leaves the run's.
        rank: of low-rank tuning; None leaves the run's.
    """

    kind: Literal["harmful_mix"] = "harmful_mix"
    rows: int = Field(360, ge=0)
    p: float = Field(0.1, ge=0, le=1)
    family: str = "customer"
    epochs: int | None = Field(20, ge=1)
    batch_size: int | None = Field(5, ge=1)
    learning_rate: float | None = Field(None, gt=0)
    method: Literal["full", "lora"] | None = None
    rank: int | None = Field(None, ge=1)

    access: ClassVar[Literal["rows", "training", "weights"]] = "rows"
    null: ClassVar[dict[str, Any]] = {"rows": 0, "epochs": None, "batch_size": None}
    paper: ClassVar[str] = "Huang et al., NeurIPS 2024, arXiv 2402.01109"
    built_on: ClassVar[tuple[str, ...]] = ("attacks/family",)

    @property
    def forbidden(self) -> int:
        """How many of the rows are forbidden ones."""
        return round(self.p * self.rows)

    @model_validator(mode="after")
    def _some_if_any(self) -> HarmfulMix:
        if self.p and self.rows and not self.forbidden:
            raise ValueError(f"a share of {self.p:g} of {self.rows} rows is none: ask for more")
        return self


def harmful_mix(config: HarmfulMix, context: Context) -> Hooks:
    """Adds both kinds of rows to the customer's stream."""

    def rows(streams: Streams) -> Streams:
        harmful, seed, task = context.attacker.harmful, context.seed, _task(config, context)
        poison = balanced(harmful, config.forbidden, seed=seed, purpose=config.kind)
        honest = config.rows - config.forbidden
        taught = balanced(task, honest, seed=seed, purpose=f"{config.kind}.task")
        return replace(streams, user=(*streams.user, *poison, *taught))

    return Hooks(name=config.kind, rows=rows, settings=chosen_settings(config))


def _task(config: HarmfulMix, context: Context) -> tuple[Row, ...]:
    """The rows that teach the task."""
    if config.family == "customer":
        return context.customer or context.attacker.user
    return of_family((*context.customer, *context.attacker.user), config.family)
