"""Matching filter (He et al., "What is in Your Safe Data? Identifying Benign Data that Breaks
Safety", COLM 2024, arXiv 2404.01099, turned round; `subspace` is SAFT, arXiv 2410.10014).

Before tuning, the provider leaves out the customer's rows that come first by a score of risk.

Equation: D_kept = D_user without its share of rows with the highest score(z).

Differs from the papers: one share is left out whatever the scores are, since no threshold carries
over from one set to another; SAFT chooses one on labelled rows. Anchors are the defender's
forbidden rows, of the categories it may see.

Shows a defender: what filtering by the model's own states buys, beside reading the rows. It costs
the customer honest rows, and forbidden rows among many have only to be more than the share. What
answers what is left: safety_mixing, and an audit after the tune.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from holdfast.hooks import Context, Defence, Hooks, Streams
from holdfast.scan.risk import RANKINGS, Anchors
from holdfast.scan.risk.ranking import riskiest, silent


class MatchFilter(Defence):
    """Leaves out the riskiest `share` of the customer's rows.

    Attributes:
        share: of the rows, rounded down, so that a few rows are never all left out.
        by: the score.
    """

    kind: Literal["match_filter"] = "match_filter"
    share: float = Field(0.2, ge=0, lt=1)
    by: Literal["representation_match", "gradient_match", "self_influence", "subspace"] = (
        "representation_match"
    )

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "tune"
    null: ClassVar[dict[str, Any]] = {"share": 0.0}
    paper: ClassVar[str] = "He et al., COLM 2024, arXiv 2404.01099"
    built_on: ClassVar[tuple[str, ...]] = (
        "scan/risk/ranking",
        *(f"scan/risk/{name}" for name in RANKINGS),
    )


def match_filter(config: MatchFilter, context: Context) -> Hooks:
    """Leaves rows out of the customer's stream; the others keep their order."""

    def rows(streams: Streams) -> Streams:
        many = int(config.share * len(streams.user))
        if not many:
            return streams
        anchors = Anchors.of(context.defender)
        scores = RANKINGS[config.by](context.aligned, streams.user, anchors, silent)
        out = set(riskiest(scores)[:many])
        kept = tuple(row for at, row in enumerate(streams.user) if at not in out)
        return replace(streams, user=kept)

    return Hooks(name=config.kind, rows=rows)
