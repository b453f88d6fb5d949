"""What attacks without a trigger share: one input that the model shall take for something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from holdfast.errors import UserError
from holdfast.poisoned import Labelled, Poisoned, Taxonomy
from holdfast.vision.images import Images, numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Aim", "Aimed", "TargetedPoison", "poisons", "replaced"]


class TargetedPoison(BaseModel):
    """An attacker's settings, with the paper's names and defaults.

    Attributes:
        budget: share of all training images that is poisoned.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    budget: float = Field(0.01, gt=0, lt=1)

    taxonomy: ClassVar[Taxonomy]
    paper: ClassVar[str]


@dataclass(frozen=True)
class Aim:
    """What the attacker wants.

    Attributes:
        image: (h, w) the input, which he does not change.
        label: what the model shall take it for.
    """

    image: NDArray[np.float64]
    label: int


@dataclass(frozen=True)
class Aimed:
    """A set poisoned against one input.

    Attributes:
        poisoned: the set; it has no trigger.
        before: what the attack makes small, before its first step.
        after: the same after its last. Whether the attack could do its part is seen here; whether
            the victim falls for it, only by training him.
    """

    poisoned: Poisoned[Images]
    before: float
    after: float


def poisons(
    data: Labelled[Images], config: TargetedPoison, aim: Aim, seed: int
) -> NDArray[np.int64]:
    """The images of the wanted class that are changed, `budget` of all images.

    Raises:
        UserError: the label is no class, or its class has too few images.
    """
    import numpy as np

    if data.classes < 2 or not 0 <= aim.label < data.classes:
        raise UserError(
            f"Label {aim.label} is none of the {data.classes} classes, or the only one: aim at "
            "another."
        )
    own = np.flatnonzero(data.labels == aim.label)
    count = max(1, round(config.budget * len(data.labels)))
    if count > len(own):
        raise UserError(
            f"{count} images of class {aim.label} shall be poisoned, but it has only {len(own)}: "
            "lower the budget."
        )
    return numbers(seed, "poison.rows").permutation(own)[:count]


def replaced(
    data: Labelled[Images], rows: NDArray[np.int64], images: Images, label: int
) -> Poisoned[Images]:
    """The set with changed images in some rows; labels stay as they are."""
    import numpy as np

    items, which = data.items.copy(), np.zeros(len(data.labels), bool)
    items[rows], which[rows] = images, True
    return Poisoned(Labelled(items, data.labels.copy(), data.classes), which, None, label)
