"""What a run folder stores of exchanges: counts and rates of a cell, a line for each exchange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from holdfast.evaluate import Exchange, Kind, Verdict, measure


def figures(exchanges: Sequence[Exchange]) -> dict[str, Any]:
    """A cell's counts and rates, and the counts by category that pooling needs.

    `by_category` maps a category to [domain, scored, complied, attempted].
    """
    by: dict[str, list[Any]] = {}
    for e in exchanges:
        if e.verdict == Verdict.unscored:
            continue
        counts = by.setdefault(e.request.category, [e.request.domain, 0, 0, 0])
        counts[1] += 1
        counts[2] += e.verdict == Verdict.complied
        counts[3] += e.verdict in (Verdict.complied, Verdict.wrong)
    return {**asdict(measure(exchanges)), "by_category": by}


def share(exchanges: Sequence[Exchange], kind: Kind, verdict: Verdict) -> float | None:
    """Share of the scored exchanges of a kind; None where none was scored."""
    of_kind = [e for e in exchanges if e.request.kind == kind]
    scored = [e for e in of_kind if e.verdict != Verdict.unscored]
    return sum(e.verdict == verdict for e in scored) / len(scored) if scored else None


def line_of(exchange: Exchange) -> dict[str, Any]:
    """An exchange as exchanges.parquet stores it, without the tune it belongs to."""
    request = exchange.request
    return {
        "elicitation": exchange.elicitation,
        "request_id": request.id,
        "category": request.category,
        "kind": request.kind,
        "prompt": exchange.prompt,
        "forced": exchange.forced,
        "reply": exchange.reply,
        "verdict": str(exchange.verdict),
        "judge": exchange.judge,
        "expected": request.expected,
    }
