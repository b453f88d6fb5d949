"""The direction a mixed set varies along most (Choi et al., "Safety-Aware Fine-Tuning of Large
Language Models", 2024, arXiv 2410.10014: SAFT).

Where a set holds forbidden rows among harmless ones, the first singular vector of its hidden states
tends to be what tells them apart.

Equation: score(z) = <h(z) - mean h, v>^2, v the first right singular vector of the centred states.

Differs from the paper: states are of the last layer at the last token, one singular vector is
used, and no threshold is chosen, which would take labelled rows. It says which rows are far out
along one direction; whether that direction is harm, it cannot know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from holdfast.scan.risk.ranking import Anchors, Done, last_states, silent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.chat import Row
    from holdfast.models import Model


def subspace(
    model: Model, rows: Sequence[Row], anchors: Anchors, done: Done = silent
) -> NDArray[np.float64]:
    """(n,) squared projection on the set's first singular vector; `anchors` are not used."""
    import torch

    states = last_states(model, rows, done).double()
    states = states - states.mean(0)
    v = torch.linalg.svd(states, full_matrices=False).Vh[0]
    scores: NDArray[np.float64] = ((states @ v) ** 2).numpy()
    return scores
