r"""The safety-critical weights S(p, q) of a whole model, for those who zero or freeze them.

Equation (Wei et al., ICML 2024, arXiv 2402.05162): S(p, q) = S_s(q) \ S_u(p).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.probes.linears import Linear
from holdfast.probes.looking import Contrast
from holdfast.probes.masks import set_difference
from holdfast.probes.paired import Score, scores

if TYPE_CHECKING:
    from torch import Tensor

SCORING = tuple(
    f"probes/{name}"
    for name in ("critical", "linears", "masks", "paired", "snip", "streaming", "wanda")
)
"""Modules that decide which weights these are."""


def critical(
    contrast: Contrast, p: float, q: float, *, score: Score = "snip", before: bool = False
) -> list[tuple[Linear, Tensor]]:
    """Every matrix with the mask (d_out, d_in) of its critical weights; nothing is changed.

    A list and no iterator: scores of one layer must not see what was done to another.
    """
    return [
        (linear, set_difference(safety, utility, p, q))
        for linear, safety, utility in scores(score, contrast, before=before)
    ]
