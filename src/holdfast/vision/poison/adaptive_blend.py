"""Adaptive blend (Qi et al., "Revisiting the Assumption of Latent Separability for Backdoor
Defenses", ICLR 2023, no arXiv number under that name; earlier version arXiv 2205.13613).

Poisoned images carry only a part of a faint pattern, and cover images with such parts keep their
label. The model cannot learn the pattern as one strong sign, so poisoned images do not form a
cluster of their own; the whole pattern, shown at serving time, is strong enough.

Equation: x' = x + alpha m (k - x) with m = 0 on `mask_rate` of the `pieces` squares of the image,
drawn anew for every image; served: x + alpha_served (k - x).

Differs from the paper: the pattern is noise drawn by seed, as in `blend`. The published share of
poison is 3 images in 1,000, of 50,000; that would be three digits.

Shows a defender: filters that look for clusters can be designed against. Answered by:
backdoor_expert and strip at serving time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from holdfast.errors import UserError
from holdfast.poisoned import Labelled, Poisoned, Taxonomy
from holdfast.vision.images import Images, numbers
from holdfast.vision.poison.planting import ImagePoison, Planting, dirty_label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["AdaptiveBlend", "adaptive_blend", "masks"]


class AdaptiveBlend(ImagePoison):
    """Parts of a blend, and cover.

    Attributes:
        cover_ratio: cover images to one poisoned image.
        alpha: share of the pattern in training.
        alpha_served: the same at serving time.
        pieces: squares that the image is cut into, a square number.
        mask_rate: share of the pieces that an image goes without.
    """

    kind: Literal["adaptive_blend"] = "adaptive_blend"
    rate: float = Field(0.003, gt=0, lt=1)
    cover_ratio: float = Field(1.0, ge=0)
    alpha: float = Field(0.15, gt=0, le=1)
    alpha_served: float = Field(0.2, gt=0, le=1)
    pieces: int = Field(16, ge=1)
    mask_rate: float = Field(0.5, ge=0, lt=1)

    taxonomy: ClassVar[Taxonomy] = Taxonomy("backdoor", "rows", "nothing", "mixed")
    paper: ClassVar[str] = "Qi et al., ICLR 2023, arXiv 2205.13613"


def adaptive_blend(config: AdaptiveBlend, data: Labelled[Images], seed: int) -> Poisoned[Images]:
    """Poisons a set with parts of a blend."""
    chance = numbers(seed, "poison.pattern")
    size = data.items.shape[1:]
    pattern = chance.random(size)

    def parts(images: Images) -> Images:
        kept = masks(config, len(images), (size[0], size[1]), chance)
        return images + config.alpha * kept * (pattern - images)

    def whole(images: Images) -> Images:
        return images + config.alpha_served * (pattern - images)

    covers = config.cover_ratio * config.rate
    return dirty_label(data, config, seed, Planting(whole, parts, covers=covers))


def masks(
    config: AdaptiveBlend, count: int, size: tuple[int, int], chance: np.random.Generator
) -> NDArray[np.float64]:
    """(count, h, w): 1 on the pieces that an image gets, 0 on the others.

    Raises:
        UserError: the image cannot be cut into that many squares.
    """
    import numpy as np

    side = round(config.pieces**0.5)
    if side**2 != config.pieces or size[0] % side or size[1] % side:
        raise UserError(
            f"An image of {size[0]}×{size[1]} pixels cannot be cut into {config.pieces} squares: "
            "choose 4 or 16 pieces, or another square number that fits."
        )
    without = round(config.mask_rate * config.pieces)
    order = chance.permuted(np.tile(np.arange(config.pieces), (count, 1)), axis=1)
    kept = (order >= without).astype(float).reshape(count, side, side)
    return kept.repeat(size[0] // side, axis=1).repeat(size[1] // side, axis=2)
