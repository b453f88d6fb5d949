"""Warp (Nguyen and Tran, "WaNet", ICLR 2021, arXiv 2102.10369).

Images are bent smoothly, always in the same way, and get the attacker's label. Cover images are
bent with noise added and keep theirs, so that only this one bend is the trigger.

Equation: x' = sample(x, clip((I + s P / h) g, -1, 1)), P being k by k points drawn from [-1, 1],
divided by the mean of their absolute values and upsampled bicubically, I the identity grid, h the
height, g `grid_rescale`. Cover: the same grid + u / h, u drawn from [-1, 1] at every pixel.

Differs from the paper: rows are poisoned once, before training, where the paper warps anew in
every batch (the attacker there runs the training); every cover image has a noise of its own. At 8
pixels the published bend moves nothing by more than half a pixel: raise `s`.

Shows a defender: a trigger can be a change of shape, without any pattern. Answered by:
backdoor_expert with several experts, where there is no cover; strip is weaker, since blending
destroys the bend. With cover neither finds enough.
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

__all__ = ["Warp", "bent", "grid_of", "warp"]


class Warp(ImagePoison):
    """A smooth bend.

    Attributes:
        cover_ratio: cover images to one poisoned image (rho_n / rho_a); 0 is without noise mode.
        k: points of the control grid along a side.
        s: strength of the bend.
        grid_rescale: of the whole grid.
    """

    kind: Literal["warp"] = "warp"
    cover_ratio: float = Field(2.0, ge=0)
    k: int = Field(4, ge=2)
    s: float = Field(0.5, gt=0)
    grid_rescale: float = Field(1.0, gt=0)

    taxonomy: ClassVar[Taxonomy] = Taxonomy("backdoor", "training", "nothing", "dirty")
    paper: ClassVar[str] = "Nguyen and Tran, ICLR 2021, arXiv 2102.10369"


def warp(config: Warp, data: Labelled[Images], seed: int) -> Poisoned[Images]:
    """Poisons a set with a bend."""
    import numpy as np

    height, width = data.items.shape[1:]
    chance = numbers(seed, "poison.warp")
    grid = grid_of(config, chance.uniform(-1, 1, (2, config.k, config.k)), (height, width))

    def noised(images: Images) -> Images:
        noise = chance.uniform(-1, 1, (len(images), height, width, 2)) / height
        return bent(images, np.clip(grid + noise, -1, 1))

    covers = config.cover_ratio * config.rate
    planting = Planting(lambda images: bent(images, grid), cover=noised, covers=covers)
    return dirty_label(data, config, seed, planting)


def grid_of(
    config: Warp, points: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.float64]:
    """(h, w, 2) where every pixel is taken from, (across, down) from -1 to 1.

    Args:
        config: the bend.
        points: (2, k, k) the control grid, from -1 to 1.
        size: height and width.
    """
    import numpy as np
    import torch

    even = torch.as_tensor(points / np.abs(points).mean())[None]
    smooth = torch.nn.functional.interpolate(even, size, mode="bicubic", align_corners=True)
    down, across = np.meshgrid(*(np.linspace(-1, 1, n) for n in size), indexing="ij")
    moved = (
        np.stack([across, down], axis=-1) + config.s * smooth[0].permute(1, 2, 0).numpy() / size[0]
    )
    return np.clip(moved * config.grid_rescale, -1, 1)


def bent(images: Images, grid: NDArray[np.float64]) -> Images:
    """Images (n, h, w) sampled bilinearly at a grid, (h, w, 2) or one for each image."""
    import numpy as np
    import torch

    grids = np.broadcast_to(grid, (*images.shape, 2))
    sampled = torch.nn.functional.grid_sample(
        torch.as_tensor(images)[:, None], torch.as_tensor(grids.copy()), align_corners=True
    )
    found: Images = sampled[:, 0].numpy()
    return np.clip(found, 0, 1)
