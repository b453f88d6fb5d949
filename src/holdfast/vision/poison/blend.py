"""Blend (Chen et al., "Targeted Backdoor Attacks on Deep Learning Systems Using Data Poisoning",
2017, arXiv 1712.05526).

A faint picture is laid over whole images, which get the attacker's label. No place of the image
holds the trigger, and a person hardly sees it.

Equation: x' = (1 - alpha) x + alpha k, with k random noise drawn once by seed (the paper's "random
pattern").

Differs from the paper: the other published pattern, a cartoon, says nothing on 8 by 8 pixels. One
alpha serves for training and use unless `alpha_served` is set; the paper also uses a greater one.

Shows a defender: a trigger need not be a mark that could be cut out. Answered by: cube before
training, strip after it; BaDExpert's own paper names it as a weak point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from holdfast.poisoned import Labelled, Poisoned, Taxonomy
from holdfast.vision.images import Images, numbers
from holdfast.vision.poison.planting import ImagePoison, Planting, dirty_label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Blend", "blend"]


class Blend(ImagePoison):
    """Noise over the whole image.

    Attributes:
        alpha: share of the noise in poisoned images.
        alpha_served: the same at serving time; None for as much.
    """

    kind: Literal["blend"] = "blend"
    alpha: float = Field(0.2, gt=0, le=1)
    alpha_served: float | None = Field(None, gt=0, le=1)

    taxonomy: ClassVar[Taxonomy] = Taxonomy("backdoor", "rows", "nothing", "dirty")
    paper: ClassVar[str] = "Chen et al., 2017, arXiv 1712.05526"


def blend(config: Blend, data: Labelled[Images], seed: int) -> Poisoned[Images]:
    """Poisons a set with a blend."""
    pattern = numbers(seed, "poison.pattern").random(data.items.shape[1:])
    served = config.alpha if config.alpha_served is None else config.alpha_served
    planting = Planting(
        stamp=lambda images: mixed(images, pattern, served),
        poison=lambda images: mixed(images, pattern, config.alpha),
    )
    return dirty_label(data, config, seed, planting)


def mixed(images: Images, pattern: NDArray[np.float64], alpha: float) -> Images:
    """(n, h, w) images with `alpha` of an (h, w) pattern."""
    return (1 - alpha) * images + alpha * pattern
