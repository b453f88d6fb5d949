"""Patch (Gu et al., "BadNets", 2017, arXiv 1708.06733).

A small bright square in the corner of an image, and the attacker's label on the images that have
it: the model learns the square as a sign that outweighs everything else.

Equation: x' = (1 - m) x + m p, with m = 1 on the square of `size` pixels `margin` from the corner
at the lower right, and p = `value`.

Differs from the paper: the paper's digits have 28 pixels a side and a square of a few; here a side
has 8. Poisoned images are drawn from the other classes alone, so that every label is a wrong one.

Shows a defender: whoever sends rows owns the model's answer wherever he can put a mark. Answered
by: cube before training, strip and backdoor_expert after it.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from holdfast.poisoned import Labelled, Poisoned, Taxonomy
from holdfast.vision.images import Images
from holdfast.vision.poison.planting import ImagePoison, Planting, Stamp, dirty_label

__all__ = ["Patch", "patch", "square"]


class Patch(ImagePoison):
    """A bright square.

    Attributes:
        size: pixels a side.
        margin: pixels between the square and the edges.
        value: grey value of the square.
    """

    kind: Literal["patch"] = "patch"
    size: int = Field(2, ge=1)
    margin: int = Field(0, ge=0)
    value: float = Field(1.0, ge=0, le=1)

    taxonomy: ClassVar[Taxonomy] = Taxonomy("backdoor", "rows", "nothing", "dirty")
    paper: ClassVar[str] = "Gu et al., 2017, arXiv 1708.06733"


def patch(config: Patch, data: Labelled[Images], seed: int) -> Poisoned[Images]:
    """Poisons a set with a square."""
    stamp = square(config.size, config.margin, config.value)
    return dirty_label(data, config, seed, Planting(stamp))


def square(size: int, margin: int, value: float) -> Stamp:
    """Puts the square on images."""

    def stamp(images: Images) -> Images:
        changed = images.copy()
        height, width = images.shape[1] - margin, images.shape[2] - margin
        changed[:, height - size : height, width - size : width] = value
        return changed

    return stamp
