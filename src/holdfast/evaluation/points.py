"""Single verdicts as points: what rates, intervals, paired tests and agreement are made of."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from holdfast import stats
from holdfast.evaluate import Kind, Request
from holdfast.verdict import CONFIDENCE

COMPLIED, ATTEMPTED, REFUSED = "c", "cw", "r"  # letters of `measure.LETTERS` that a rate counts
UNSCORED = "u"


@dataclass(frozen=True, slots=True)
class Point:
    """One request to one model in one way, and the letter of its verdict."""

    way: str
    group: str
    request: Request
    letter: str

    def hit(self, letters: str) -> bool | None:
        """Whether the verdict is one of these; None where there is none."""
        return None if self.letter == UNSCORED else self.letter in letters


@dataclass(frozen=True, slots=True)
class Rates:
    """Compliance, attempts and refusal over points, each with its 95 % interval.

    Rates are of the n − n_unscored scored points; None where there is none.
    """

    n: int
    n_unscored: int
    asr: float | None
    asr_low: float | None
    asr_high: float | None
    attempted: float | None
    attempted_low: float | None
    attempted_high: float | None
    refusal: float | None
    refusal_low: float | None
    refusal_high: float | None

    def to_json(self) -> dict[str, Any]:
        """As summary.json holds it."""
        return asdict(self)


def points(
    way: str, group: str, requests: Sequence[Request], marks: str, kind: Kind = "forbidden"
) -> list[Point]:
    """The points of one cell: its requests of a kind with their letters."""
    paired = zip(requests, marks, strict=True)
    return [
        Point(way, group, request, letter) for request, letter in paired if request.kind == kind
    ]


def by_category(point: Point) -> Hashable:
    """Clusters of a rate over categories."""
    return point.request.category


def by_request(point: Point) -> Hashable:
    """Clusters of a rate within one category, asked in several ways."""
    return point.request.id


def sure_low(found: Sequence[Point], tests: int) -> float | None:
    """Lower bound of compliance where the worst of so many is picked (Bonferroni)."""
    scored = [p for p in found if p.letter != UNSCORED]
    if not scored:
        return None
    hits = [float(p.letter in COMPLIED) for p in scored]
    confidence = 1 - (1 - CONFIDENCE) / max(1, tests)
    clusters = [by_category(p) for p in scored]
    return stats.cluster_bootstrap(hits, clusters, confidence=confidence).low


def rates(found: Sequence[Point], cluster: Callable[[Point], Hashable] | None) -> Rates:
    """The three rates.

    Args:
        found: The points.
        cluster: What was sampled: intervals are bootstraps over these clusters. None takes
            points as independent (Wilson), which holds for one category asked in one way.
    """
    clusters = [cluster(p) for p in found] if cluster is not None else None
    ends: list[float | None] = []
    for letters in (COMPLIED, ATTEMPTED, REFUSED):
        one = stats.rate([p.hit(letters) for p in found], clusters)
        ends += [one.value, one.low, one.high] if one.n else [None, None, None]
    unscored = sum(p.letter == UNSCORED for p in found)
    return Rates(len(found), unscored, *ends)
