"""Images as this package holds them, and the generators that whatever is drawn comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from holdfast.draw import generator

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

__all__ = ["Images", "numbers", "tensors"]

Images: TypeAlias = "NDArray[np.float64]"
"""(n, height, width) grey values from 0 to 1."""


def numbers(seed: int, purpose: str) -> np.random.Generator:
    """NumPy's generator for a (seed, purpose)."""
    import numpy as np

    return np.random.default_rng(generator(seed, purpose).getrandbits(63))


def tensors(seed: int, purpose: str) -> torch.Generator:
    """PyTorch's generator for a (seed, purpose)."""
    import torch

    return torch.Generator().manual_seed(generator(seed, purpose).getrandbits(63))
