"""What a guard is given: the deployed model as functions, and inputs known to be clean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from holdfast.guards.guard import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["FEWEST", "Blend", "Guarded", "Opened", "idle", "no_reserve"]

Items = TypeVar("Items")  # a tuple of texts, or an array of images
Blend = Callable[[Items, int, int], Items]
"""`blend(items, copies, seed)`: `copies` blends of every input with clean ones.

All copies of the first input come first, then those of the second, and so on: (n · copies) inputs.
"""
FEWEST = 20
"""Clean inputs on which a threshold can be set."""


class Opened(Protocol):
    """A model of texts whose insides a guard may look at."""

    def read(self, texts: Sequence[str]) -> Tensor:
        """(n, longest) numbers of words."""
        ...

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(n, classes) what the model makes of n texts."""
        ...

    def words(self) -> Tensor:
        """(words, width) embeddings of the words that the model knows."""
        ...

    def with_word(self, vector: Tensor, ids: Tensor) -> Tensor:
        """(n, classes) probabilities with a word of that embedding in front of each text."""
        ...


@dataclass(frozen=True)
class Guarded(Generic[Items]):
    """A deployed model, and the clean reserve.

    Attributes:
        probabilities: (n, classes) what the model makes of n inputs.
        fit: clean inputs that a guard may fit on.
        fit_labels: (n,) labels of `fit`.
        held: other clean inputs, from which the threshold is set.
        blend: how inputs are mixed with clean ones, for STRIP; None: it mixes words of texts.
        opened: the model itself, for guards of texts that need its insides.
        seed: of whatever a guard draws.
    """

    probabilities: Callable[[Items], NDArray[np.float64]]
    fit: Items
    fit_labels: NDArray[np.int64]
    held: Items
    blend: Blend[Items] | None = None
    opened: Opened | None = None
    seed: int = 0


def no_reserve(guarded: Guarded[Any]) -> str:
    """Why no threshold can be set; "" where one can."""
    fewest = min(len(guarded.fit), len(guarded.held))
    if fewest >= FEWEST:
        return ""
    return (
        f"a clean reserve has {fewest} inputs, and {FEWEST} each are needed to fit on and to set a "
        "threshold"
    )


def idle(why: str) -> Watch[Any]:
    """A guard that raises no alarm, for a reason."""

    def score(items: Any) -> NDArray[np.float64]:
        return np.full(len(items), np.nan)

    return Watch(score, np.inf, unjudged=why)
