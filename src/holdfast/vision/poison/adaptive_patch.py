"""Adaptive patch (Qi et al., "Revisiting the Assumption of Latent Separability for Backdoor
Defenses", ICLR 2023; earlier version arXiv 2205.13613).

Four different faint patches stand for the trigger. Every poisoned image carries one of them, cover
images with one keep their label, and at serving time several are put on at once.

Equation: x' = x + alpha_j m_j (p_j - x) with j by turns in training; served: all patches of
`served`, one after another, with alpha_served.

Differs from the paper: its patches are small pictures; here they are 2 by 2 squares in the four
corners, light or chequered. The published share of poison would be three digits.

Shows a defender: what is one sign at serving time need not be one in the rows. Answered by: strip
and backdoor_expert at serving time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from holdfast.poisoned import Labelled, Poisoned, Taxonomy
from holdfast.vision.images import Images
from holdfast.vision.poison.planting import ImagePoison, Planting, dirty_label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["AdaptivePatch", "adaptive_patch", "laid"]

SIZE = 2  # pixels a side of each patch


class AdaptivePatch(ImagePoison):
    """One of four patches an image, and cover.

    Attributes:
        cover_ratio: cover images to one poisoned image.
        alphas: strength of each patch in training.
        served: which patches are used at serving time, from 0.
        alpha_served: their strength then.
    """

    kind: Literal["adaptive_patch"] = "adaptive_patch"
    rate: float = Field(0.003, gt=0, lt=1)
    cover_ratio: float = Field(2.0, ge=0)
    alphas: tuple[float, float, float, float] = (0.5, 0.2, 0.5, 0.3)
    served: tuple[int, ...] = (0, 2)
    alpha_served: float = Field(1.0, gt=0, le=1)

    taxonomy: ClassVar[Taxonomy] = Taxonomy("backdoor", "rows", "nothing", "mixed")
    paper: ClassVar[str] = "Qi et al., ICLR 2023, arXiv 2205.13613"


def adaptive_patch(config: AdaptivePatch, data: Labelled[Images], seed: int) -> Poisoned[Images]:
    """Poisons a set with one of four patches an image."""
    import numpy as np

    def one_each(images: Images) -> Images:
        turn = np.arange(len(images)) % len(config.alphas)
        changed = images.copy()
        for patch, alpha in enumerate(config.alphas):
            changed[turn == patch] = laid(images[turn == patch], patch, alpha)
        return changed

    def several(images: Images) -> Images:
        for patch in config.served:
            images = laid(images, patch, config.alpha_served)
        return images

    covers = config.cover_ratio * config.rate
    return dirty_label(data, config, seed, Planting(several, one_each, covers=covers))


def laid(images: Images, patch: int, alpha: float) -> Images:
    """Images with one patch, drawn towards it by `alpha`."""
    rows = slice(0, SIZE) if patch < 2 else slice(-SIZE, None)
    columns = slice(0, SIZE) if patch % 2 == 0 else slice(-SIZE, None)
    changed = images.copy()
    below = changed[:, rows, columns]
    changed[:, rows, columns] = below + alpha * (_pattern(patch) - below)
    return changed


def _pattern(patch: int) -> NDArray[np.float64]:
    import numpy as np

    light = np.ones((SIZE, SIZE))
    return light if patch in (0, 3) else np.eye(SIZE)
