"""What attackers of images share: their settings, whom they pick, and how a poisoned set is made.

A share of the images is the attacker's. Those with dirty labels are taken from all classes but the
target's and get its label; those with clean labels are of the target class already. Cover images
have a trigger (or part of it, or a false one) and keep their label.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from holdfast.errors import UserError
from holdfast.poisoned import Labelled, Poisoned, Taxonomy
from holdfast.vision.images import Images, numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "ImagePoison",
    "Planting",
    "Stamp",
    "clean_label",
    "dirty_label",
    "poison_count",
    "rows_of_target",
]

Stamp = Callable[[Images], Images]


class ImagePoison(BaseModel):
    """An attacker's settings, with the paper's names and defaults.

    Attributes:
        rate: share of all training images that is poisoned.
        target: the label that the trigger shall bring.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: float = Field(0.1, gt=0, lt=1)
    target: int = Field(0, ge=0)

    taxonomy: ClassVar[Taxonomy]
    paper: ClassVar[str]


@dataclass(frozen=True)
class Planting:
    """How an attack changes images.

    Attributes:
        stamp: puts the trigger on, as at serving time.
        poison: what poisoned training images get; None for the same.
        cover: what cover images get; None for the same as poisoned ones.
        covers: share of all training images that are cover.
    """

    stamp: Stamp
    poison: Stamp | None = None
    cover: Stamp | None = None
    covers: float = 0.0


def dirty_label(
    data: Labelled[Images], config: ImagePoison, seed: int, planting: Planting
) -> Poisoned[Images]:
    """Poisons images of other classes and gives them the target label.

    Raises:
        UserError: the target is no class, or there are too few images to poison.
    """
    import numpy as np

    count = poison_count(data, config)
    chance = numbers(seed, "poison.rows")
    rows = _drawn(chance, np.flatnonzero(data.labels != config.target), count, "other classes")
    poison = planting.poison or planting.stamp
    items, labels, which = data.items.copy(), data.labels.copy(), np.zeros(len(data.labels), bool)
    items[rows], labels[rows], which[rows] = poison(data.items[rows]), config.target, True
    if planting.covers:
        free = np.flatnonzero(~which)
        covered = _drawn(chance, free, round(planting.covers * len(which)), "the unpoisoned ones")
        items[covered] = (planting.cover or poison)(data.items[covered])
        which[covered] = True
    return Poisoned(Labelled(items, labels, data.classes), which, planting.stamp, config.target)


def clean_label(
    data: Labelled[Images], config: ImagePoison, seed: int, planting: Planting
) -> Poisoned[Images]:
    """Poisons images of the target class and leaves every label as it is.

    Raises:
        UserError: the target is no class, or it has too few images.
    """
    import numpy as np

    rows = rows_of_target(data, config, seed)
    items, which = data.items.copy(), np.zeros(len(data.labels), bool)
    items[rows] = (planting.poison or planting.stamp)(data.items[rows])
    which[rows] = True
    poisoned = Labelled(items, data.labels.copy(), data.classes)
    return Poisoned(poisoned, which, planting.stamp, config.target)


def rows_of_target(data: Labelled[Images], config: ImagePoison, seed: int) -> NDArray[np.int64]:
    """The images of the target class that are poisoned, `rate` of all images."""
    import numpy as np

    count = poison_count(data, config)
    own = np.flatnonzero(data.labels == config.target)
    return _drawn(numbers(seed, "poison.rows"), own, count, f"class {config.target}")


def poison_count(data: Labelled[Images], config: ImagePoison) -> int:
    """How many images are poisoned.

    Raises:
        UserError: the target is no class, or the only one.
    """
    if data.classes < 2 or config.target >= data.classes:
        raise UserError(
            f"A trigger for label {config.target} needs at least two classes and that label among "
            f"them, and the data have {data.classes}: choose another target."
        )
    return max(1, round(config.rate * len(data.labels)))


def _drawn(
    chance: np.random.Generator, rows: NDArray[np.int64], count: int, whose: str
) -> NDArray[np.int64]:
    if count > len(rows):
        raise UserError(
            f"{count} images shall be poisoned, but {whose} have only {len(rows)}: lower the rate."
        )
    return chance.permutation(rows)[:count]
