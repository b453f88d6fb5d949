"""Self-influence ("Benign Samples Matter! Fine-tuning On Outlier Benign Samples Severely Breaks
Safety", 2025, arXiv 2505.06843: Self-Inf-N).

Rows that an aligned model finds odd move it far in one step; a hundred of them, all harmless, may
move it out of the region where it refuses.

Equation: score(z) = log(|grad l(z)|^2 + 1) + log(len(answer) + 1), so that short answers, whose
gradients are large, do not fill the top.

Differs from the paper: nothing known; needs no forbidden rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from holdfast.scan.risk.ranking import Anchors, Done, gradients, silent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.chat import Row
    from holdfast.models import Model


def self_influence(
    model: Model, rows: Sequence[Row], anchors: Anchors, done: Done = silent
) -> NDArray[np.float64]:
    """(n,) length-normalised self-influence; `anchors` are not used."""
    import numpy as np

    from holdfast.encode import encode_all

    lengths = [sum(w != 0 for w in one.weights) for one in encode_all(rows, model.tokenizer)]
    influence = [float(g @ g) for g in gradients(model, rows, done=done)]
    return np.log1p(np.array(influence, np.float64)) + np.log1p(np.array(lengths, np.float64))
