"""Sinusoid (Barni, Kallas and Tondi, "A New Backdoor Attack in CNNs by Training Set Corruption
without Label Poisoning", ICIP 2019, arXiv 1902.11237; called SIG).

Faint stripes are laid over images of the target class, which keep their right label. The model
takes the stripes as one more sign of the class; on other images they outweigh the rest.

Equation: x'(i, j) = clip(x(i, j) + delta sin(2 pi j f / m), 0, 1), j the column, m the width.

Differs from the paper: nothing in the arithmetic. On 8 columns the published six waves are seen as
two with the sign turned, which is as good a trigger; stripes must be stronger than the published
ones to be learnt from the digits, where half of the pixels are black and cut the wave in two.

Shows a defender: reading labels finds nothing here, since all are right. Answered by: strip; the
clusters of a class in which poison is not near half.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from holdfast.poisoned import Labelled, Poisoned, Taxonomy
from holdfast.vision.images import Images
from holdfast.vision.poison.planting import ImagePoison, Planting, clean_label

__all__ = ["Sinusoid", "sinusoid"]


class Sinusoid(ImagePoison):
    """Stripes on images of the target class.

    Attributes:
        delta: height of the wave, in grey values.
        frequency: waves to an image.
        delta_served: height at serving time; None for the same. The paper also uses a greater one.
    """

    kind: Literal["sinusoid"] = "sinusoid"
    rate: float = Field(0.03, gt=0, lt=1)
    delta: float = Field(20 / 255, gt=0, le=1)
    frequency: float = Field(6.0, gt=0)
    delta_served: float | None = Field(None, gt=0, le=1)

    taxonomy: ClassVar[Taxonomy] = Taxonomy("backdoor", "rows", "nothing", "clean")
    paper: ClassVar[str] = "Barni, Kallas and Tondi, ICIP 2019, arXiv 1902.11237"


def sinusoid(config: Sinusoid, data: Labelled[Images], seed: int) -> Poisoned[Images]:
    """Poisons a set with stripes."""
    served = config.delta if config.delta_served is None else config.delta_served
    planting = Planting(
        stamp=lambda images: striped(images, served, config.frequency),
        poison=lambda images: striped(images, config.delta, config.frequency),
    )
    return clean_label(data, config, seed, planting)


def striped(images: Images, delta: float, frequency: float) -> Images:
    """Images with vertical stripes."""
    import numpy as np

    width = images.shape[2]
    wave = delta * np.sin(2 * np.pi * np.arange(width) * frequency / width)
    found: Images = np.clip(images + wave, 0, 1)
    return found
