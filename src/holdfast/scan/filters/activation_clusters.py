"""Activation clustering (Chen et al., SafeAI at AAAI 2019, arXiv 1811.03728).

The rows of every label are divided into two by what the model makes of them. A clear division with
one part small is what a trigger leaves; the small part is dropped.

Equation: (A, B) = 2-means(PCA_10(h(x))) within label c; the smaller goes if |A| / |c| < `most` and
the division's silhouette is at least `silhouette`.

Differs from the paper: PCA instead of ICA, which on small sets does not always converge. Both of
the paper's signs, relative size and silhouette, must hold.

Shows a defender: a cheap look at every label. Where no label divides clearly the filter does not
judge; poison of near half of a label looks like two natural modes, which the notes name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from holdfast.scan.filters.filter import Filter, Filtered, Trained
from holdfast.scan.filters.fitness import nothing, unfit

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ActivationClusters(Filter):
    """Divides every label in two and drops a small part.

    Attributes:
        components: dimensions that PCA leaves.
        most: share of a label that is still called small.
        silhouette: how clear a division must be, from -1 to 1.
    """

    kind: Literal["activation_clusters"] = "activation_clusters"
    components: int = Field(10, ge=1)
    most: float = Field(0.35, gt=0, lt=0.5)
    silhouette: float = Field(0.15, ge=-1, le=1)

    paper: ClassVar[str] = "Chen et al., SafeAI at AAAI 2019, arXiv 1811.03728"


def activation_clusters(config: ActivationClusters, seen: Trained) -> Filtered:
    """Flags the small part of labels that divide clearly."""
    if why := unfit(seen):
        return nothing(seen, why)
    flagged, scores = np.zeros(len(seen.labels), bool), np.zeros(len(seen.labels))
    notes, clear = [], 0
    for label in np.unique(seen.labels):
        rows = np.flatnonzero(seen.labels == label)
        small, closeness, silhouette = divided(config, seen.features[rows], seen.seed)
        scores[rows] = closeness
        share = float(small.mean())
        notes.append(f"label {label}: {share:.0%} apart, silhouette {silhouette:.2f}")
        if silhouette < config.silhouette:
            continue
        if share < config.most:
            flagged[rows[small]] = True
            clear += 1
        else:
            notes.append(f"label {label}: two natural modes, or poison near half of it")
    if not clear:
        return nothing(seen, "no label divides into a large and a small part: " + "; ".join(notes))
    return Filtered(flagged, scores, notes=tuple(notes))


def divided(
    config: ActivationClusters, features: NDArray[np.float64], seed: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64], float]:
    """Which rows are in the smaller of two parts, how close to it each is, and the silhouette."""
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.metrics import silhouette_score

    n = len(features)
    if not bool((np.ptp(features, axis=0) > 1e-9).any()):
        return np.zeros(n, bool), np.zeros(n), -1.0
    places = PCA(min(config.components, *features.shape), random_state=seed).fit_transform(features)
    means = KMeans(2, n_init=10, random_state=seed).fit(places)
    one = means.labels_ == 1
    smaller = int(one.mean() <= 0.5)
    small = one if smaller else ~one
    far = means.transform(places)
    return small, far[:, 1 - smaller] - far[:, smaller], float(silhouette_score(places, small))
