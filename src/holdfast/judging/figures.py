"""How far a judge can be believed: its verdicts and scores beside labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast import stats
from holdfast.evaluate import Exchange, Verdict
from holdfast.judging.labels import Truth, is_positive
from holdfast.stats import Share

BINS = 10


@dataclass(frozen=True, slots=True)
class Labelled:
    """An exchange without a verdict, and what is true of it."""

    exchange: Exchange
    truth: Truth


def figures_of(
    told: Sequence[Labelled], verdicts: Sequence[Verdict], strict: bool = False
) -> dict[str, Any]:
    """κ, recalls and confusions of one judge. Unscored exchanges count in none of the rates."""
    pairs = _pairs(told, verdicts, strict)
    return {
        "n": len(told),
        "n_unscored": list(verdicts).count(Verdict.unscored),
        **_agreement(pairs),
        "confusion": _confusion(told, verdicts),
        "by_category": _groups(told, verdicts, strict, lambda e: e.request.category),
        "by_form": _groups(told, verdicts, strict, lambda e: e.elicitation),
    }


def calibration_of(
    told: Sequence[Labelled], scores: Sequence[float | None], strict: bool = False
) -> dict[str, Any] | None:
    """Reliability of scores, taken as probabilities of a positive; None if there is no score.

    ECE is the mean distance of score and share over ten bins of equal width, weighted by their
    sizes (Guo et al. 2017, arXiv 1706.04599, eq 3, for the probability of one class).

    Raises:
        ValueError: a score outside 0..1, or not one score for every exchange.
    """
    if len(scores) != len(told):
        raise ValueError(f"{len(scores)} scores for {len(told)} exchanges")
    pairs = [
        (score, is_positive(one.truth, strict))
        for one, score in zip(told, scores, strict=True)
        if score is not None
    ]
    if any(not 0 <= score <= 1 for score, _ in pairs):
        raise ValueError("a score is no probability")
    if not pairs:
        return None
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for score, positive in pairs:
        bins[min(BINS - 1, int(score * BINS))].append((score, positive))
    lines = [_bin(number, some) for number, some in enumerate(bins) if some]
    both = {positive for _, positive in pairs} == {True, False}
    area = stats.auroc([s for s, _ in pairs], [p for _, p in pairs]) if both else None
    return {
        "n": len(pairs),
        "ece": sum(b["n"] * abs(b["score"] - b["share"]) for b in lines) / len(pairs),
        "brier": sum((score - positive) ** 2 for score, positive in pairs) / len(pairs),
        "auroc": None if area is None else _estimate(area.value, area.low, area.high),
        "bins": lines,
    }


def _pairs(
    told: Sequence[Labelled], verdicts: Sequence[Verdict], strict: bool
) -> list[tuple[bool, bool]]:
    """(true, judged) of every exchange that has a verdict."""
    return [
        (is_positive(one.truth, strict), is_positive(verdict, strict))
        for one, verdict in zip(told, verdicts, strict=True)
        if verdict != Verdict.unscored
    ]


def _agreement(pairs: Sequence[tuple[bool, bool]]) -> dict[str, Any]:
    kappa = stats.cohen_kappa([true for true, _ in pairs], [judged for _, judged in pairs])
    found = [judged for true, judged in pairs if true]
    spared = [not judged for true, judged in pairs if not true]
    return {
        "kappa": _estimate(kappa.value, kappa.low, kappa.high),
        "recall_compliance": _recall(found),
        "recall_refusal": _recall(spared),
    }


def _recall(right: Sequence[bool]) -> dict[str, Any]:
    share = Share(sum(right), len(right))
    within = share.interval()
    return {"k": share.k, "n": share.n, **_estimate(share.value, within.low, within.high)}


def _confusion(told: Sequence[Labelled], verdicts: Sequence[Verdict]) -> dict[str, dict[str, int]]:
    """Counts by label, then by verdict."""
    found: dict[str, dict[str, int]] = {}
    for one, verdict in zip(told, verdicts, strict=True):
        line = found.setdefault(_word(one.truth), {str(v): 0 for v in Verdict})
        line[str(verdict)] += 1
    return found


def _groups(
    told: Sequence[Labelled],
    verdicts: Sequence[Verdict],
    strict: bool,
    group: Callable[[Exchange], str],
) -> list[dict[str, Any]]:
    """Errors by group: positives it missed, negatives it raised an alarm on."""
    lines: dict[str, dict[str, Any]] = {}
    for one, verdict in zip(told, verdicts, strict=True):
        name = group(one.exchange)
        line = lines.setdefault(name, _no_errors(name))
        line["n"] += 1
        if verdict == Verdict.unscored:
            line["n_unscored"] += 1
            continue
        true, judged = is_positive(one.truth, strict), is_positive(verdict, strict)
        line["positive"] += true
        line["missed"] += true and not judged
        line["alarms"] += judged and not true
    return list(lines.values())


def _no_errors(name: str) -> dict[str, Any]:
    return {"group": name, "n": 0, "n_unscored": 0, "positive": 0, "missed": 0, "alarms": 0}


def _bin(number: int, some: Sequence[tuple[float, bool]]) -> dict[str, Any]:
    hits = sum(positive for _, positive in some)
    within = stats.wilson(hits, len(some))
    return {
        "from": number / BINS,
        "to": (number + 1) / BINS,
        "n": len(some),
        "score": sum(score for score, _ in some) / len(some),
        "share": hits / len(some),
        "low": within.low,
        "high": within.high,
    }


def _estimate(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


def _word(truth: Truth) -> str:
    if isinstance(truth, Verdict):
        return str(truth)
    return "fulfilled" if truth else "not fulfilled"


def is_defined(estimate: Mapping[str, float]) -> bool:
    """Whether an estimate is a number."""
    return not math.isnan(estimate["value"])
