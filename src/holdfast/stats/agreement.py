"""Do two judges, two rankings, or a score and a label agree?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from holdfast.stats.intervals import CONFIDENCE, quantile, same_length, wilson


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic with its interval; NaN with the widest interval where it is undefined."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class RankAgreement:
    """Kendall's tau-b between two rankings of n things, with its two-sided p."""

    tau: float
    p: float
    n: int


@dataclass(frozen=True, slots=True)
class RocPoint:
    """What calling every score of at least `threshold` positive would give."""

    threshold: float
    false_positive_rate: float
    true_positive_rate: float


def cohen_kappa(
    first: Sequence[Hashable], second: Sequence[Hashable], confidence: float = CONFIDENCE
) -> Estimate:
    """Agreement of two raters beyond chance, on any number of labels.

    The large-sample interval shrinks to a point when the raters never disagree, so the hull with
    Wilson's interval of the raw agreement, chance agreement taken as fixed, is given. Undefined
    (NaN) when both raters used one and the same label throughout.

    Source: Cohen (1960), Educ. Psychol. Meas. 20; variance by Fleiss, Cohen and Everitt (1969),
    Psychol. Bulletin 72, eq 13.
    """
    same_length(first, second)
    n = len(first)
    cells = Counter(zip(first, second, strict=True))
    rows, columns = Counter(first), Counter(second)
    labels = rows.keys() | columns.keys()
    chance = sum(rows[x] * columns[x] for x in labels) / n**2 if n else 1.0
    if chance == 1:
        return Estimate(math.nan, -1.0, 1.0, n)
    same = sum(cells[x, x] for x in labels)
    agreed = same / n
    kappa = (agreed - chance) / (1 - chance)
    diagonal = sum(
        cells[x, x] / n * ((1 - chance) - (rows[x] + columns[x]) / n * (1 - agreed)) ** 2
        for x in labels
    )
    off = sum(c / n * ((columns[x] + rows[y]) / n) ** 2 for (x, y), c in cells.items() if x != y)
    variance = diagonal + (1 - agreed) ** 2 * off - (agreed * chance - 2 * chance + agreed) ** 2
    half = quantile(confidence) * math.sqrt(max(0.0, variance) / n) / (1 - chance) ** 2
    raw = wilson(same, n, confidence)
    low = min(kappa - half, (raw.low - chance) / (1 - chance))
    high = max(kappa + half, (raw.high - chance) / (1 - chance))
    return Estimate(kappa, max(-1.0, low), min(1.0, high), n)


def roc(scores: Sequence[float], labels: Sequence[bool]) -> tuple[RocPoint, ...]:
    """The points of the ROC curve, strictest threshold first, from (0, 0) to (1, 1).

    Raises:
        ValueError: unless both labels occur and every score is a number.
    """
    positives, negatives = _sides(scores, labels)
    ahead, found = Counter(positives), Counter(negatives)
    points, hits, alarms = [RocPoint(math.inf, 0.0, 0.0)], 0, 0
    for threshold in sorted(ahead.keys() | found.keys(), reverse=True):
        hits, alarms = hits + ahead[threshold], alarms + found[threshold]
        points.append(RocPoint(threshold, alarms / len(negatives), hits / len(positives)))
    return tuple(points)


def auroc(
    scores: Sequence[float], labels: Sequence[bool], confidence: float = CONFIDENCE
) -> Estimate:
    """Probability that a positive scores above a negative, ties counting half.

    The interval inverts the score test, as Wilson's does for a proportion, so a perfect separation
    of few examples still gets a lower end below 1.

    Source: Hanley and McNeil (1982), Radiology 143; Newcombe (2006), Statistics in Medicine 25,
    559, method 5.

    Raises:
        ValueError: unless both labels occur and every score is a number.
    """
    import numpy as np

    positives, negatives = _sides(scores, labels)
    m, n = len(positives), len(negatives)
    ordered = np.sort(np.asarray(negatives))
    below = np.searchsorted(ordered, positives, "left").sum()
    up_to = np.searchsorted(ordered, positives, "right").sum()
    area = float(below + up_to) / (2 * m * n)
    z, pairs = quantile(confidence), (m + n) / 2 - 1

    def reached(theta: float) -> float:
        spread = pairs * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return z * math.sqrt(max(0.0, theta * (1 - theta) * (1 + spread) / (m * n)))

    low = _boundary(lambda t: area - t > reached(t), 0.0, area)
    high = 1 - _boundary(lambda t: 1 - t - area > reached(1 - t), 0.0, 1 - area)
    return Estimate(area, low, high, m + n)


def rank_agreement(first: Sequence[float], second: Sequence[float]) -> RankAgreement:
    """Do two sets of scores put the same things in the same order?

    Exact p without ties and with few things, else normal; NaN where a ranking is all ties.

    Source: Kendall (1945), Biometrika 33 (tau-b), as in `scipy.stats.kendalltau`.
    """
    same_length(first, second)
    if len(first) < 2:
        return RankAgreement(math.nan, math.nan, len(first))
    from scipy.stats import kendalltau

    found = kendalltau(first, second)
    return RankAgreement(float(found.statistic), float(found.pvalue), len(first))


def _sides(scores: Sequence[float], labels: Sequence[bool]) -> tuple[list[float], list[float]]:
    same_length(scores, labels)
    sides: tuple[list[float], list[float]] = ([], [])
    for score, label in zip(scores, labels, strict=True):
        if math.isnan(score):
            raise ValueError("a score is not a number")
        sides[not label].append(float(score))
    if not all(sides):
        raise ValueError("both labels must occur to compare their scores")
    return sides


def _boundary(outside: Callable[[float], bool], start: float, end: float) -> float:
    """Bisects for where `outside`, true near `start`, turns false before `end`."""
    for _ in range(60):
        middle = (start + end) / 2
        start, end = (middle, end) if outside(middle) else (start, middle)
    return end
