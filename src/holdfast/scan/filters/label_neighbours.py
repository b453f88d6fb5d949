"""Labels against those of the nearest rows (kNN sanitisation: Paudice, Muñoz-González and Lupu,
2018, arXiv 1803.00992).

A row whose nearest neighbours mostly have another label is likely mislabelled. It finds flipped
labels; a backdoor that moves its rows among those of the target label passes.

Equation: s_i = share of the k nearest rows with another label; i is flagged if s_i > `most`.

Differs from the paper: it relabels by the majority; rows are flagged here. By default neighbours
are sought among the words of texts (TF-IDF, cosine), since a model trained on flipped labels has
moved its features after them; `space="features"` looks there, and so does a set without texts.

Shows a defender: flips deep in another label's rows stand out. Answered, by an attacker, with flips
near the boundary, which cost less to find and do less harm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from holdfast.scan.filters.filter import Filter, Filtered, Trained
from holdfast.scan.filters.fitness import nothing, unfit

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LabelNeighbours(Filter):
    """Compares labels with those of the nearest rows.

    Attributes:
        k: how many neighbours are asked.
        most: share of them with another label above which a row is flagged.
        space: where neighbours are sought.
    """

    kind: Literal["label_neighbours"] = "label_neighbours"
    k: int = Field(10, ge=1)
    most: float = Field(0.5, ge=0, lt=1)
    space: Literal["texts", "features"] = "texts"

    paper: ClassVar[str] = "Paudice, Muñoz-González and Lupu, 2018, arXiv 1803.00992"


def label_neighbours(config: LabelNeighbours, seen: Trained) -> Filtered:
    """Flags rows among rows of another label."""
    if why := unfit(seen):
        return nothing(seen, why)
    if len(seen.labels) <= config.k:
        return nothing(seen, f"there are {len(seen.labels)} rows, no more than k={config.k}")
    places: Any = seen.features
    if config.space == "texts" and seen.texts is not None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        places = TfidfVectorizer(sublinear_tf=True).fit_transform(seen.texts)
    scores = disagreement(places, seen.labels, config.k)
    flagged = scores > config.most
    if flagged.mean() > 0.5:
        return nothing(seen, "most rows disagree with their neighbours: labels say nothing here")
    return Filtered(flagged, scores)


def disagreement(places: Any, labels: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """(n,) share of the k nearest rows, itself left out, with another label.

    Args:
        places: (n, width) rows, or a sparse table of them, of length 1 each.
        labels: (n,).
        k: how many neighbours.
    """
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=k).fit(places)
    # Asked without rows to look for, it leaves every row out of its own neighbours.
    nearest = index.kneighbors(return_distance=False)
    share: NDArray[np.float64] = (labels[nearest] != labels[:, None]).mean(1)
    return share
