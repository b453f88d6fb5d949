"""CUBE (Cui et al., "A Unified Evaluation of Textual Backdoor Learning: Frameworks and Benchmarks",
NeurIPS 2022, arXiv 2206.08514): cluster what the model makes of all rows, keep one cluster a label.

A model trained on the poisoned set holds triggered rows apart from the others of their label. The
rows are clustered by hidden state; of every label the largest cluster stays, and whoever uses the
filter trains again from scratch on what is left.

Equation: z = HDBSCAN(PCA_k(h(x))); row i of label c is dropped if z_i is not the largest cluster of
c and holds less than `share` of the rows of c.

Differs from the paper: it reduces PCA-20 by UMAP to 2 dimensions (n_neighbors 100, min_dist 0, seed
42) and takes min_samples 100 on thousands of rows. UMAP is an extra package here (`umap=true`), and
the defaults suit a thousand rows without it. Rows in no cluster are given to the nearest one, so
that fewer clean rows are lost; `noise="drop"` counts them as one cluster, as the paper does. Where
the second cluster of a label is nearly as large as the first there is no telling which is planted,
and where two labels share their largest cluster the clusters say nothing; both are said.

Shows a defender: no clean rows and no knowledge of the trigger are needed, but an encoder that was
trained before it saw these labels, as the paper's RoBERTa was: it places a triggered row by what
the row is about. A small model trained from scratch moves such rows to their false label, and the
filter finds few of them. Clean-label poison is about what its label says, so it passes; poison of
half a class is the majority.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from holdfast.errors import UserError
from holdfast.scan.filters.filter import Filter, Filtered, Trained
from holdfast.scan.filters.fitness import nothing, unfit

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOISE = -1


class Cube(Filter):
    """Clusters all rows and keeps one cluster a label.

    Attributes:
        components: dimensions that PCA leaves; 20 in the paper, before UMAP.
        umap: whether UMAP then leaves two, as in the paper.
        n_neighbors: of UMAP.
        min_samples: of HDBSCAN; 100 in the paper.
        min_cluster_size: of HDBSCAN; 5 in the paper.
        share: a cluster with this share of a label's rows stays in any case.
        noise: whether rows in no cluster are dropped, as in the paper, or given to the nearest.
        near_half: a second cluster with this share of a label's rows ends all judging.
    """

    kind: Literal["cube"] = "cube"
    components: int = Field(5, ge=1)
    umap: bool = False
    n_neighbors: int = Field(100, ge=2)
    min_samples: int = Field(20, ge=1)
    min_cluster_size: int = Field(20, ge=2)
    share: float = Field(0.5, gt=0, le=1)
    noise: Literal["drop", "nearest"] = "nearest"
    near_half: float = Field(0.4, gt=0, le=0.5)

    paper: ClassVar[str] = "Cui et al., NeurIPS 2022, arXiv 2206.08514"


def cube(config: Cube, seen: Trained) -> Filtered:
    """Flags rows outside the largest cluster of their label."""
    if why := unfit(seen):
        return nothing(seen, why)
    places = reduced(config, seen.features, seen.seed)
    clusters = clustered(config, places)
    if len(set(clusters.tolist()) - {NOISE}) < 2:
        return nothing(seen, "the rows form fewer than two clusters: one mode, or none, rules all")
    flagged, notes, why = kept(config, clusters, seen.labels)
    if why:
        return nothing(seen, why)
    return Filtered(flagged, distances(places, seen.labels, flagged), notes=notes)


def reduced(config: Cube, features: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """(n, few) the rows in the space in which they are clustered."""
    from sklearn.decomposition import PCA

    components = min(config.components, *features.shape)
    places: NDArray[np.float64] = PCA(components, random_state=seed).fit_transform(features)
    if not config.umap:
        return places
    try:
        from umap import UMAP  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise UserError(
            "cube(umap=true) needs the package umap-learn: install it, or leave umap out."
        ) from None
    return np.asarray(
        UMAP(n_neighbors=config.n_neighbors, min_dist=0.0, random_state=seed).fit_transform(places),
        dtype=np.float64,
    )


def clustered(config: Cube, places: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) the cluster of every row; -1 for rows in none."""
    from sklearn.cluster import HDBSCAN
    from sklearn.neighbors import NearestNeighbors

    method = HDBSCAN(
        min_samples=min(config.min_samples, len(places)),
        min_cluster_size=config.min_cluster_size,
        copy=True,
    )
    clusters: NDArray[np.int64] = method.fit_predict(places).astype(np.int64)
    alone = clusters == NOISE
    if config.noise == "nearest" and alone.any() and not alone.all():
        index = NearestNeighbors(n_neighbors=1).fit(places[~alone])
        nearest = index.kneighbors(places[alone], return_distance=False)[:, 0]
        clusters[alone] = clusters[~alone][nearest]
    return clusters


def kept(
    config: Cube, clusters: NDArray[np.int64], labels: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], tuple[str, ...], str]:
    """Which rows go, a note on every label, and why the clusters should not be judged by."""
    flagged = np.zeros(len(labels), bool)
    notes: list[str] = []
    owners: dict[int, int] = {}
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        found, counts = np.unique(clusters[rows], return_counts=True)
        sizes = {int(c): int(k) for c, k in zip(found, counts, strict=True) if c != NOISE}
        if not sizes:
            return flagged & False, (), f"no row of label {label} belongs to a cluster"
        ranked = sorted(sizes.values(), reverse=True)
        shares = [size / len(rows) for size in ranked]
        if len(shares) > 1 and shares[1] >= config.near_half:
            return (
                flagged,
                (),
                (
                    f"label {label} falls into clusters of {shares[0]:.0%} and {shares[1]:.0%} of "
                    "its rows: poison may be near half of it, and which one is planted cannot be "
                    "told"
                ),
            )
        largest = max(sizes, key=lambda cluster: sizes[cluster])
        if (other := owners.setdefault(largest, int(label))) != label:
            why = f"labels {other} and {label} have their largest cluster in common: one mode rules"
            return flagged & False, (), why
        for cluster, count in zip(found, counts, strict=True):
            if cluster != largest and count < config.share * len(rows):
                flagged[rows[clusters[rows] == cluster]] = True
        notes.append(f"label {label}: largest of {len(sizes)} clusters has {shares[0]:.0%}")
    return flagged, tuple(notes), ""


def distances(
    places: NDArray[np.float64], labels: NDArray[np.int64], flagged: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(n,) how far every row is from the middle of what stays of its label."""
    far = np.full(len(labels), np.nan)
    for label in np.unique(labels):
        rows = labels == label
        stays = rows & ~flagged
        middle = places[stays if stays.any() else rows].mean(0)
        far[rows] = np.linalg.norm(places[rows] - middle, axis=1)
    return far
