"""Rows ranked by what tuning a given model on them may do to its refusals: one file a method.

Unlike scanners these need the model, and say no more than which rows come first: benign rows that
break safeguards look like any other. A line in `RANKINGS` registers one.
"""

from __future__ import annotations

from holdfast.scan.risk.gradient_match import gradient_match
from holdfast.scan.risk.ranking import Anchors, Ranking
from holdfast.scan.risk.representation_match import representation_match
from holdfast.scan.risk.response_clusters import response_clusters
from holdfast.scan.risk.self_influence import self_influence
from holdfast.scan.risk.subspace import subspace

RANKINGS: dict[str, Ranking] = {
    ranking.__name__: ranking
    for ranking in (
        representation_match,
        gradient_match,
        self_influence,
        subspace,
        response_clusters,
    )
}

__all__ = ["RANKINGS", "Anchors", "Ranking"]
