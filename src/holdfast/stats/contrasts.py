"""Is one stack better than another? Paired tests, and what to do about testing many."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from holdfast.stats.intervals import (
    CONFIDENCE,
    DRAWS,
    Interval,
    checked,
    codes_of,
    effective_n,
    multinomial,
    percentiles,
    same_length,
    wilson,
)

if TYPE_CHECKING:
    import numpy as np

    from holdfast.stats.intervals import Floats

EXACT_UP_TO = 12  # clusters whose 2**k sign patterns are all tried


@dataclass(frozen=True, slots=True)
class Contrast:
    """A paired difference of means, first minus second, its interval and two-sided p."""

    difference: float
    low: float
    high: float
    p: float


def paired_permutation(
    first: Sequence[float],
    second: Sequence[float],
    clusters: Sequence[Hashable],
    seed: int = 0,
    draws: int = 10_000,
    confidence: float = CONFIDENCE,
) -> Contrast:
    """Compares two stacks on the same requests, clustered in categories.

    If the stacks were alike, swapping them within a category would change nothing: the signs of
    whole categories are flipped, all 2**k ways up to 12 categories, at random beyond (then the
    observed pattern counts as one draw, so p is never 0). The interval is the bootstrap over
    categories, widened to Newcombe's from Wilson's at the effective sample size, so that two
    stacks that never differed do not get a difference of exactly 0.

    Source: Good (2005), Permutation tests, §3; Phipson and Smyth (2010) for p; Newcombe (1998),
    Statistics in Medicine 17, 873, method 10 without its correlation term, for the widening.

    Args:
        first: values between 0 and 1 of one stack.
        second: of the other, in the same order.
        clusters: the category of every pair.
        seed: same inputs and seed, same result.
        draws: sign patterns, and at most 2,000 bootstrap samples.
        confidence: coverage aimed at.

    Raises:
        ValueError: for values outside 0..1, lengths that differ, or no pairs.
    """
    import numpy as np

    same_length(first, second)
    gap, codes = checked(first) - checked(second), codes_of(clusters)
    same_length(gap, codes)
    if len(gap) == 0:
        raise ValueError("there are no pairs to compare")
    sums, sizes = np.bincount(codes, gap).astype(float), np.bincount(codes).astype(float)
    rng = np.random.default_rng(seed)
    picked = multinomial(rng, min(draws, DRAWS), len(sizes))
    drawn = percentiles((picked @ sums) / (picked @ sizes), confidence)
    found = drawn.hull(_newcombe(gap, clusters, confidence))
    return Contrast(float(gap.mean()), found.low, found.high, _sign_flip_p(sums, rng, draws))


def _sign_flip_p(sums: Floats, rng: np.random.Generator, draws: int) -> float:
    import numpy as np

    k = len(sums)
    exact = k <= EXACT_UP_TO
    if exact:
        signs = 1.0 - 2.0 * ((np.arange(2**k)[:, None] >> np.arange(k)) & 1)
    else:
        signs = 1.0 - 2.0 * rng.integers(0, 2, size=(draws, k))
    # Ties are equal sums met in another order of adding; rounding must not break them.
    extreme = int((np.abs(signs @ sums) >= abs(float(sums.sum())) - 1e-9).sum())
    return extreme / 2**k if exact else (extreme + 1) / (draws + 1)


def _newcombe(gap: Floats, clusters: Sequence[Hashable], confidence: float) -> Interval:
    """Gains minus losses, each a share of the pairs with a Wilson interval of its own."""
    shares, ends = [], []
    for part in (gap.clip(min=0), (-gap).clip(min=0)):
        n = effective_n(part, clusters)
        shares.append(float(part.mean()))
        ends.append(wilson(shares[-1] * n, n, confidence))
    (up, down), (gain, loss) = shares, ends
    low = up - down - math.hypot(up - gain.low, loss.high - down)
    high = up - down + math.hypot(gain.high - up, down - loss.low)
    return Interval(max(-1.0, low), min(1.0, high))


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided p that discordant pairs fall either way alike; pairs must be independent.

    Source: McNemar (1947); the exact form is the sign test on the discordant pairs.

    Args:
        only_first: pairs in which only the first stack complied.
        only_second: pairs in which only the second did.
    """
    if only_first < 0 or only_second < 0:
        raise ValueError("counts of pairs cannot be negative")
    n, fewer = only_first + only_second, min(only_first, only_second)
    tail = term = 1
    for i in range(fewer):
        term = term * (n - i) // (i + 1)  # n over i + 1
        tail += term
    return float(min(Fraction(1), Fraction(2 * tail, 1 << n)))  # whole numbers may pass a float's


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values in the order given: reject those at most q to hold the false share at q.

    Source: Benjamini and Hochberg (1995), JRSS B 57, the step-up procedure.
    """
    if not all(0 <= p <= 1 for p in p_values):
        raise ValueError("p values must lie between 0 and 1")
    n, least = len(p_values), 1.0
    adjusted = [1.0] * n
    ranked = sorted(range(n), key=lambda i: p_values[i])
    for rank in range(n, 0, -1):
        least = min(least, p_values[ranked[rank - 1]] * n / rank)
        adjusted[ranked[rank - 1]] = least
    return adjusted
