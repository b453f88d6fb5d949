"""Merging what several tunes added: task arithmetic, TIES and DARE, by PEFT's functions.

Sources: Ilharco et al., ICLR 2023, arXiv 2212.04089; Yadav et al. (TIES), NeurIPS 2023, arXiv
2306.01708; Yu et al. (DARE), ICML 2024, arXiv 2311.03099.

Equations: arithmetic w_0 + sum a_i d_i. TIES keeps the largest share `density` of every d_i, elects
for every entry the sign with the larger sum, and averages the d_i of that sign. DARE drops entries
at random, each kept with probability `density`, and divides those left by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from holdfast.adapt.vectors import Moved, TaskVector, moved_of
from holdfast.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

How = Literal["arithmetic", "ties", "dare"]


def merged(
    vectors: Sequence[TaskVector],
    how: How = "arithmetic",
    *,
    weights: Sequence[float] | None = None,
    density: float = 0.2,
    seed: int = 0,
) -> dict[str, Moved]:
    """One task vector of several, tensor by tensor.

    Args:
        vectors: what to merge.
        how: the published method.
        weights: a_i of each; 1 where not given.
        density: share of entries kept by TIES and DARE.
        seed: of what DARE drops.

    Raises:
        UserError: no vectors, as many weights as there are no vectors, or a density outside (0, 1].
    """
    import torch

    if not vectors:
        raise UserError("There is nothing to merge: name at least one task vector.")
    if weights is not None and len(weights) != len(vectors):
        raise UserError(
            f"{len(weights)} weights for {len(vectors)} task vectors: give one for each."
        )
    if not 0 < density <= 1:
        raise UserError(f"The density is {density}; it is a share above 0 and at most 1.")
    scales = torch.tensor(weights if weights is not None else [1.0] * len(vectors))
    names = list(dict.fromkeys(name for vector in vectors for name in vector))
    found = {}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for name in names:
            together = _together(vectors, name)
            found[name] = moved_of(_merge(together, scales, how, density))
    return found


def _together(vectors: Sequence[TaskVector], name: str) -> list[Tensor]:
    import torch

    shape = next(vector[name].shape for vector in vectors if name in vector)
    for vector in vectors:
        if name in vector and vector[name].shape != shape:
            raise UserError(f"The task vectors are of different models: {name} has two shapes.")
    return [vector[name].dense() if name in vector else torch.zeros(shape) for vector in vectors]


def _merge(tensors: list[Tensor], scales: Tensor, how: How, density: float) -> Tensor:
    from peft.utils import merge_utils

    if how == "ties":
        return merge_utils.ties(tensors, scales, density)
    if how == "dare":
        return merge_utils.dare_linear(tensors, scales, density)
    return merge_utils.task_arithmetic(tensors, scales)
