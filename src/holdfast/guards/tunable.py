"""A deployed classifier whose weights a guard may copy and tune, whatever its inputs are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from holdfast.errors import UserError
from holdfast.guards.guarded import Guarded

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from holdfast.classifiers.net import TextClassifier

__all__ = ["Tunable", "tunable_text"]

Items = TypeVar("Items")


@dataclass(frozen=True, kw_only=True)
class Tunable(Guarded[Items]):
    """What a guard is given, with the model's weights.

    Attributes:
        net: takes what `encode` gives, gives (n, classes) logits; it is never changed.
        encode: n inputs as a tensor, the first dimension of which is n.
    """

    net: torch.nn.Module
    encode: Callable[[Items], Tensor]


def tunable_text(guarded: Guarded[tuple[str, ...]]) -> Tunable[tuple[str, ...]]:
    """The text classifier that a guard is given, as a module with parameters.

    Raises:
        UserError: there is none, only its answers.
    """
    from holdfast.classifiers.net import TextClassifier

    model = guarded.opened
    if not isinstance(model, TextClassifier):
        raise UserError(
            "backdoor_expert copies and tunes the model, and was given only its answers: give the "
            "model's weights too."
        )
    return Tunable(
        probabilities=guarded.probabilities,
        fit=guarded.fit,
        fit_labels=guarded.fit_labels,
        held=guarded.held,
        seed=guarded.seed,
        opened=model,
        net=_module(model),
        encode=model.read,
    )


def _module(model: TextClassifier) -> torch.nn.Module:
    import torch

    from holdfast.classifiers.net import layers

    names = {name: name.replace(".", "_") for name in model.weights}  # a parameter has no dots

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, weight in model.weights.items():
                self.register_parameter(names[name], torch.nn.Parameter(weight.detach().clone()))

        def forward(self, ids: Tensor) -> Tensor:
            return layers({name: getattr(self, own) for name, own in names.items()}, ids)[2]

    return Module()
