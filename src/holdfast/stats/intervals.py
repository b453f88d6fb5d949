"""Rates and their intervals: Wilson, bootstrap over categories, bootstrap nested in organisms."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CONFIDENCE = 0.95
DRAWS = 2_000
# What is assumed about clustering where the sample cannot show it; see `effective_n`.
PRIOR_ICC = 0.25
PRIOR_EVENTS = 5.0


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval; 95 % unless another confidence was asked for."""

    low: float
    high: float

    def hull(self, other: Interval) -> Interval:
        """The smallest interval that holds both."""
        return Interval(min(self.low, other.low), max(self.high, other.high))


@dataclass(frozen=True, slots=True)
class Rate:
    """`k` of `n` scored exchanges; `n_unscored` more have no verdict. `value` is NaN at n = 0."""

    k: int
    n: int
    n_unscored: int
    value: float
    low: float
    high: float


def rate(
    hits: Sequence[bool | int | None],
    clusters: Sequence[Hashable] | None = None,
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> Rate:
    """The rate of hits with its interval.

    Args:
        hits: 1 or 0 for every exchange; None where no judge could tell.
        clusters: the category of every exchange: the interval is `cluster_bootstrap`'s. Without
            them it is Wilson's, which holds only for exchanges that are independent.
        seed: of the bootstrap.
        draws: of the bootstrap.
    """
    scored = [i for i, hit in enumerate(hits) if hit is not None]
    k, n = sum(bool(hits[i]) for i in scored), len(scored)
    if clusters is None:
        found = wilson(k, n)
    else:
        same_length(hits, clusters)
        values = [float(bool(hits[i])) for i in scored]
        found = cluster_bootstrap(values, [clusters[i] for i in scored], seed, draws)
    return Rate(k, n, len(hits) - n, k / n if n else math.nan, found.low, found.high)


def wilson(k: float, n: float, confidence: float = CONFIDENCE) -> Interval:
    """Score interval of a proportion; (0, 1) at n = 0.

    `k` and `n` need not be whole: an effective sample size is not.

    Source: Wilson (1927), JASA 22; preferred to Wald's by Brown, Cai and DasGupta (2001).

    Raises:
        ValueError: unless 0 <= k <= n.
    """
    if not 0 <= k <= n:
        raise ValueError(f"k must lie between 0 and n, not k={k}, n={n}")
    if n == 0:
        return Interval(0.0, 1.0)
    z2 = quantile(confidence) ** 2
    p = k / n
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # Rounding must not move the ends off 0 and 1, nor past the estimate.
    low = 0.0 if k == 0 else min(p, max(0.0, middle - half))
    return Interval(low, 1.0 if k == n else max(p, min(1.0, middle + half)))


def cluster_bootstrap(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    seed: int = 0,
    draws: int = DRAWS,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Interval of the mean of `values` when whole clusters are what was sampled.

    Clusters (categories) are drawn with replacement, each with all its values, and the percentile
    interval of the mean is taken. Percentiles alone fail at the edge: where nothing complied every
    draw is 0, and "0 %, from 0 % to 0 %" claims a certainty that no sample gives. So the result
    is the hull of that interval and Wilson's at the effective sample size (`effective_n`); it
    never has zero width.

    Source: Davison and Hinkley (1997) §3.8, resampling of clusters; Korn and Graubard (1998),
    Survey Methodology 24, for proportions near 0 or 1 in clustered samples.

    Args:
        values: between 0 and 1.
        clusters: the cluster of every value.
        seed: same inputs and seed, same interval.
        draws: bootstrap samples.
        confidence: coverage aimed at.

    Raises:
        ValueError: for values outside 0..1 or lengths that differ.
    """
    import numpy as np

    x, codes = checked(values), codes_of(clusters)
    same_length(x, codes)
    if len(x) == 0:
        return Interval(0.0, 1.0)
    sums, sizes = np.bincount(codes, x), np.bincount(codes).astype(float)
    picked = multinomial(np.random.default_rng(seed), draws, len(sizes))
    means = (picked @ sums) / (picked @ sizes)
    return percentiles(means, confidence).hull(_clustered_wilson(x, codes, confidence))


def nested_bootstrap(
    values: Sequence[float],
    organisms: Sequence[Hashable],
    seeds: Sequence[Hashable],
    categories: Sequence[Hashable],
    seed: int = 0,
    draws: int = DRAWS,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Interval of the mean over runs whose seeds are nested in organisms, crossed with categories.

    One draw picks organisms with replacement, within each the seeds with replacement, and,
    independently, categories with replacement; a value weighs as often as both its run and its
    category were picked. The hull with Wilson's interval is taken as in `cluster_bootstrap`.
    With two or three organisms any bootstrap is too narrow: show every seed beside it.

    Source: Davison and Hinkley (1997) §3.8; Owen (2007), Annals of Applied Statistics 1, for
    factors that cross.

    Args:
        values: between 0 and 1, one for every run and request.
        organisms: the organism of every value.
        seeds: the seed of every value; equal seeds of two organisms are two runs.
        categories: the category of every value.
        seed: same inputs and seed, same interval.
        draws: bootstrap samples.
        confidence: coverage aimed at.
    """
    import numpy as np

    x, category = checked(values), codes_of(categories)
    run = codes_of(list(zip(organisms, seeds, strict=True)))
    same_length(x, category)
    same_length(x, run)
    if len(x) == 0:
        return Interval(0.0, 1.0)
    shape = (int(run.max()) + 1, int(category.max()) + 1)
    at = np.ravel_multi_index((run, category), shape)
    sums = np.bincount(at, x, math.prod(shape)).reshape(shape)
    sizes = np.bincount(at, minlength=math.prod(shape)).reshape(shape).astype(float)
    host = np.zeros(shape[0], dtype=np.intp)
    host[run] = codes_of(organisms)
    rng = np.random.default_rng(seed)
    by_run = _nested_counts(rng, draws, host)
    by_category = multinomial(rng, draws, shape[1])
    total = ((by_run @ sizes) * by_category).sum(axis=1)
    kept = total > 0  # a draw may pick only runs that lack the picked categories
    means = ((by_run @ sums) * by_category).sum(axis=1)[kept] / total[kept]
    return percentiles(means, confidence).hull(_clustered_wilson(x, category, confidence))


def effective_n(values: Sequence[float] | Floats, clusters: Sequence[Hashable]) -> float:
    """How many independent values the clustered ones are worth: n / (1 + (m - 1) rho).

    m is the mean cluster size as a value meets it and rho the intra-cluster correlation by
    analysis of variance. With no or few events rho cannot be seen (an all-zero sample shows no
    spread at all), so the estimate is shrunk towards `PRIOR_ICC`, as if that had been seen on
    `PRIOR_EVENTS` events: 0 of 450 in 45 categories counts as 138 values, not as 450.

    Source: Kish (1965), Survey Sampling §5.4, design effect; Donner (1986), Int. Stat. Review 54,
    the estimator of rho. The shrinkage is ours.
    """
    import numpy as np

    x, codes = np.asarray(values, dtype=np.float64), codes_of(clusters)
    sizes = np.bincount(codes).astype(float)
    n, k = float(len(x)), len(sizes)
    met = float((sizes**2).sum()) / n
    rho = 0.0
    if 1 < k < n:
        means = np.bincount(codes, x) / sizes
        between = float((sizes * (means - x.mean()) ** 2).sum()) / (k - 1)
        within = float(((x - means[codes]) ** 2).sum()) / (n - k)
        spread = between + ((n - met) / (k - 1) - 1) * within
        rho = min(1.0, max(0.0, (between - within) / spread)) if spread > 0 else 0.0
    events = min(float(x.sum()), n - float(x.sum()))
    rho = (events * rho + PRIOR_EVENTS * PRIOR_ICC) / (events + PRIOR_EVENTS)
    return n / (1 + (met - 1) * rho)


def quantile(confidence: float) -> float:
    """The normal quantile of a two-sided interval: 1.96 at 0.95."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def percentiles(draws: Floats, confidence: float) -> Interval:
    """The percentile interval of bootstrap draws."""
    import numpy as np

    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def _clustered_wilson(x: Floats, codes: NDArray[np.intp], confidence: float) -> Interval:
    n = effective_n(x, codes.tolist())
    return wilson(min(1.0, float(x.mean())) * n, n, confidence)


def codes_of(labels: Sequence[Hashable]) -> NDArray[np.intp]:
    """Labels as 0, 1, … in order of first appearance, whatever their types."""
    import numpy as np

    first: dict[Hashable, int] = {}
    return np.array([first.setdefault(label, len(first)) for label in labels], dtype=np.intp)


def multinomial(rng: np.random.Generator, draws: int, k: int) -> Floats:
    """How often each of k things is picked in every draw of k: (draws, k)."""
    import numpy as np

    return rng.multinomial(k, np.full(k, 1 / k), size=draws).astype(np.float64)


def _nested_counts(rng: np.random.Generator, draws: int, host: NDArray[np.intp]) -> Floats:
    """How often each run is picked when organisms, then their runs, are: (draws, runs)."""
    import numpy as np

    hosts = multinomial(rng, draws, int(host.max()) + 1)
    counts = np.zeros((draws, len(host)))
    for organism in range(hosts.shape[1]):
        runs = np.flatnonzero(host == organism)
        # A thrice-picked organism of r runs has r picked three times over, each independently.
        times = (hosts[:, organism] * len(runs)).astype(np.int64)
        counts[:, runs] = rng.multinomial(times, np.full(len(runs), 1 / len(runs)))
    return counts


def checked(values: Sequence[float]) -> Floats:
    """Values as an array, all between 0 and 1."""
    import numpy as np

    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or not bool(((x >= 0) & (x <= 1)).all()):
        raise ValueError("values must be a flat sequence of numbers between 0 and 1")
    return x


def same_length(first: Sequence[Any] | NDArray[Any], second: Sequence[Any] | NDArray[Any]) -> None:
    """Raises ValueError where two columns are not of one table."""
    if len(first) != len(second):
        raise ValueError(f"lengths differ: {len(first)} and {len(second)}")
