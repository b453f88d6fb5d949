r"""Which weights to take: the top share of a score, by row or by matrix, and what is left of it.

Equation (Wei et al., 2402.05162): S(p, q) = S_s(q) \ S_u(p), the top q of each row by the safety
score without the top p by the utility score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, Tensor


def count(share: float, of: int) -> int:
    """How many of `of` things a share is: whole ones, as in the released code."""
    return int(share * of + 1e-9)


def top(score: Tensor, share: float, *, by_matrix: bool = False) -> Tensor:
    """The weights of the highest scores, as a mask (d_out, d_in).

    Args:
        score: (d_out, d_in).
        share: of every row; of the whole matrix with `by_matrix`, as the released code has it.
        by_matrix: whether rows compete.
    """
    import torch

    flat = score.reshape(1, -1) if by_matrix else score
    chosen = flat.topk(count(share, flat.shape[1]), dim=1).indices
    mask = torch.zeros_like(flat, dtype=torch.bool).scatter_(1, chosen, True)
    return mask.reshape(score.shape)


def set_difference(
    safety: Tensor, utility: Tensor, p: float, q: float, *, by_matrix: bool = False
) -> Tensor:
    """S(p, q) as a mask (d_out, d_in)."""
    return top(safety, q, by_matrix=by_matrix) & ~top(utility, p, by_matrix=by_matrix)


def as_many(score: Tensor, mask: Tensor, *, by_matrix: bool = False) -> Tensor:
    """As many weights of the highest scores as the mask has, in every row or over the matrix."""
    if by_matrix:
        return top(score, int(mask.sum()) / mask.numel(), by_matrix=True)
    order = score.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    return order < mask.sum(1, keepdim=True)


def at_random(mask: Tensor, generator: Generator) -> Tensor:
    """As many weights in every row as the mask has, drawn at random."""
    import torch

    return as_many(torch.rand(mask.shape, generator=generator).to(mask.device), mask)
