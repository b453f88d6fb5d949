"""Lottery-ticket adaptation (Panda et al., "Lottery Ticket Adaptation: Mitigating Destructive
Interference in LLMs", 2024, arXiv 2406.16797): which weights a task needs.

Equations: d = w_T - w_0 of a calibrating tune; the mask holds the entries of the attention and MLP
matrices whose |d| reaches the threshold that a share 1 - s of them all reach together; then
w := w - lr (g * mask) from w_0 on. For a second task (LoTTO) the entries of the first are left out
before the threshold is taken, so supports are disjoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from holdfast.errors import UserError
from holdfast.hooks import Hooks, Streams

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.models import Model
    from holdfast.settings import Settings

Masks = dict[str, "Tensor"]
"""Parameter name -> bool mask of its shape; True may move."""


def masked(name: str, find: Callable[[Model, Streams, Settings], Masks]) -> Hooks:
    """Hooks of a full tune under the masks that `find` gives at its start."""
    masks: Masks = {}

    def full(settings: Settings) -> Settings:
        return settings.model_copy(update={"method": "full"})  # masks are of whole matrices

    def start(model: Model, streams: Streams, settings: Settings) -> None:
        masks.update(find(model, streams, settings))

    return Hooks(name=name, settings=full, start=start, live=lambda model: dict(masks))


def matrices(model: Model) -> dict[str, Tensor]:
    """The attention and MLP matrices of all layers by parameter name, as they are stored."""
    from holdfast.probes.linears import linears

    names = {id(p): name for name, p in model.net.named_parameters()}
    found = {}
    for layer in linears(model.net):
        for linear in layer:
            weight: Tensor = linear.module.weight  # type: ignore[assignment]
            found[names[id(weight)]] = weight
    return found


def calibrated(
    model: Model, streams: Streams, settings: Settings, share: float
) -> dict[str, Tensor]:
    """|d| of every matrix after a short tune; the model is then as it was.

    Args:
        model: tuned in place and put back, so that its passes are counted.
        streams: what is tuned on.
        settings: of the tune.
        share: of its steps that calibration takes; at least one.
    """
    import torch

    from holdfast.train import tune

    before = {name: p.detach().clone() for name, p in model.net.named_parameters()}
    digest, was_training = model.digest, model.net.training
    steps = max(1, round(share * settings.steps_for(len(streams.user))))
    tune(model, streams, settings.model_copy(update={"steps": steps}))
    moved = {}
    with torch.no_grad():
        for name, weight in matrices(model).items():
            moved[name] = (weight - before[name]).abs()
        for name, p in model.net.named_parameters():
            p.copy_(before[name])
    model.digest = digest
    model.net.train(was_training)
    return moved


def winning(
    moved: Mapping[str, Tensor], sparsity: float, kept: Mapping[str, Tensor] | None = None
) -> Masks:
    """The masks of the share 1 - `sparsity` of entries that moved most, over all matrices together.

    Args:
        moved: |d| by parameter name.
        sparsity: s; share of the entries that stay.
        kept: entries that must stay whatever they did, as masks.

    Raises:
        UserError: the entries that must stay leave fewer than the share.
    """
    import torch

    free = {
        name: d.masked_fill(kept[name].to(d.device), -1.0) if kept and name in kept else d
        for name, d in moved.items()
    }
    every = torch.cat([d.reshape(-1) for d in free.values()])
    count = max(1, round((1 - sparsity) * len(every)))
    if int((every >= 0).sum()) < count:
        raise UserError(
            f"A share of {1 - sparsity:.1%} of the weights is asked for, but fewer are left by "
            "those that must stay: raise the sparsity."
        )
    # Ties at the threshold (entries that never moved) are settled by place, so the count is exact.
    chosen = torch.zeros(len(every), dtype=torch.bool, device=every.device)
    chosen[every.argsort(descending=True, stable=True)[:count]] = True
    masks, at = {}, 0
    for name, d in free.items():
        masks[name] = chosen[at : at + d.numel()].reshape(d.shape)
        at += d.numel()
    return masks
