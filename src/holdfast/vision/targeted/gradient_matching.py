"""Gradient matching (Geiping et al., "Witches' Brew", ICLR 2021, arXiv 2009.02276).

A few images of the wanted class are changed a little, so that learning them pulls the model where
learning the wrong label of the chosen input would. Labels stay right and the input stays as it is.

Equation: min over |delta| <= eps of 1 - cos(grad L(x_t, y_adv), sum_i grad L(x_i + delta_i, y_i))
by signed Adam, in restarts, the best of which is kept; gradients are those of a model that the
attacker trained on the clean set.

Differs from the paper: no augmentation, since the victim uses none; the rate is a constant. On the
digits the loss falls as published, but few victims trained from scratch fall for it.

Shows a defender: rows that look right one by one can be made for one wrong answer. Answered by:
label_neighbours, where the change is large; and training from another start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from holdfast.poisoned import Labelled, Taxonomy
from holdfast.vision.images import Images, tensors
from holdfast.vision.network import encode, fit, np_of
from holdfast.vision.targeted.aim import Aim, Aimed, TargetedPoison, poisons, replaced

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["GradientMatching", "gradient_matching", "mismatch"]


class GradientMatching(TargetedPoison):
    """Images made to be learnt like a wrong answer.

    Attributes:
        eps: most change of a pixel.
        steps: of signed Adam.
        restarts: of which the best is kept.
        learning_rate: of signed Adam.
    """

    kind: Literal["gradient_matching"] = "gradient_matching"
    eps: float = Field(16 / 255, gt=0, le=1)
    steps: int = Field(250, ge=0)
    restarts: int = Field(8, ge=1)
    learning_rate: float = Field(0.1, gt=0)

    taxonomy: ClassVar[Taxonomy] = Taxonomy("targeted", "rows", "data", "clean")
    paper: ClassVar[str] = "Geiping et al., ICLR 2021, arXiv 2009.02276"


def gradient_matching(
    config: GradientMatching, data: Labelled[Images], aim: Aim, seed: int
) -> Aimed:
    """Poisons a set against one input; `after` is the cosine loss."""
    import torch

    net = fit(data, seed + 1_000).net  # the victim's start is not the attacker's to know
    rows = poisons(data, config, aim, seed)
    images, labels = encode(data.items[rows]), torch.as_tensor(data.labels[rows])
    wanted = _slope(net, encode(aim.image)[None], torch.tensor([aim.label])).detach()
    before = float(mismatch(net, images, labels, wanted).detach())
    chance = tensors(seed, "gradient_matching.start")
    best, least = images, before
    for _ in range(config.restarts):
        start = (2 * torch.rand(images.shape, generator=chance) - 1) * config.eps
        moved = _matched(config, net, images, labels, wanted, start)
        found = float(mismatch(net, moved, labels, wanted).detach())
        if found < least:
            best, least = moved, found
    return Aimed(replaced(data, rows, np_of(best.double()), aim.label), before, least)


def mismatch(net: torch.nn.Module, images: Tensor, labels: Tensor, wanted: Tensor) -> Tensor:
    """1 - cos of the gradient that images give and the wanted one, (parameters,)."""
    import torch

    given = _slope(net, images, labels)
    return 1 - torch.nn.functional.cosine_similarity(given, wanted, dim=0)


def _slope(net: torch.nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    import torch

    loss = torch.nn.functional.cross_entropy(net(images), labels, reduction="sum")
    slopes = torch.autograd.grad(loss, list(net.parameters()), create_graph=True)
    return torch.cat([slope.flatten() for slope in slopes])


def _matched(
    config: GradientMatching,
    net: torch.nn.Module,
    images: Tensor,
    labels: Tensor,
    wanted: Tensor,
    start: Tensor,
) -> Tensor:
    import torch

    delta = start.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([delta], lr=config.learning_rate * config.eps)
    for _ in range(config.steps):
        optimiser.zero_grad()
        (slope,) = torch.autograd.grad(mismatch(net, images + delta, labels, wanted), delta)
        delta.grad = slope.sign()
        optimiser.step()
        with torch.no_grad():
            delta.clamp_(-config.eps, config.eps)
            delta.copy_((images + delta).clamp(0, 1) - images)
    return (images + delta).detach()
