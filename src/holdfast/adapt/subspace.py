"""Where alignment moved a model's matrices: what SafeLoRA projects onto and AsFT stays near
(arXiv 2405.16833 and 2506.08473).

Equations, V = W_aligned - W_base of one matrix (d_out, d_in): as published C = V V^T / ||V||_F; as
a true projector C = U_k U_k^T, U_k the first k left singular vectors of V. The published C is no
projector: its size follows V, so with a small V it nearly erases what it is applied to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from holdfast.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.hooks import Context
    from holdfast.models import Model
    from holdfast.probes.linears import Linear

Form = Literal["published", "projector"]
SUBSPACE = ("adapt/subspace", "probes/linears")
"""Modules that decide what C is."""


def base_of(context: Context, method: str) -> Model:
    """The model before alignment.

    Raises:
        UserError: there is none.
    """
    if context.base is None:
        raise UserError(
            f"{method} compares the aligned model with the one before alignment, and there is "
            "none: name it (--base)."
        )
    return context.base


def subspaces(
    aligned: Model, base: Model, form: Form = "published", rank: int | None = None
) -> list[tuple[Linear, Tensor]]:
    """Every matrix of the aligned model's layers that alignment moved, with its C (d_out, d_out).

    Args:
        aligned: read only.
        base: the same model before alignment; read only.
        form: which C.
        rank: k of the projector; None takes all directions in which V is not zero.

    Raises:
        UserError: the models have different shapes, or alignment moved no matrix.
    """
    from holdfast.probes.linears import linears, matching
    from holdfast.probes.looking import refuse_strangers

    refuse_strangers(aligned, base)
    before = matching(base.net)
    found = []
    for linear in (linear for layer in linears(aligned.net) for linear in layer):
        moved = linear.weight - before[linear.path].weight.to(linear.weight)
        if bool(moved.any()):
            found.append((linear, subspace(moved, form, rank)))
    if not found:
        raise UserError(
            f"{aligned.name} and {base.name} have the same matrices, so alignment has no "
            "directions: name the model before alignment (--base)."
        )
    return found


def subspace(moved: Tensor, form: Form = "published", rank: int | None = None) -> Tensor:
    """C (d_out, d_out) of what alignment added to one matrix, V (d_out, d_in).

    Raises:
        UserError: alignment added nothing.
    """
    import torch

    if not bool(moved.any()):
        raise UserError("Alignment did not move this matrix, so it has no directions there.")
    if form == "published":
        published: Tensor = moved @ moved.T / torch.linalg.matrix_norm(moved)
        return published
    left, sizes, _ = torch.linalg.svd(moved.float(), full_matrices=False)
    least = sizes[0] * max(moved.shape) * torch.finfo(sizes.dtype).eps
    kept = int((sizes > least).sum())
    main: Tensor = left[:, : kept if rank is None else min(rank, kept)]
    return (main @ main.T).to(moved)
