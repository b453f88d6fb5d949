"""ActSVD: the directions of a matrix's outputs, by how much the answers use them (Wei et al., ICML
2024, arXiv 2402.05162, section 3.2).

Equation: W X = U S V^T, X (d_in, n) the inputs at the answer tokens; Pi = U_r U_r^T keeps r ranks.

Only U and S are wanted, and they are the eigenvectors and the roots of the eigenvalues of the
outputs' second moment W X X^T W^T, which sums over tokens: no activation is kept and nothing is
iterated (the released code keeps all X and runs 20 rounds of a randomised svd). Where d_out > d_in
the moment is taken in the d_in directions that W can write to, W = Q R.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.probes.linears import Linear
from holdfast.probes.streaming import stream

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.chat import Row
    from holdfast.models import Model

DOUBLE = 1024  # largest moment that is summed and decomposed in 64 bits


@dataclass(frozen=True)
class Basis:
    """Output directions of one matrix, the most used first.

    Attributes:
        directions: (d_out, R) orthonormal columns, R = min(d_out, d_in).
        strengths: (R,) singular values of W X, falling.
    """

    directions: Tensor
    strengths: Tensor

    @property
    def rank(self) -> int:
        """R."""
        return self.directions.shape[1]

    def top(self, count: int) -> Tensor:
        """(d_out, count) the most used directions."""
        return self.directions[:, :count]

    def least(self, count: int) -> Tensor:
        """(d_out, count) the least used ones."""
        return self.directions[:, self.rank - count :]


class Moment:
    """Second moment (R, R) of a matrix's outputs."""

    def __init__(self, linear: Linear) -> None:
        import torch

        d_out, d_in = linear.weight.shape
        size = min(d_out, d_in)
        self.kind = torch.float64 if size <= DOUBLE else torch.float32
        self.frame: Tensor | None = None
        if d_out > d_in:
            self.frame = torch.linalg.qr(linear.weight.to(self.kind)).Q
        self.sum = torch.zeros(size, size, dtype=self.kind, device=linear.weight.device)

    def add(self, inputs: Tensor, outputs: Tensor) -> None:
        """Takes the outputs (n, d_out) at some answer tokens."""
        made = outputs.to(self.kind)
        if self.frame is not None:
            made = made @ self.frame
        self.sum.addmm_(made.T, made)

    def basis(self) -> Basis:
        """U and S."""
        import torch

        squares, vectors = torch.linalg.eigh(self.sum)
        vectors = vectors.flip(1)
        if self.frame is not None:
            vectors = self.frame @ vectors
        return Basis(vectors.float(), squares.flip(0).clamp(min=0).sqrt().float())


def actsvd(
    model: Model, rows: Sequence[Row], *, before: bool = False
) -> Iterator[list[tuple[Linear, Basis]]]:
    """The directions of one layer's matrices after another, first layer first.

    With `before`, at the tokens that answer tokens are predicted from; the paper takes these
    themselves.
    """
    for layer in stream(model, rows, Moment, before=before):
        yield [(linear, moment.basis()) for linear, moment in layer]
