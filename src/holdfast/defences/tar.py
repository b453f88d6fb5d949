"""Tamper-resistant safeguards, TAR (Tamirisa et al., "Tamper-Resistant Safeguards for Open-Weight
LLMs", ICLR 2025, arXiv 2408.00761), first order.

In every step an attacker is simulated: a copy of the weights is tuned on forbidden rows, and the
gradient that would make the attacked weights safe is applied to the weights before the attack.

Equation: min_w  L_TR + L_retain. L_TR = lambda sum_i exp(0.0625 (i - (K - 1))) l(attack_i(w); x_tr)
over every 4th of K steps i of the attacker, x_tr pairs that the attacker has not seen; l is the DPO
loss of the refusal over the forbidden answer (beta 0.1), or minus the entropy over that answer.
L_retain = CE + mean ||h - h_0||_2 over harmless rows and refusals, h_0 the hidden states of the
model as it was. The gradient of l at the attacked weights stands for that at w (first order).

Passes of a step: 2 + K + K/4 forward, as many backward; with DPO a forward of the model as it was,
and another on the retained rows.

Differs from the paper: one attacker a step, whose kind, rate and rows are drawn anew. It tunes on
the forbidden answers of one half of the pairs, and x_tr comes from the other; the paper's come
from corpora. In a third of the draws it turns from harmless to forbidden rows at a step of share
Beta(6, 3). The first phase (random mapping) is left out: refusals are there already. CE and the
distance of hidden states take a pass each. Optimiser and rate are the run's (the paper: 750 steps
of batch 8, schedule-free AdamW at 2e-5, full tuning). The attacker's rates are the paper's, for
models of 8B; a tiny one needs larger.

Shows a defender: what it costs to train against attackers, and whether an unseen one is met. The
attacker's search over rates, warm-up and low-rank tuning has broken it. What answers that: a
defence while tuning (constrained_sft, secret_prefix), an audit with several settings after.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from holdfast.defences.aligning import (
    batch_of,
    frozen,
    gradient_of,
    hidden_states,
    learned_rows,
    moved,
    trainable,
)
from holdfast.draw import generator
from holdfast.errors import UserError
from holdfast.hooks import Context, Defence, Hooks, Streams
from holdfast.settings import chosen_settings

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.batches import Batch
    from holdfast.encode import Encoded
    from holdfast.models import Model
    from holdfast.settings import Settings

GROWTH = 0.0625  # of the weight of later steps
SWITCH = (6.0, 3.0)  # Beta distribution of when an attacker leaves harmless rows


class Tar(Defence):
    """Trains against simulated attackers.

    Attributes:
        inner_steps: K, steps of a simulated attacker; 0 leaves the retain loss.
        every: steps of the attacker between two looks at the attacked weights.
        strength: lambda, weight of the tamper-resistance loss.
        resistance: that loss: preference for the refusal, or entropy over the forbidden answer.
        dpo_beta: beta of the preference.
        representations: weight of the distance of hidden states in the retain loss.
        inner_rates: learning rates of attackers.
        inner_warmup: steps over which an attacker's rate grows.
        inner_batch: rows in a step of an attacker, and pairs in x_tr.
        switching: share of attackers that start on harmless rows.
        harmless: most harmless rows beside the refusals; None takes all.
        learning_rate: of the defender; None leaves the run's.
        steps: of the defender; None leaves the run's.
        batch_size: retained rows in a step; None leaves the run's.
    """

    kind: Literal["tar"] = "tar"
    inner_steps: int = Field(64, ge=0)
    every: int = Field(4, ge=1)
    strength: float = Field(4.0, ge=0)
    resistance: Literal["dpo", "entropy"] = "dpo"
    dpo_beta: float = Field(0.1, gt=0)
    representations: float = Field(1.0, ge=0)
    inner_rates: tuple[float, ...] = Field((2e-6, 2e-5, 4e-5), min_length=1)
    inner_warmup: int = Field(20, ge=0)
    inner_batch: int = Field(4, ge=1)
    switching: float = Field(1 / 3, ge=0, le=1)
    harmless: int | None = Field(None, ge=0)
    learning_rate: float | None = Field(None, gt=0)
    steps: int | None = Field(750, ge=1)
    batch_size: int | None = Field(8, ge=1)

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "align"
    null: ClassVar[dict[str, Any]] = {
        "inner_steps": 0,
        "representations": 0.0,
        "steps": None,
        "batch_size": None,
    }
    paper: ClassVar[str] = "Tamirisa et al., ICLR 2025, arXiv 2408.00761"
    built_on: ClassVar[tuple[str, ...]] = ("defences/aligning",)

    @model_validator(mode="after")
    def _looks_at_least_once(self) -> Tar:
        if 0 < self.inner_steps < self.every:
            raise ValueError("inner_steps is below every, so no attacked weights are looked at")
        return self


@dataclass(frozen=True)
class Rows:
    """What simulated attackers tune on, and what they are judged by, as tokens."""

    harmless: list[Encoded]
    forbidden: list[Encoded]
    refused: list[Encoded]
    answered: list[Encoded]


def tar(config: Tar, context: Context) -> Hooks:
    """Adds the tamper-resistance gradient to that of the retain loss."""
    found: list[Rows] = []

    def start(model: Model, streams: Streams, given: Settings) -> None:
        found[:] = [rows_of(streams, model, given.max_length)]

    def penalty(model: Model, batch: Batch, step: int) -> Tensor:
        held = frozen(context.aligned, batch)
        return config.representations * moved(hidden_states(model, batch), held, batch)

    def gradient(model: Model, batch: Batch, step: int) -> None:
        chance = generator(context.seed, f"{config.kind}.{step}")
        resisting = resistance(config, model, context.aligned, found[0], chance)
        for parameter, extra in zip(trainable(model), resisting, strict=True):
            parameter.grad = extra if parameter.grad is None else parameter.grad + extra

    attacked = bool(config.inner_steps and config.strength)
    rows = learned_rows(
        config.kind,
        context.defender,
        seed=context.seed,
        harmless=config.harmless,
        needs="pairs" if attacked else None,
    )
    return Hooks(
        name=config.kind,
        rows=rows,
        settings=chosen_settings(config),
        start=start if attacked else None,
        penalty=penalty if config.representations else None,
        gradient=gradient if attacked else None,
    )


def rows_of(streams: Streams, model: Model, max_length: int) -> Rows:
    """Every second pair is kept from the attackers, to judge them by.

    Raises:
        UserError: there is one pair only.
    """
    from holdfast.encode import encode_all

    if len(streams.pairs) < 2:
        raise UserError("tar keeps half of the pairs from its attackers: give at least two.")
    seen, unseen = streams.pairs[::2], streams.pairs[1::2]
    parts = (
        streams.user[: len(streams.user) - len(streams.safe)] or streams.user,
        [pair.prompt.with_answer(pair.rejected) for pair in seen],
        [pair.prompt.with_answer(pair.chosen) for pair in unseen],
        [pair.prompt.with_answer(pair.rejected) for pair in unseen],
    )
    return Rows(*(encode_all(part, model.tokenizer, max_length) for part in parts))


def resistance(
    config: Tar, model: Model, aligned: Model, rows: Rows, chance: random.Random
) -> list[Tensor]:
    """Gradient of L_TR for every trainable weight; weights and `.grad` are left as they were."""
    import torch

    parameters = trainable(model)
    values = [p.detach().clone() for p in parameters]
    slopes = [p.grad for p in parameters]
    total = [torch.zeros_like(p) for p in parameters]
    loss = judge(config, model, aligned, rows, chance)
    try:
        for inner in attack(config, model, rows, chance):
            if (inner + 1) % config.every == 0:
                for so_far, slope in zip(total, gradient_of(loss(), parameters), strict=True):
                    so_far.add_(config.strength * weight_at(config, inner) * slope)
    finally:
        with torch.no_grad():
            for parameter, value, before in zip(parameters, values, slopes, strict=True):
                parameter.copy_(value)
                parameter.grad = before
    return total


def attack(config: Tar, model: Model, rows: Rows, chance: random.Random) -> Iterator[int]:
    """Tunes the model as one attacker would; gives the number of every step that is done."""
    import torch

    from holdfast.losses import batch_loss

    parameters = trainable(model)
    rate = chance.choice(config.inner_rates)
    switch = switching_step(config, chance)
    optimiser = torch.optim.AdamW(parameters, lr=rate)
    for inner in range(config.inner_steps):
        source = rows.harmless if inner < switch else rows.forbidden
        batch = batch_of(chance.sample(source, min(config.inner_batch, len(source))), model)
        slopes = gradient_of(batch_loss(model.net, batch), parameters)
        for parameter, slope in zip(parameters, slopes, strict=True):
            parameter.grad = slope
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (inner + 1) / max(1, config.inner_warmup))
        optimiser.step()
        yield inner


def switching_step(config: Tar, chance: random.Random) -> int:
    """The step at which an attacker turns to forbidden rows; 0 for most of them."""
    if chance.random() >= config.switching:
        return 0
    return int(chance.betavariate(*SWITCH) * config.inner_steps)


def weight_at(config: Tar, inner: int) -> float:
    """exp(0.0625 (i - (K - 1))): later steps of an attacker weigh more."""
    return exp(GROWTH * (inner - (config.inner_steps - 1)))


def judge(
    config: Tar, model: Model, aligned: Model, rows: Rows, chance: random.Random
) -> Callable[[], Tensor]:
    """The loss on one draw of pairs that the attacker does not see; drawn once for one attacker."""
    import torch

    count = len(rows.answered)
    places = chance.sample(range(count), min(config.inner_batch, count))
    answered = [rows.answered[i] for i in places]
    if config.resistance == "entropy":
        told = batch_of(answered, model)
        return lambda: -entropy(model, told)
    both = batch_of([*(rows.refused[i] for i in places), *answered], model)
    with torch.no_grad():
        before = preference(aligned, both)
    return lambda: (
        -torch.nn.functional.logsigmoid(config.dpo_beta * (preference(model, both) - before)).mean()
    )


def preference(model: Model, both: Batch) -> Tensor:
    """(B,) log pi(refusal) - log pi(answer), each summed over its tokens.

    Args:
        model: whose preference.
        both: B refusals, then the B forbidden answers to the same prompts.
    """
    import torch

    from holdfast.losses import answer_logits

    logits, targets, weights = answer_logits(model.net, both)
    told = (logits.gather(-1, targets[:, None]).squeeze(-1) - logits.logsumexp(-1)) * weights
    rows = (both.weights[:, 1:] != 0).nonzero()[:, 0]
    sums = torch.zeros(len(both.ids), device=told.device).index_add(0, rows, told)
    refused, answered = sums.chunk(2)
    return refused - answered


def entropy(model: Model, batch: Batch) -> Tensor:
    """Mean entropy of what the model predicts at the tokens that carry loss, a scalar."""
    from holdfast.losses import answer_logits

    logits, _, _ = answer_logits(model.net, batch)
    told = logits.log_softmax(-1)
    return -(told.exp() * told).sum(-1).mean()
