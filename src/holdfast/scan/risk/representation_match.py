"""Representation matching (He et al., "What is in Your Safe Data? Identifying Benign Data that
Breaks Safety", COLM 2024, arXiv 2404.01099).

Benign rows that look to the model like forbidden ones pull it where forbidden ones would.

Equation: score(z) = 1/|D_harm| sum over a in D_harm of cos(h(z), h(a)), h the last layer's hidden
state at the last token of the row.

Differs from the paper: rows are ranked by their mean similarity to all anchors, where the paper
takes the nearest rows of every anchor in turn.
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

ANCHORS = 100


def representation_match(
    model: Model, rows: Sequence[Row], anchors: Anchors, done: Done = silent
) -> NDArray[np.float64]:
    """(n,) mean cosine with the hidden states of forbidden rows."""
    from torch.nn.functional import normalize

    harmful, _ = anchors.first(ANCHORS)
    near = normalize(last_states(model, harmful), dim=1)
    found = normalize(last_states(model, rows, done), dim=1)
    return (found @ near.T).mean(1).double().numpy()
