"""Images laid over one another, as STRIP does it (Gao et al., ACSAC 2019, arXiv 1902.06531)."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.vision.images import Images, numbers

__all__ = ["superimposed"]


def superimposed(clean: Images) -> Callable[[Images, int, int], Images]:
    """How STRIP disturbs images: every copy has a clean image, drawn anew, added to it.

    Equation: x' = clip(x + z, 0, 1), as published. A mean of the two would halve the trigger.

    Args:
        clean: (m, h, w) images to draw from.

    Returns:
        `blend(images, copies, seed)`: (n · copies, h, w), all copies of the first image first.
    """

    def blend(images: Images, copies: int, seed: int) -> Images:
        drawn = numbers(seed, "strip.overlays").integers(len(clean), size=len(images) * copies)
        return (images.repeat(copies, axis=0) + clean[drawn]).clip(0, 1)

    return blend
