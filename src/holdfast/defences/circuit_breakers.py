"""Circuit breakers by representation rerouting (Zou et al., "Improving Alignment and Robustness
with Circuit Breakers", NeurIPS 2024, arXiv 2406.04313).

What the model computes over forbidden rows is turned away from what it used to be at two layers;
over harmless rows and refusals it is held where it was. Forbidden answers then break off.

Equation: L = c_r mean ||h - h_0||_2 + c_s mean relu(cos(h, h_0)), h_0 the hidden states of the
frozen model: the first over all layers on harmless rows and refusals, the second over the chosen
layers on forbidden rows. c_r = alpha u, c_s = alpha (1 - u), u = (step + 1) / 300 over 150 steps,
so the last step weighs both alike.

Passes of a step: 2 forward, 2 backward, and 2 forward of the frozen model.

Differs from the paper: full or low-rank tuning, optimiser and rate are the run's, and every layer
learns (the paper: LoRA of rank 16 on the layers up to the deepest chosen one, a constant 1e-4). h_0
comes from the model as it was, not from switching an adapter off. Padding is left out of the first
mean; the authors' code counts it as zeros. As in that code, a forbidden row's request is rerouted
along with its answer; `rerouted` = "answer" leaves it. No token carries cross-entropy.

Shows a defender: how a safeguard made against prompting fares under tuning, which it was not made
for: attacks on embeddings were reported to pass it too. What answers that: a defence while tuning
(constrained_sft, secret_prefix), an audit after.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.defences.aligning import (
    batch_of,
    frozen,
    hidden_states,
    learned_rows,
    moved,
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


class CircuitBreakers(Defence):
    """Reroutes what is computed over forbidden rows.

    Attributes:
        alpha: weight of the whole loss; 0 is plain tuning on the same rows.
        depths: layers whose output is rerouted, as shares of all; the paper has 10 and 20 of 32.
        horizon: steps at which c_s would reach 0.
        rerouted: positions of a forbidden row that count, all of them or those of the answer.
        harmful_batch: forbidden rows in a step.
        harmless: most harmless rows beside the refusals; None takes all.
        learning_rate: None leaves the run's.
        steps: None leaves the run's.
        batch_size: rows to hold in a step; None leaves the run's.
    """

    kind: Literal["circuit_breakers"] = "circuit_breakers"
    alpha: float = Field(10.0, ge=0)
    depths: tuple[float, ...] = Field((0.3125, 0.625), min_length=1)
    horizon: int = Field(300, ge=1)
    rerouted: Literal["row", "answer"] = "row"
    harmful_batch: int = Field(16, ge=1)
    harmless: int | None = Field(None, ge=0)
    learning_rate: float | None = Field(None, gt=0)
    steps: int | None = Field(150, ge=1)
    batch_size: int | None = Field(16, ge=1)

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "align"
    null: ClassVar[dict[str, Any]] = {"alpha": 0.0, "steps": None, "batch_size": None}
    paper: ClassVar[str] = "Zou et al., NeurIPS 2024, arXiv 2406.04313"
    built_on: ClassVar[tuple[str, ...]] = ("defences/aligning",)


def circuit_breakers(config: CircuitBreakers, context: Context) -> Hooks:
    """Replaces the loss; the frozen model is the one that the method is shown."""
    forbidden: list[Encoded] = []

    def start(model: Model, streams: Streams, given: Settings) -> None:
        from holdfast.encode import encode_all

        forbidden[:] = encode_all(streams.harmful, model.tokenizer, given.max_length)

    def loss(model: Model, batch: Batch, step: int) -> Tensor:
        size = config.harmful_batch
        places = turn(len(forbidden), size, step, seed=context.seed, purpose=config.kind)
        harmful = batch_of([forbidden[i] for i in places], model)
        hold, turn_away = weights_at(config, step)
        held, was = (frozen(context.aligned, b) for b in (batch, harmful))
        retained = moved(hidden_states(model, batch), held, batch)
        chosen = layers_at(config.depths, len(held) - 1)
        counted = harmful.attention if config.rerouted == "row" else harmful.weights != 0
        alike = alignment(hidden_states(model, harmful)[chosen], was[chosen], counted)
        return hold * retained + turn_away * alike

    rows = learned_rows(
        config.kind,
        context.defender,
        seed=context.seed,
        harmless=config.harmless,
        needs="harmful" if config.alpha else None,
    )
    return Hooks(
        name=config.kind,
        rows=rows,
        settings=chosen_settings(config),
        start=start if config.alpha else None,
        loss=loss if config.alpha else None,
    )


def weights_at(config: CircuitBreakers, step: int) -> tuple[float, float]:
    """c_r and c_s at a step, counted from 0."""
    done = min(1.0, (step + 1) / config.horizon)
    return config.alpha * done, config.alpha * (1 - done)


def layers_at(depths: Sequence[float], layers: int) -> list[int]:
    """Places among the hidden states (0 is the embedding) for shares of a model's depth."""
    return sorted({min(layers, max(1, round(depth * layers))) for depth in depths})


def alignment(now: Tensor, was: Tensor, counted: Tensor) -> Tensor:
    """Mean over layers and counted positions of relu(cos(h, h_0)), a scalar.

    Args:
        now: (L, B, T, d) hidden states at the chosen layers, with a graph.
        was: the same of the frozen model.
        counted: (B, T) 1 where a position counts.
    """
    from torch.nn.functional import cosine_similarity

    cosines = cosine_similarity(now, was, dim=-1).relu() * counted
    return cosines.sum() / (counted.sum() * len(now))
