"""Where a poisoning is tried: a world of inputs, and a small classifier that learns them.

The harbour notes are texts of four topics, the digits are images of ten classes; both classifiers
are trained from scratch in seconds. `cell` asks nothing about which of the two it has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from holdfast.guards.guarded import Guarded
from holdfast.guards.tunable import Tunable
from holdfast.poisoned import Labelled, Poisoned
from holdfast.scan.filters.filter import Trained

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["GROUNDS", "Ground", "Model", "digits_of", "notes_of"]

Items = TypeVar("Items")


class Model(Protocol):
    """A trained classifier."""

    def predict(self, items: Any) -> NDArray[np.int64]: ...

    def probabilities(self, items: Any) -> NDArray[np.float64]: ...


@dataclass(frozen=True)
class Ground(Generic[Items]):
    """A world of inputs and its classifier.

    Attributes:
        train: what a model is trained on, and an attacker may poison.
        test: what every figure is measured on.
        poisons: the attackers that work here.
        trained: a model of a set, from a seed, and what filters may see of both; the last argument
            asks for one that knew words before, where there is such a one.
        guarded: what guards are given of a deployed model.
        part: some of the inputs, by (n,) which.
        shown: how much a trigger shows; None where nobody measures it.
    """

    train: Labelled[Items]
    test: Labelled[Items]
    poisons: dict[type[Any], Callable[..., Poisoned[Items]]]
    trained: Callable[[Labelled[Items], int, bool], tuple[Model, Trained]]
    guarded: Callable[[Any, int], Guarded[Items]]
    part: Callable[[Items, NDArray[np.bool_]], Items]
    shown: Callable[[Items, Items], dict[str, Any]] | None = None

    def fit(self, data: Labelled[Items], seed: int) -> Model:
        """A model of a set."""
        return self.trained(data, seed, False)[0]

    def left(self, data: Labelled[Items], flagged: NDArray[np.bool_]) -> Labelled[Items]:
        """The rows that a filter leaves."""
        return Labelled(self.part(data.items, ~flagged), data.labels[~flagged], data.classes)


def notes_of(seed: int, classes: int = 4) -> Ground[tuple[str, ...]]:
    """Harbour notes of some topics."""
    from holdfast.attacks.poison import POISONS
    from holdfast.classifiers.likeness import likeness
    from holdfast.classifiers.net import READER, TextClassifier, trained
    from holdfast.classifiers.ngram import language
    from holdfast.classifiers.notes import corpus

    notes = corpus(classes, seed=seed)
    reserve = notes.fit.items + notes.held.items

    def learnt(
        data: Labelled[tuple[str, ...]], number: int, encoder: bool
    ) -> tuple[Model, Trained]:
        return trained(data, READER if encoder else None, clean=reserve, seed=number)

    def guarded(model: TextClassifier, number: int) -> Guarded[tuple[str, ...]]:
        return Guarded(
            probabilities=model.probabilities,
            fit=notes.fit.items,
            fit_labels=notes.fit.labels,
            held=notes.held.items,
            opened=model,
            seed=number,
        )

    def shown(plain: tuple[str, ...], stamped: tuple[str, ...]) -> dict[str, Any]:
        return dict(vars(likeness(plain, stamped, language(notes.fit.items))))

    return Ground(
        train=notes.train,
        test=notes.test,
        poisons=POISONS,
        trained=learnt,
        guarded=guarded,
        part=lambda items, which: tuple(t for t, so in zip(items, which, strict=True) if so),
        shown=shown,
    )


def digits_of(seed: int) -> Ground[Any]:
    """Handwritten digits."""
    from holdfast.vision.blending import superimposed
    from holdfast.vision.digits import digits
    from holdfast.vision.network import Fitted, encode, fit, trained
    from holdfast.vision.poison import IMAGE_POISONS

    data = digits(seed)

    def learnt(own: Labelled[Any], number: int, _: bool) -> tuple[Model, Trained]:
        model = fit(own, number)
        return model, trained(model, own, number)

    def guarded(model: Fitted, number: int) -> Tunable[Any]:
        return Tunable(
            probabilities=model.probabilities,
            fit=data.reserve.items,
            fit_labels=data.reserve.labels,
            held=data.held.items,
            blend=superimposed(data.reserve.items),
            seed=number,
            net=model.net,
            encode=encode,
        )

    return Ground(
        train=data.train,
        test=data.test,
        poisons=IMAGE_POISONS,
        trained=learnt,
        guarded=guarded,
        part=lambda items, which: items[which],
    )


GROUNDS: dict[str, Callable[[int], Ground[Any]]] = {
    "texts": notes_of,
    "two texts": partial(notes_of, classes=2),
    "images": digits_of,
}
