"""When a filter should not judge, and why: what all filters ask of a set before they look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from holdfast.scan.filters.filter import Filtered, Trained

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FEWEST_CLEAN", "FEWEST_ROWS", "no_clean", "no_texts", "nothing", "unfit"]

FEWEST_ROWS = 3
"""Rows that a label must have: of two, neither is an outlier."""
FEWEST_CLEAN = 20
"""Clean rows from which a threshold can be set."""


def unfit(seen: Trained) -> str:
    """Why a set cannot be judged by its labels and features; "" where it can."""
    counts = np.bincount(seen.labels, minlength=seen.classes)
    present = np.flatnonzero(counts)
    if len(present) < 2:
        return "there are fewer than two classes, so nothing can look out of place in one"
    small = [label for label in present if counts[label] < FEWEST_ROWS]
    if small:
        return (
            f"label {small[0]} has {counts[small[0]]} rows, and {FEWEST_ROWS} are needed to tell "
            "an outlier from the rest"
        )
    if not bool(np.isfinite(seen.features).all()):
        return "the features hold values that are no numbers"
    if not bool((np.ptp(seen.features, axis=0) > 1e-9).any()):
        return "the features are constant: the model makes the same of every row"
    return ""


def no_texts(seen: Trained) -> str:
    """Why a filter of words cannot judge; "" where it can."""
    return "" if seen.texts is not None else "the rows are no texts"


def no_clean(seen: Trained) -> str:
    """Why no threshold can be set; "" where one can."""
    if len(seen.clean) >= FEWEST_CLEAN:
        return ""
    return (
        f"there are {len(seen.clean)} clean rows in reserve, and {FEWEST_CLEAN} are needed to set "
        "a threshold"
    )


def nothing(seen: Trained, why: str, scores: NDArray[np.float64] | None = None) -> Filtered:
    """No verdict, for a reason."""
    n = len(seen.labels)
    return Filtered(
        flagged=np.zeros(n, bool),
        scores=np.full(n, np.nan) if scores is None else scores,
        unjudged=why,
    )
