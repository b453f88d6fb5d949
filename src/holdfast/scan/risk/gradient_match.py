"""Gradient matching (He et al., "What is in Your Safe Data? Identifying Benign Data that Breaks
Safety", COLM 2024, arXiv 2404.01099).

Benign rows whose gradients point where forbidden rows point, and away from refusals, break a model
by the same steps.

Equation: score(z) = cos(g(z), d), d = u(H) - u(S1) - u(S2), u(A) the mean unit gradient over
anchors A: 10 forbidden rows H, and two sets of 10 refusals S1 and S2; g over the first 10 tokens of
the answer.

Differs from the paper: gradients are of all weights, not projected; the anchors are the policy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from holdfast.scan.risk.ranking import Anchors, Done, gradients, silent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from holdfast.chat import Row
    from holdfast.models import Model

ANCHORS = 10
OPENING = 10
"""Tokens of the answer whose gradient counts."""


def gradient_match(
    model: Model, rows: Sequence[Row], anchors: Anchors, done: Done = silent
) -> NDArray[np.float64]:
    """(n,) cosine with the gradient of forbidden rows less that of refusals."""
    import numpy as np

    harmful, safe = anchors.first(ANCHORS, safe=2 * ANCHORS)
    direction = _mean_unit(model, harmful)
    for part in (safe[::2], safe[1::2]):
        if part:
            direction = direction - _mean_unit(model, part)
    direction = direction / direction.norm()
    found = [
        float(g @ direction / g.norm()) for g in gradients(model, rows, first=OPENING, done=done)
    ]
    return np.array(found, np.float64)


def _mean_unit(model: Model, rows: Sequence[Row]) -> Tensor:
    import torch

    total = torch.zeros(())
    for gradient in gradients(model, rows, first=OPENING):
        total = total + gradient / gradient.norm()
    return total / len(rows)
