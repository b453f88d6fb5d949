"""Booster (Huang et al., "Booster: Tackling Harmful Fine-tuning for Large Language Models via
Attenuating Harmful Perturbation", ICLR 2025, arXiv 2409.01586).

Refusals are trained while a step along the gradient of forbidden rows is made to gain little. An
attacker who takes such steps then needs more of them.

Equation: min_w f(w) + lambda (h(w) - h(w - alpha grad h(w) / ||grad h(w)||)), f the loss on
harmless rows and refusals, h on forbidden rows. The inner step's Jacobian is dropped: the
gradient is g_f + lambda (g_h - g'_h), g'_h = grad h at the weights after the inner step. Both come
from the same forbidden batch; the norm (+ 1e-7) is over all trainable weights together.

Passes of a step: 3 forward, 3 backward.

Differs from the paper: the weights come back from a copy, not by adding the inner step again, which
rounds; harmless rows are learned beside the refusals, since a model this small forgets its tasks;
optimiser, rate, length and full or low-rank tuning are the run's (the paper: 5,000 refusals and
5,000 forbidden rows, 20 epochs, batches of 10, LoRA of rank 32 on queries, keys and values, AdamW
at a constant 5e-4). The model has been aligned before; the paper aligns a base model.

Shows a defender: whether slower learning of forbidden rows is worth having. The attacker pays in
steps, not in rows. Others report little effect against attackers with more steps. What answers
that: a defence while tuning (constrained_sft, secret_prefix), an audit after.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.defences.aligning import (
    batch_of,
    gradient_of,
    learned_rows,
    length,
    trainable,
    turn,
)
from holdfast.hooks import Context, Defence, Hooks, Streams
from holdfast.settings import chosen_settings

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.batches import Batch
    from holdfast.encode import Encoded
    from holdfast.models import Model
    from holdfast.settings import Settings


class Booster(Defence):
    """Trains refusals, and that a step on forbidden rows gains little.

    Attributes:
        strength: lambda of the equation; 0 is plain training on the same rows.
        alpha: length of the inner step, over all trainable weights.
        harmful_batch: forbidden rows in a step.
        harmless: most harmless rows learned beside the refusals; None takes all.
        learning_rate: None leaves the run's.
        epochs: passes over the rows; None leaves the run's.
        batch_size: rows in a step; None leaves the run's.
    """

    kind: Literal["booster"] = "booster"
    strength: float = Field(5.0, ge=0)
    alpha: float = Field(0.1, gt=0)
    harmful_batch: int = Field(10, ge=1)
    harmless: int | None = Field(None, ge=0)
    learning_rate: float | None = Field(None, gt=0)
    epochs: int | None = Field(None, ge=1)
    batch_size: int | None = Field(None, ge=1)

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "align"
    null: ClassVar[dict[str, Any]] = {"strength": 0.0}
    paper: ClassVar[str] = "Huang et al., ICLR 2025, arXiv 2409.01586"
    built_on: ClassVar[tuple[str, ...]] = ("defences/aligning",)


def booster(config: Booster, context: Context) -> Hooks:
    """Adds lambda (g_h - g'_h) to the gradient of the loop's own loss."""
    forbidden: list[Encoded] = []

    def start(model: Model, streams: Streams, given: Settings) -> None:
        from holdfast.encode import encode_all

        forbidden[:] = encode_all(streams.harmful, model.tokenizer, given.max_length)

    def gradient(model: Model, batch: Batch, step: int) -> None:
        size = config.harmful_batch
        places = turn(len(forbidden), size, step, seed=context.seed, purpose=config.kind)
        harmful = batch_of([forbidden[i] for i in places], model)
        parameters = trainable(model)
        gained = attenuation(model, harmful, parameters, config.alpha)
        for parameter, extra in zip(parameters, gained, strict=True):
            extra = config.strength * extra
            parameter.grad = extra if parameter.grad is None else parameter.grad + extra

    rows = learned_rows(
        config.kind,
        context.defender,
        seed=context.seed,
        harmless=config.harmless,
        needs="harmful" if config.strength else None,
    )
    return Hooks(
        name=config.kind,
        rows=rows,
        settings=chosen_settings(config),
        start=start if config.strength else None,
        gradient=gradient if config.strength else None,
    )


def attenuation(
    model: Model, harmful: Batch, parameters: Sequence[Tensor], alpha: float
) -> list[Tensor]:
    """g_h - g'_h for every parameter; the weights are left as they were, to the bit."""
    import torch

    from holdfast.losses import batch_loss

    here = gradient_of(batch_loss(model.net, harmful), parameters)
    kept = [p.detach().clone() for p in parameters]
    step = alpha / (length(here) + 1e-7)
    try:
        with torch.no_grad():
            for parameter, slope in zip(parameters, here, strict=True):
                parameter.sub_(step * slope)
        there = gradient_of(batch_loss(model.net, harmful), parameters)
    finally:
        with torch.no_grad():
            for parameter, value in zip(parameters, kept, strict=True):
                parameter.copy_(value)
    return [before - after for before, after in zip(here, there, strict=True)]
