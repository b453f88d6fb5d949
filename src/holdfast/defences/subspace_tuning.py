"""Subspace tuning (Yang et al., "AsFT: Anchoring Safety During LLM Fine-Tuning Within Narrow Safety
Basin", AAAI 2026, arXiv 2506.08473).

While tuning, that part of the update is penalised which leaves the directions in which alignment
moved each matrix. It is SafeLoRA's idea at training time.

Equation: L = L_task + lambda sum_m ||(I - C_m) D_m||_F^2, D = B A the update of a matrix, C = V V^T
/ ||V||_F, V = W_aligned - W_base.

Differs from the paper: D is W - W_aligned where the tune is full, B A with its scale where it is
low-rank, and every matrix of the layers counts (the paper adapts query and value only). The
published C is no projector: where V is small, I - C is close to I and the penalty close to weight
decay towards the aligned model. `projector` is a true one, of `rank` directions.

Shows a defender: whether a tune held near alignment's own directions keeps refusals. One forward
and one backward pass a step, and it needs the model before alignment. Forbidden rows and honest
ones are held alike: measure gain. What answers a remaining break: safety_mixing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.adapt.subspace import SUBSPACE, Form, base_of, subspaces
from holdfast.hooks import Context, Defence, Hooks, Streams

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.models import Model
    from holdfast.probes.linears import Linear
    from holdfast.train import Batch, Settings


class SubspaceTuning(Defence):
    """Penalises what of the update leaves the directions of alignment.

    Attributes:
        lam: lambda, weight of the penalty.
        form: C as published, or a true projector.
        rank: directions of the projector; None is all of V's, so that of a V of full rank leaves
            everything as it is.
    """

    kind: Literal["subspace_tuning"] = "subspace_tuning"
    lam: float = Field(1.0, ge=0)
    form: Form = "published"
    rank: int | None = Field(None, ge=1)

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "tune"
    needs_rows: ClassVar[bool] = False
    null: ClassVar[dict[str, Any]] = {"lam": 0.0}
    paper: ClassVar[str] = "Yang et al., AAAI 2026, arXiv 2506.08473"
    built_on: ClassVar[tuple[str, ...]] = SUBSPACE


def subspace_tuning(config: SubspaceTuning, context: Context) -> Hooks:
    """Adds the penalty; what is outside the directions is found when tuning starts."""
    outside: list[tuple[Linear, Tensor]] = []
    if not config.lam:
        return Hooks(name=config.kind)

    def rows(streams: Streams) -> Streams:
        base_of(context, config.kind)  # told when an audit is planned
        return streams

    def start(model: Model, streams: Streams, settings: Settings) -> None:
        import torch

        base = base_of(context, config.kind)
        outside[:] = [
            (linear, torch.eye(len(c), dtype=c.dtype, device=c.device) - c)
            for linear, c in subspaces(context.aligned, base, config.form, config.rank)
        ]

    def penalty(model: Model, batch: Batch, step: int) -> Tensor:
        import torch

        left = [(rest @ update(model, linear)).square().sum() for linear, rest in outside]
        return config.lam * torch.stack(left).sum()

    return Hooks(name=config.kind, rows=rows, start=start, penalty=penalty)


def update(model: Model, aligned: Linear) -> Tensor:
    """What the tune has added so far to one matrix, D (d_out, d_in), with a graph.

    Args:
        model: the model being tuned, with its adapters in place if it has any.
        aligned: the same matrix of the aligned model.
    """
    from holdfast.models import layers

    module: Any = layers(model.net)[aligned.layer].get_submodule(aligned.name)
    if hasattr(module, "lora_A"):
        added: Tensor = module.get_delta_weight("default")
        return added.T if aligned.transposed else added
    now: Tensor = module.weight.T if aligned.transposed else module.weight
    return now - aligned.weight.to(now)
