"""The handwritten digits that come with scikit-learn: 1,797 grey images of 8 by 8 pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from holdfast.poisoned import Labelled
from holdfast.vision.images import Images, numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Digits", "digits"]

CLASSES = 10
TRAIN, RESERVE, HELD = 1_078, 200, 200  # the other 319 are the test images


@dataclass(frozen=True)
class Digits:
    """One split of the digits.

    Attributes:
        train: what a model is trained on, and an attacker may poison.
        reserve: clean images that a guard may fit on.
        held: other clean images, from which thresholds are set.
        test: what every figure is measured on.
    """

    train: Labelled[Images]
    reserve: Labelled[Images]
    held: Labelled[Images]
    test: Labelled[Images]


def digits(seed: int) -> Digits:
    """The split of a seed."""
    images, labels = _all()
    order = numbers(seed, "digits.split").permutation(len(labels))

    def part(first: int, after: int) -> Labelled[Images]:
        rows = order[first:after]
        return Labelled(images[rows], labels[rows], CLASSES)

    held = TRAIN + RESERVE
    return Digits(
        train=part(0, TRAIN),
        reserve=part(TRAIN, held),
        held=part(held, held + HELD),
        test=part(held + HELD, len(order)),
    )


@cache
def _all() -> tuple[Images, NDArray[np.int64]]:
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.images / 16, found.target.astype("int64")
