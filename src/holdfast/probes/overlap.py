"""Overlap of safety and utility in the weights (Wei et al., "Assessing the Brittleness of Safety
Alignment via Pruning and Low-Rank Modifications", ICML 2024, arXiv 2402.05162, section 4.3).

Do refusals and other answers hang on the same weights? Where they do, neither can be taken out, or
frozen, alone.

Equations: Jaccard J(S_u(q), S_s(q)) = |S_u & S_s| / |S_u | S_s| of the top q of each row;
similarity phi(U_u, U_s) = || U_u^T U_s ||_F^2 / k of the top k output directions. By chance J is
near q / (2 - q) and phi is k / R.

Shows a defender: in which layers, and in which half of them, safety is apart from abilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from holdfast.probes.looking import (
    Found,
    Looking,
    Plot,
    Point,
    Probe,
    Share,
    Table,
    mean,
)
from holdfast.probes.masks import count, top
from holdfast.probes.paired import Score, bases, scores


class Overlap(Probe):
    """How much safety and utility share, by layer and half of a layer.

    Attributes:
        score: what a weight's importance is.
        q: top share of each row.
        k: top share of ranks; the paper takes 100 of 4096.
        samples: rows of each kind.
    """

    kind: Literal["overlap"] = "overlap"
    score: Score = "snip"
    q: Share = 0.05
    k: Share = 0.025
    samples: int = Field(128, ge=1)

    paper: ClassVar[str] = "Wei et al., ICML 2024, arXiv 2402.05162"


def overlap(config: Overlap, look: Looking) -> Found:
    """Jaccard and subspace similarity of every matrix, then means."""
    jaccard: dict[str, float] = {}
    similar: dict[str, float] = {}
    chance: list[float] = []
    for linear, safety, utility in scores(config.score, look.contrast(config.samples)):
        ours, theirs = top(safety, config.q), top(utility, config.q)
        union = int((ours | theirs).sum())
        jaccard[linear.path] = int((ours & theirs).sum()) / union if union else 0.0
    for linear, safe, useful in bases(look.contrast(config.samples)):
        k = max(1, count(config.k, safe.rank))
        similar[linear.path] = float((safe.top(k).T @ useful.top(k)).square().sum()) / k
        chance.append(k / safe.rank)
    figures = {
        "jaccard": jaccard,
        "similarity": similar,
        "jaccard_by_chance": config.q / (2 - config.q),
        "similarity_by_chance": mean(chance),
    }
    halves = {
        half: [p for p in similar if ("att" in p) == (half == "attention")] for half in HALVES
    }
    said = tuple(
        f"In {half}, safety and utility share {_of(jaccard, paths):.0%} of their top weights "
        f"(Jaccard) and {_of(similar, paths):.0%} of their top directions."
        for half, paths in halves.items()
    )
    lines = tuple((p, f"{jaccard[p]:.1%}", f"{similar[p]:.1%}") for p in sorted(similar))
    columns = ("matrix", f"Jaccard, top {config.q:.1%}", f"similarity, top {config.k:.1%} ranks")
    shared = tuple(
        Point(name, path, values[path])
        for path in similar
        for name, values in (("weights", jaccard), ("directions", similar))
    )
    plot = Plot(
        "What safety and utility share, matrix by matrix",
        "bars",
        "matrix",
        "shared",
        shared,
        share=True,
    )
    table = Table("Overlap of safety and utility", columns, lines)
    return Found(said, (table,), figures, (plot,))


HALVES = ("attention", "mlp")


def _of(values: dict[str, float], paths: Sequence[str]) -> float:
    return mean([values[p] for p in paths])
