"""Spectral signatures (Tran, Li and Madry, NeurIPS 2018, arXiv 1811.00636).

Poisoned rows of a label share a direction that its other rows lack. Of every label the rows that
lie furthest along the direction of greatest spread are dropped.

Equation: s_i = <h_i - mean_c, v_c>^2 with v_c the top right singular vector of the centred features
of label c; the top `factor` * `expected` of every label go, at most half of it.

Differs from the paper: the expected share is of every label, since nobody says which is poisoned.

Shows a defender: it needs to be told how much poison to expect, and it drops that much from clean
labels, too, so its notes say how much. It fails where the greatest spread of a label is its own, as
with two natural modes; on small classifiers that is the rule. Answered by: look at cube beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from holdfast.scan.filters.filter import Filter, Filtered, Trained
from holdfast.scan.filters.fitness import nothing, unfit

if TYPE_CHECKING:
    from numpy.typing import NDArray


class SpectralSignature(Filter):
    """Drops what lies furthest along the direction of greatest spread.

    Attributes:
        expected: share of a label's rows that may be poisoned.
        factor: times that share are dropped.
        most: share of a label above which nothing is judged: poison is no minority then.
    """

    kind: Literal["spectral_signature"] = "spectral_signature"
    expected: float = Field(0.1, gt=0, le=1)
    factor: float = Field(1.5, ge=1)
    most: float = Field(0.5, gt=0, le=1)

    paper: ClassVar[str] = "Tran, Li and Madry, NeurIPS 2018, arXiv 1811.00636"


def spectral_signature(config: SpectralSignature, seen: Trained) -> Filtered:
    """Flags rows with a large spectral score."""
    if why := unfit(seen):
        return nothing(seen, why)
    share = config.factor * config.expected
    if share >= config.most:
        why = f"{share:.0%} of every label would go: poison near half of a label has no signature"
        return nothing(seen, why)
    flagged, scores = np.zeros(len(seen.labels), bool), np.zeros(len(seen.labels))
    for label in np.unique(seen.labels):
        rows = np.flatnonzero(seen.labels == label)
        scores[rows] = signature(seen.features[rows])
        count = int(share * len(rows))
        flagged[rows[np.argsort(-scores[rows], kind="stable")[:count]]] = True
    note = f"drops {share:.0%} of every label, poisoned or not"
    return Filtered(flagged, scores, notes=(note,))


def signature(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) squared length of every row along the direction of greatest spread.

    Args:
        features: (n, width) of one label.
    """
    centred = features - features.mean(0)
    along: NDArray[np.float64] = (centred @ np.linalg.svd(centred, full_matrices=False)[2][0]) ** 2
    return along
