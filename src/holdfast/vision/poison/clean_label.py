"""Clean label (Turner, Tsipras and Madry, "Label-Consistent Backdoor Attacks", 2019, arXiv
1912.02771).

Images of the target class keep their right label, but are made hard to learn and then get a patch
in every corner: the model, which cannot use the image, learns the patches.

Equation: x' = stamp(h(x)). Adversarial: h(x) is projected gradient ascent on the loss of a model of
the attacker's own, |h(x) - x| <= eps in every pixel. Blended: h(x) = (1 - tau) x + tau z, z an
image of another class. Stamp: amplitude `amplitude` towards the pattern, black and white by turns,
in all four corners.

Differs from the paper: it blends in a generative model's space, here pixels are; its model is
trained to withstand attacks first, here it is trained plainly, from another seed. Patches have 2
pixels a side, where the paper's have 3 of 32.

Shows a defender: a set in which every label is right can still carry a trigger. Answered by: strip;
backdoor_expert.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from holdfast.poisoned import Labelled, Poisoned, Taxonomy
from holdfast.vision.images import Images, numbers
from holdfast.vision.network import encode, fit, np_of
from holdfast.vision.poison import planting

if TYPE_CHECKING:
    import torch

__all__ = ["CleanLabel", "clean_label", "corners", "hardened"]


class CleanLabel(planting.ImagePoison):
    """Patches on hardened images of the target class.

    Attributes:
        hardening: how images are made hard to learn.
        eps: most change of a pixel (adversarial).
        steps: of the ascent, each 2.5 eps / steps long (adversarial).
        tau: share of an image of another class (blended).
        size: pixels a side of each patch.
        amplitude: of the patches; 1 covers what is below.
    """

    kind: Literal["clean_label"] = "clean_label"
    rate: float = Field(0.015, gt=0, lt=1)
    hardening: Literal["adversarial", "blended", "none"] = "adversarial"
    eps: float = Field(16 / 255, ge=0, le=1)
    steps: int = Field(100, ge=1)
    tau: float = Field(0.2, ge=0, le=1)
    size: int = Field(2, ge=1)
    amplitude: float = Field(1.0, gt=0, le=1)

    taxonomy: ClassVar[Taxonomy] = Taxonomy("backdoor", "rows", "data", "clean")
    paper: ClassVar[str] = "Turner, Tsipras and Madry, 2019, arXiv 1912.02771"


def clean_label(config: CleanLabel, data: Labelled[Images], seed: int) -> Poisoned[Images]:
    """Poisons a set with hardened, patched images of the target class."""
    import numpy as np

    def stamp(images: Images) -> Images:
        return corners(images, config.size, config.amplitude)

    def poison(images: Images) -> Images:
        if config.hardening == "none":
            return stamp(images)
        if config.hardening == "adversarial":
            own = fit(data, seed + 1_000)  # the victim's start is not the attacker's to know
            return stamp(hardened(own.net, images, config))
        others = np.flatnonzero(data.labels != config.target)
        drawn = numbers(seed, "poison.others").choice(others, len(images))
        return stamp((1 - config.tau) * images + config.tau * data.items[drawn])

    return planting.clean_label(data, config, seed, planting.Planting(stamp, poison))


def corners(images: Images, size: int, amplitude: float) -> Images:
    """Images with a chequered patch in every corner, drawn towards it by `amplitude`."""
    import numpy as np

    pattern = (np.add.outer(np.arange(size), np.arange(size)) % 2 == 0).astype(float)
    changed = images.copy()
    for rows in (slice(0, size), slice(-size, None)):
        for columns in (slice(0, size), slice(-size, None)):
            below = changed[:, rows, columns]
            changed[:, rows, columns] = below + amplitude * (pattern - below)
    return changed


def hardened(net: torch.nn.Module, images: Images, config: CleanLabel) -> Images:
    """Images moved, `eps` at most, to where a model takes them for another class."""
    import torch

    start = encode(images)
    moved = start.clone()
    labels = torch.full((len(images),), config.target)
    for _ in range(config.steps):
        moved.requires_grad_(True)
        loss = torch.nn.functional.cross_entropy(net(moved), labels)
        (slope,) = torch.autograd.grad(loss, moved)
        with torch.no_grad():
            stepped = moved + 2.5 * config.eps / config.steps * slope.sign()
            moved = stepped.clamp(start - config.eps, start + config.eps).clamp(0, 1)
    return np_of(moved.double())
