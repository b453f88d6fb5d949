"""How sure a linear model is of each label, and what it thinks least of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def margins_of(
    model: Any, table: Any, labels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(n,) the margin of every label, and (n,) the least likely label.

    Equation: margin_i = s(x_i)_{y_i} - max_{c != y_i} s(x_i)_c, s the log-probabilities.

    Args:
        model: a classifier of scikit-learn's, which is fitted here.
        table: (n, columns) inputs, sparse or not.
        labels: (n,) their labels.
    """
    scores = model.fit(table, labels).predict_log_proba(table)
    rows, own = np.arange(len(labels)), np.searchsorted(model.classes_, labels)
    others = scores.copy()
    others[rows, own] = -np.inf
    return scores[rows, own] - others.max(axis=1), model.classes_[scores.argmin(axis=1)]
