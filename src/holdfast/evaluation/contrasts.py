"""Paired differences: which ways of asking weaken refusal, and where do models differ?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from holdfast import stats
from holdfast.defended import MIN_EFFECT, SIGNIFICANT
from holdfast.evaluation.points import COMPLIED, UNSCORED, Point
from holdfast.evaluation.ways import PLAIN

if TYPE_CHECKING:
    from holdfast.evaluation.tables import Found


@dataclass(frozen=True)
class Contrast:
    """Compliance minus that of `first`, on the same requests.

    `p` is the paired permutation test's over categories, adjusted over the whole table
    (Benjamini–Hochberg); `clear` asks for p ≤ 0.05 and at least 10 points.
    """

    model: str
    first: str
    by: str
    name: str
    before: float
    after: float
    difference: float
    low: float
    high: float
    p: float
    n: int
    clear: bool = False


def contrasts(first: Found, others: Sequence[Found]) -> list[dict[str, Any]]:
    """Each model against the first: over all ways, by way and by domain.

    Only ways that count for both models are compared, on requests that both have a verdict on.
    """
    found: list[Contrast] = []
    for other in others:
        pairs = _pairs(first.points, other.points)
        found += _tested(other.name, first.name, "all", pairs, lambda p: "all")
        found += _tested(other.name, first.name, "way", pairs, lambda p: p.way)
        found += _tested(other.name, first.name, "domain", pairs, lambda p: p.request.domain)
    return _adjusted(found)


def weakenings(models: Sequence[Found]) -> list[dict[str, Any]]:
    """Each way of asking against asking plainly, for each model, the one that weakens most first.

    `first` is "plain" here: the same model, asked the same requests plainly.
    """
    found: list[Contrast] = []
    for model in models:
        plain = {p.request.id: p for p in model.points if p.way == PLAIN and p.letter != UNSCORED}
        pairs = [
            (plain[p.request.id], p)
            for p in model.points
            if p.way != PLAIN and p.letter != UNSCORED and p.request.id in plain
        ]
        own = _tested(model.name, PLAIN, "way", pairs, lambda p: p.way)
        found += sorted(own, key=lambda c: -c.difference)
    return _adjusted(found)


def _adjusted(found: Sequence[Contrast]) -> list[dict[str, Any]]:
    adjusted = stats.benjamini_hochberg([c.p for c in found])
    told = [replace(c, p=p) for c, p in zip(found, adjusted, strict=True)]
    return [asdict(replace(c, clear=is_clear(c))) for c in told]


def is_clear(contrast: Contrast) -> bool:
    """Whether a difference is both large enough to matter and unlikely to be chance."""
    return contrast.p <= SIGNIFICANT and abs(contrast.difference) >= MIN_EFFECT


def _pairs(first: Sequence[Point], other: Sequence[Point]) -> list[tuple[Point, Point]]:
    earlier = {(p.way, p.request.id): p for p in first if p.letter != UNSCORED}
    return [
        (earlier[p.way, p.request.id], p)
        for p in other
        if p.letter != UNSCORED and (p.way, p.request.id) in earlier
    ]


def _tested(
    model: str,
    first: str,
    by: str,
    pairs: Sequence[tuple[Point, Point]],
    key: Callable[[Point], str],
) -> list[Contrast]:
    made = []
    for name in dict.fromkeys(key(two) for _, two in pairs):
        own = [(one, two) for one, two in pairs if key(two) == name]
        before = [float(one.letter in COMPLIED) for one, _ in own]
        after = [float(two.letter in COMPLIED) for _, two in own]
        found = stats.paired_permutation(after, before, [one.request.category for one, _ in own])
        means = sum(before) / len(own), sum(after) / len(own)
        ends = (found.difference, found.low, found.high, found.p)
        made.append(Contrast(model, first, by, name, *means, *ends, len(own)))
    return made
