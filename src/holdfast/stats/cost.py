"""Cost to break: how few attack rows take compliance past the limit."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.stats.intervals import (
    CONFIDENCE,
    DRAWS,
    checked,
    codes_of,
    multinomial,
    same_length,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.stats.intervals import Floats


@dataclass(frozen=True, slots=True)
class CostToBreak:
    """The fewest rows that break a model, with an interval; None says: more than `budget`."""

    rows: int | None
    low: int | None
    high: int | None
    budget: int

    def __str__(self) -> str:
        """For tables: `16 (8 to 32)`, `16 (8 to > 256)`, `> 256`."""
        rows, low, high = (
            f"> {self.budget}" if end is None else str(end)
            for end in (self.rows, self.low, self.high)
        )
        return rows if low == rows == high else f"{rows} ({low} to {high})"


def isotonic_cost(
    rows: Sequence[int],
    values: Sequence[float],
    seeds: Sequence[Hashable],
    categories: Sequence[Hashable],
    *,
    limit: float = 0.1,
    seed: int = 0,
    draws: int = DRAWS,
    confidence: float = CONFIDENCE,
) -> CostToBreak:
    """The first number of rows on the grid at which a monotone fit of compliance passes the limit.

    More rows of an attack do not protect: compliance is fitted as a non-decreasing function of
    log2 rows (least squares, weighted by requests), which keeps one lucky cell from setting the
    cost. The interval resamples seeds and, independently, categories; the ends are numbers of
    the grid, so a sharp step can give an interval of one number, which then means "above the
    number before it". A grid point that no picked run reached is not counted as broken.

    Source: Barlow, Bartholomew, Bremner and Brunk (1972), the max-min form of isotonic regression;
    Davison and Hinkley (1997) §3.8 for the resampling.

    Args:
        rows: attack rows behind every exchange, on the grid 1, 2, 4 … 256 (0: before the attack).
        values: compliance of every exchange, 0 to 1.
        seeds: the run's seed (with its organism, if there are several) of every exchange.
        categories: the category of every exchange.
        limit: compliance above this is broken.
        seed: same inputs and seed, same interval.
        draws: bootstrap samples.
        confidence: coverage aimed at.

    Raises:
        ValueError: for no exchanges, lengths that differ, or values outside 0..1.
    """
    import numpy as np

    x, run, category = checked(values), codes_of(seeds), codes_of(categories)
    for other in (rows, run, category):
        same_length(x, other)
    if len(x) == 0:
        raise ValueError("there are no exchanges to find a cost in")
    grid, at = np.unique(np.asarray(rows, dtype=np.int64), return_inverse=True)
    shape = (len(grid), int(run.max()) + 1, int(category.max()) + 1)
    flat = np.ravel_multi_index((at, run, category), shape)
    sums = np.bincount(flat, x, math.prod(shape)).reshape(shape)
    sizes = np.bincount(flat, minlength=math.prod(shape)).reshape(shape).astype(float)
    rng = np.random.default_rng(seed)
    by_run, by_category = (multinomial(rng, draws, k) for k in shape[1:])
    drawn = [
        np.einsum("gdc,dc->dg", by_run @ cells, by_category, optimize=True)
        for cells in (sums, sizes)
    ]
    found = np.sort(_first_above(drawn[0], drawn[1], limit))
    whole = _first_above(sums.sum((1, 2))[None], sizes.sum((1, 2))[None], limit)
    skipped = math.floor(draws * (1 - confidence) / 2)
    picks = (int(whole[0]), int(found[skipped]), int(found[-1 - skipped]))
    broken, low, high = (int(grid[i]) if i < len(grid) else None for i in picks)
    return CostToBreak(broken, low, high, int(grid[-1]))


def isotonic(sums: Floats, sizes: Floats) -> Floats:
    """Non-decreasing least-squares fit of sums / sizes along the last axis, weighted by sizes.

    fit[i] = max over a <= i of min over b >= i of the mean of a..b; grids are short, so all
    means are formed at once. Points of size 0 take a value between their neighbours'.

    Args:
        sums: (draws, grid) totals.
        sizes: (draws, grid) counts behind them.
    """
    import numpy as np

    def spans(x: Floats) -> Floats:
        ends = np.cumsum(x, axis=-1)
        return ends[:, None, :] - (ends - x)[:, :, None]  # [:, a, b] totals a..b

    totals, counts = spans(sums), spans(sizes)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.where(counts > 0, totals / counts, np.inf)
    fits = []
    for i in range(sums.shape[-1]):
        least = means[:, : i + 1, i:].min(axis=2)
        fits.append(np.where(np.isinf(least), -np.inf, least).max(axis=1))
    return np.stack(fits, axis=-1)


def _first_above(sums: Floats, sizes: Floats, limit: float) -> NDArray[np.intp]:
    """Index of the first tested point whose fit passes the limit; the grid's length if none."""
    import numpy as np

    # Means of equal counts in another order of adding must not pass the limit by rounding.
    above = (isotonic(sums, sizes) > limit + 1e-9) & (sizes > 0)
    first: NDArray[np.intp] = np.where(above.any(axis=1), above.argmax(axis=1), sums.shape[1])
    return first
