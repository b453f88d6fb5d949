"""Poisoned sets: labelled data into which somebody else has put examples, and how surveys class it.

The classes are those of Cinà et al., "Wild Patterns Reloaded", ACM Computing Surveys 2023, arXiv
2205.01992.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Labelled", "Poisoned", "Taxonomy"]

Items = TypeVar("Items")  # a tuple of texts, or an array of images (n, height, width)


@dataclass(frozen=True)
class Taxonomy:
    """What an attacker wants, where he acts, what he must know, and whose labels he changes.

    Attributes:
        goal: every answer worse, chosen inputs wrong, or inputs with a trigger wrong.
        setting: he hands over rows, runs the training, or hands over a model.
        knowledge: nothing, the data, or the model as well.
        labels: poisoned examples keep labels that fit them (clean), do not (dirty), or either.
    """

    goal: Literal["indiscriminate", "targeted", "backdoor"]
    setting: Literal["rows", "training", "model"]
    knowledge: Literal["nothing", "data", "model"]
    labels: Literal["clean", "dirty", "mixed"]


@dataclass(frozen=True)
class Labelled(Generic[Items]):
    """Inputs with their labels.

    Attributes:
        items: n inputs.
        labels: (n,) numbers from 0 to `classes` - 1.
        classes: how many labels there are.
    """

    items: Items
    labels: NDArray[np.int64]
    classes: int


@dataclass(frozen=True)
class Poisoned(Generic[Items]):
    """A set as its victim gets it, and what only the attacker (and whoever measures) knows.

    Attributes:
        data: the set.
        which: (n,) true where an example is the attacker's.
        stamp: puts the trigger on inputs; None where the attack has none.
        target: the label that triggered inputs shall get; None where there is none.
    """

    data: Labelled[Items]
    which: NDArray[np.bool_]
    stamp: Callable[[Items], Items] | None = None
    target: int | None = None
