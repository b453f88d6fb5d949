"""Feature collision (Shafahi et al., "Poison Frogs!", NeurIPS 2018, arXiv 1804.00792).

An image of the wanted class is changed until the model's last hidden layer cannot tell it from the
chosen input. Whoever trains a new last layer on it with its right label gives the input that label.

Equation: x_p = argmin ||f(x) - f(t)||^2 + beta ||x - b||^2 by forward-backward steps:
x' = x - rate grad ||f(x) - f(t)||^2, x = (x' + rate beta b) / (1 + rate beta), then cut to [0, 1].

Differs from the paper: several images are poisoned, each from its own b, without the watermark that
the paper adds for them; beta is given outright, where the paper scales it by the sizes of both.

Shows a defender: features of a model that everyone downloads are a surface for attack. Answered by:
tuning all layers rather than the last one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from holdfast.poisoned import Labelled, Taxonomy
from holdfast.vision.images import Images
from holdfast.vision.network import encode, fit, np_of
from holdfast.vision.targeted.aim import Aim, Aimed, TargetedPoison, poisons, replaced

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["FeatureCollision", "collided", "feature_collision"]


class FeatureCollision(TargetedPoison):
    """Images that a hidden layer takes for another.

    Attributes:
        beta: how much an image is held to what it was.
        rate: length of a step.
        steps: how many.
    """

    kind: Literal["feature_collision"] = "feature_collision"
    beta: float = Field(0.25, ge=0)
    rate: float = Field(0.01, gt=0)
    steps: int = Field(1_000, ge=0)

    taxonomy: ClassVar[Taxonomy] = Taxonomy("targeted", "rows", "model", "clean")
    paper: ClassVar[str] = "Shafahi et al., NeurIPS 2018, arXiv 1804.00792"


def feature_collision(
    config: FeatureCollision,
    data: Labelled[Images],
    aim: Aim,
    seed: int,
    features: torch.nn.Module | None = None,
) -> Aimed:
    """Poisons a set against one input; `after` is the mean squared distance to its features.

    Args:
        config: the settings.
        data: what is poisoned.
        aim: the input, and what it shall be taken for.
        seed: of what is drawn.
        features: the layers that the victim keeps; None trains some on the data.
    """
    import torch

    kept = fit(data, seed).net[:-1] if features is None else features
    rows = poisons(data, config, aim, seed)
    base = encode(data.items[rows])
    with torch.no_grad():
        goal = kept(encode(aim.image)[None])
    moved = collided(config, kept, base, goal)

    def apart(images: Tensor) -> float:
        with torch.no_grad():
            return float((kept(images) - goal).square().sum(dim=1).mean())

    poisoned = replaced(data, rows, np_of(moved.double()), aim.label)
    return Aimed(poisoned, apart(base), apart(moved))


def collided(
    config: FeatureCollision, features: torch.nn.Module, base: Tensor, goal: Tensor
) -> Tensor:
    """Images near to `base` (n, h, w) with features near to `goal` (1, width)."""
    import torch

    moved = base.clone()
    for _ in range(config.steps):
        moved.requires_grad_(True)
        (slope,) = torch.autograd.grad((features(moved) - goal).square().sum(), moved)
        with torch.no_grad():
            ahead = moved - config.rate * slope
            back = (ahead + config.rate * config.beta * base) / (1 + config.rate * config.beta)
            moved = back.clamp(0, 1)
    return moved.detach()
