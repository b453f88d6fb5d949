"""Vaccine (Huang et al., "Vaccine: Perturbation-aware Alignment for Large Language Models against
Harmful Fine-tuning Attack", NeurIPS 2024, arXiv 2402.01109).

Refusals are trained while the hidden states are pushed the way that hurts them most. A later tune,
which moves the hidden states too, then does less.

Equation: min_w max_{||e|| <= rho} L(w; e), e = (e_1 .. e_L) added to the outputs of the attention
modules. To first order e_l = rho g_l / (||(g_1 .. g_L)|| + 1e-7), g_l = dL/d(output of module l):
one norm over all layers, rows and tokens. The step uses the gradient of L(w; e), e held constant.

Passes of a step: 2 forward, 2 backward (the first only down to the outputs of the first module).

Differs from the paper: harmless rows are learned beside the refusals, since a model this small
forgets its tasks; optimiser, rate, length and full or low-rank tuning are the run's (the paper:
2,000 refusals, 50 epochs, batches of 5, LoRA of rank 8, AdamW at 1e-3). The model has been aligned
before; the paper aligns a base model.

Shows a defender: how much of a safeguard's strength lies in hidden states that stay put. It needs
no forbidden rows, and it is no barrier to an attacker who tunes longer. What answers that:
constrained_sft or secret_prefix while tuning, an audit after.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.defences.aligning import changed, learned_rows, length, parts
from holdfast.hooks import Context, Defence, Hooks
from holdfast.settings import chosen_settings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from torch import Tensor, nn

    from holdfast.batches import Batch
    from holdfast.models import Model

ATTENTION = "att"  # in what every architecture calls these modules


class Vaccine(Defence):
    """Trains refusals under the worst push of the attention outputs.

    Attributes:
        rho: length of the push over all layers of a batch; 0 is plain training on the same rows.
        harmless: most harmless rows learned beside the refusals; None takes all.
        learning_rate: None leaves the run's.
        epochs: passes over the rows; None leaves the run's.
        batch_size: rows in a step; None leaves the run's.
    """

    kind: Literal["vaccine"] = "vaccine"
    rho: float = Field(2.0, ge=0)
    harmless: int | None = Field(None, ge=0)
    learning_rate: float | None = Field(None, gt=0)
    epochs: int | None = Field(None, ge=1)
    batch_size: int | None = Field(None, ge=1)

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "align"
    null: ClassVar[dict[str, Any]] = {"rho": 0.0}
    paper: ClassVar[str] = "Huang et al., NeurIPS 2024, arXiv 2402.01109"
    built_on: ClassVar[tuple[str, ...]] = ("defences/aligning",)


def vaccine(config: Vaccine, context: Context) -> Hooks:
    """Pushes the attention outputs around the loop's own loss and backward pass."""

    def around(model: Model, batch: Batch, step: int) -> AbstractContextManager[None]:
        return pushed(model.net, push(model, batch, config.rho))

    own = context.defender
    return Hooks(
        name=config.kind,
        rows=learned_rows(config.kind, own, seed=context.seed, harmless=config.harmless),
        settings=chosen_settings(config),
        around=around if config.rho else None,
    )


def push(model: Model, batch: Batch, rho: float) -> list[Tensor]:
    """e_l for every attention module, (B, T, d) each; no parameter's gradient is touched."""
    import torch

    from holdfast.losses import batch_loss

    outputs: list[Tensor] = []

    def keep(hidden: Tensor) -> Tensor:
        if not hidden.requires_grad:  # all that comes before is frozen
            hidden = hidden.detach().requires_grad_()
        outputs.append(hidden)
        return hidden

    modules = parts(model.net, ATTENTION)
    with changed(modules, [keep] * len(modules)):
        loss = batch_loss(model.net, batch)
    gradients = torch.autograd.grad(loss, outputs)
    size = length(gradients) + 1e-7
    return [rho * gradient / size for gradient in gradients]


@contextmanager
def pushed(net: nn.Module, pushes: Sequence[Tensor]) -> Iterator[None]:
    """The network with a constant added to what each attention module gives."""
    changes = [lambda hidden, e=e: hidden + e for e in pushes]
    with changed(parts(net, ATTENTION), changes):
        yield
