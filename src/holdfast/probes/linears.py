"""The weight matrices of a model's layers, by layer; what cannot be scored is refused by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from holdfast.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Linear:
    """One weight matrix of a decoder layer.

    Attributes:
        layer: number of its layer, from 0.
        name: inside its layer, such as `self_attn.q_proj`.
        module: what computes with it.
        transposed: whether the module stores it as (d_in, d_out), as GPT-2's Conv1D does.
    """

    layer: int
    name: str
    module: nn.Module
    transposed: bool = False

    @property
    def path(self) -> str:
        """Where it is, for messages and tables."""
        return f"layers.{self.layer}.{self.name}"

    @property
    def part(self) -> Literal["attention", "mlp"]:
        """The half of the layer it belongs to."""
        return "attention" if "att" in self.name else "mlp"

    @property
    def weight(self) -> Tensor:
        """The matrix (d_out, d_in) as a view: writing to it changes the model."""
        weight: Tensor = self.module.weight.detach()  # type: ignore[operator]
        return weight.T if self.transposed else weight

    @property
    def bias(self) -> Tensor | None:
        """What the module adds to its outputs (d_out,)."""
        bias: Tensor | None = getattr(self.module, "bias", None)
        return None if bias is None else bias.detach()


def linears(net: nn.Module) -> list[list[Linear]]:
    """The matrices of every decoder layer, first layer first, in the order of the layer's modules.

    Fused ones (GPT-NeoX's query_key_value, GPT-2's c_attn) are one matrix each: its rows, which
    scores are compared along, are still those of one query, key or value.

    Raises:
        UserError: a quantised or shared matrix, or a layer without any.
    """
    from holdfast.models import layers

    found = [_of_layer(number, layer) for number, layer in enumerate(layers(net))]
    owner: dict[int, str] = {}
    for one in (linear for layer in found for linear in layer):
        first = owner.setdefault(one.weight.data_ptr(), one.path)
        if first != one.path:
            raise UserError(
                f"{first} and {one.path} share one matrix, so neither can be changed alone: "
                "untie them first."
            )
    return found


def _of_layer(number: int, layer: nn.Module) -> list[Linear]:
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    found = []
    for name, module in layer.named_modules():
        weight = getattr(module, "weight", None)
        if isinstance(module, Conv1D):
            found.append(Linear(number, name, module, transposed=True))
        elif isinstance(module, nn.Linear) or "Linear" in type(module).__name__:
            if weight is None or not weight.is_floating_point() or weight.itemsize < 2:
                raise UserError(
                    f"layers.{number}.{name} is quantised ({type(module).__name__}), so its "
                    "weights have no scores: load the model in 16 or 32 bits."
                )
            found.append(Linear(number, name, module))
    if not found:
        raise UserError(f"Layer {number}, a {type(layer).__name__}, has no linear layers.")
    fused = next((name for name, p in layer.named_parameters() if p.dim() > 2), None)
    if fused is not None:
        raise UserError(
            f"layers.{number}.{fused} holds several matrices in one, as fused experts do, and "
            "probes take plain matrices only: convert the model first."
        )
    return found


@contextmanager
def put_back(of: Iterable[Linear]) -> Iterator[None]:
    """Gives these matrices their old values at the end, whatever was done to them."""
    kept = [(linear, linear.weight.clone()) for linear in of]
    try:
        yield
    finally:
        for linear, weight in kept:
            linear.weight.copy_(weight)


def matching(net: nn.Module) -> Mapping[str, Linear]:
    """A model's matrices by their paths."""
    return {linear.path: linear for layer in linears(net) for linear in layer}
