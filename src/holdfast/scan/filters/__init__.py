"""Filters of training data: one file per published method. A line in `FILTERS` registers one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.scan.filters.activation_clusters import ActivationClusters, activation_clusters
from holdfast.scan.filters.cube import Cube, cube
from holdfast.scan.filters.filter import Filter, Filtered, Trained
from holdfast.scan.filters.first_learned import FirstLearned, first_learned
from holdfast.scan.filters.keyword_influence import KeywordInfluence, keyword_influence
from holdfast.scan.filters.label_neighbours import LabelNeighbours, label_neighbours
from holdfast.scan.filters.perplexity_outlier import PerplexityOutlier, perplexity_outlier
from holdfast.scan.filters.spectral_signature import SpectralSignature, spectral_signature

# Every function takes (config, seen); the config's type differs, hence Any.
FILTERS: dict[type[Filter], Callable[[Any, Trained], Filtered]] = {
    Cube: cube,
    SpectralSignature: spectral_signature,
    ActivationClusters: activation_clusters,
    KeywordInfluence: keyword_influence,
    PerplexityOutlier: perplexity_outlier,
    LabelNeighbours: label_neighbours,
    FirstLearned: first_learned,
}

__all__ = [
    "FILTERS",
    "ActivationClusters",
    "Cube",
    "FirstLearned",
    "KeywordInfluence",
    "LabelNeighbours",
    "PerplexityOutlier",
    "SpectralSignature",
]
