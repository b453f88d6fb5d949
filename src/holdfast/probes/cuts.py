"""Taking weights out of a model for a while: setting them to zero, or back to another model's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.probes.linears import Linear

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Cut:
    """Weights of one matrix.

    Attributes:
        linear: the matrix.
        rows: (k,) row of each weight; kept small, since a cut is a small part of a model.
        columns: (k,) column of each weight.
    """

    linear: Linear
    rows: Tensor
    columns: Tensor

    @property
    def size(self) -> int:
        """How many weights."""
        return len(self.rows)


def cut_of(linear: Linear, mask: Tensor) -> Cut:
    """The weights of a mask (d_out, d_in)."""
    rows, columns = mask.nonzero(as_tuple=True)
    return Cut(linear, rows.int(), columns.int())


def share_of(cuts: Sequence[Cut], of: Sequence[Sequence[Linear]]) -> float:
    """The share that the cuts are of all matrices of the layers."""
    total = sum(linear.weight.numel() for layer in of for linear in layer)
    return sum(cut.size for cut in cuts) / total


@contextmanager
def taken(cuts: Sequence[Cut], instead: Mapping[str, Linear] | None = None) -> Iterator[None]:
    """The model without these weights; they come back at the end.

    Args:
        cuts: what to take.
        instead: another model's matrices by path, whose weights are put there; None puts zeros.
    """
    kept = []
    try:
        for cut in cuts:
            at = (cut.rows.long(), cut.columns.long())
            kept.append(cut.linear.weight[at].clone())
            cut.linear.weight[at] = instead[cut.linear.path].weight[at] if instead else 0.0
        yield
    finally:
        for cut, old in zip(cuts, kept, strict=False):
            cut.linear.weight[cut.rows.long(), cut.columns.long()] = old
