"""Wanda: a weight's size times the norm of what it is multiplied with (Sun et al., ICLR 2024, arXiv
2306.11695; on answer tokens alone: Wei et al., ICML 2024, arXiv 2402.05162).

Equation: I(W) = |W| * (1 ||X||_2^T), X (d_in, n) the inputs at the answer tokens.
The released code divides X by the root of the number of rows, which changes no order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from holdfast.probes.linears import Linear
from holdfast.probes.streaming import stream

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.chat import Row
    from holdfast.models import Model

Scores = list[tuple[Linear, "Tensor"]]


class Norms:
    """Sum of squares (d_in,) of a matrix's inputs."""

    def __init__(self, linear: Linear) -> None:
        self.squares: Tensor | float = 0.0

    def add(self, inputs: Tensor, outputs: Tensor) -> None:
        """Takes the inputs (n, d_in) of some answer tokens."""
        self.squares = self.squares + inputs.double().square().sum(0)


def wanda(model: Model, rows: Sequence[Row], *, before: bool = False) -> Iterator[Scores]:
    """The scores (d_out, d_in) of one layer's matrices after another, first layer first.

    With `before`, at the tokens that answer tokens are predicted from; the papers take these
    themselves.
    """
    for layer in stream(model, rows, Norms, before=before):
        yield [(linear, score(linear, norms)) for linear, norms in layer]


def score(linear: Linear, norms: Norms) -> Tensor:
    """I(W)."""
    import torch

    norm = torch.as_tensor(norms.squares).sqrt().float()
    return linear.weight.float().abs() * norm
