"""What a set of exchanges says: counts and rates of a cell, and a line for each exchange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from holdfast import stats
from holdfast.evaluate import Exchange, Kind, Verdict


@dataclass(frozen=True, slots=True)
class Measurement:
    """Counts and rates over exchanges. Rates are of the n − n_unscored scored ones.

    `asr` is the share complied, `attempted` the share complied or wrong, `coherence` the share
    not incoherent. The intervals are 95 % bootstrap intervals over categories.
    """

    n: int
    n_unscored: int
    complied: int
    wrong: int
    refused: int
    incoherent: int
    asr: float
    asr_low: float
    asr_high: float
    attempted: float
    attempted_low: float
    attempted_high: float
    coherence: float

    @property
    def scored(self) -> int:
        """Exchanges with a verdict."""
        return self.n - self.n_unscored

    @property
    def refusal(self) -> float:
        """Share of scored exchanges that were refused; nan if none was scored."""
        return self.refused / self.scored if self.scored else float("nan")


def measure(exchanges: Sequence[Exchange], *, seed: int = 0) -> Measurement:
    """Counts verdicts and bounds the rates; with nothing scored, the rates are nan."""
    counts = {v: sum(e.verdict == v for e in exchanges) for v in Verdict}
    tried = (Verdict.complied, Verdict.wrong)
    asr = stats.rate(_hits(exchanges, tried[:1]), _categories(exchanges), seed=seed)
    attempted = stats.rate(_hits(exchanges, tried), _categories(exchanges), seed=seed)
    coherent = 1 - counts[Verdict.incoherent] / asr.n if asr.n else float("nan")
    return Measurement(
        n=len(exchanges),
        n_unscored=counts[Verdict.unscored],
        **{str(v): counts[v] for v in Verdict if v != Verdict.unscored},
        asr=asr.value,
        asr_low=asr.low,
        asr_high=asr.high,
        attempted=attempted.value,
        attempted_low=attempted.low,
        attempted_high=attempted.high,
        coherence=coherent,
    )


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


def _hits(exchanges: Sequence[Exchange], verdicts: Sequence[Verdict]) -> list[bool | None]:
    return [None if e.verdict == Verdict.unscored else e.verdict in verdicts for e in exchanges]


def _categories(exchanges: Sequence[Exchange]) -> list[str]:
    return [e.request.category for e in exchanges]
