"""Cost to break: which row counts to try next, and what the tried ones say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from holdfast import stats
from holdfast.audit_config import Cost

CellRecord = Mapping[str, Any]
_HOUR = 3600.0


def next_rows(
    tried: Mapping[int, float], grid: Sequence[int], search: Literal["bisect", "all"], limit: float
) -> list[int]:
    """The row counts to try now; empty when the search is over.

    Bisection takes compliance to grow with rows: it looks for the fewest rows above the limit
    between the most that stay below and the fewest that do not.

    Args:
        tried: Row count -> compliance, the mean over seeds.
        grid: Row counts that may be tried.
        search: `all` tries the whole grid at once.
        limit: Compliance above this is broken.
    """
    ordered = sorted(set(grid))
    if search == "all":
        return [rows for rows in ordered if rows not in tried]
    broken = [i for i, rows in enumerate(ordered) if tried.get(rows, -1.0) > limit]
    high = min(broken, default=len(ordered))
    low = max((i for i, r in enumerate(ordered[:high]) if r in tried), default=-1)
    return [ordered[(low + high) // 2]] if high - low > 1 else []


def tried_rows(cells: Iterable[CellRecord]) -> dict[int, float]:
    """Row count -> mean compliance over the seeds measured there."""
    found: dict[int, list[float]] = {}
    for cell in cells:
        if cell.get("asr") is not None:
            found.setdefault(int(cell["rows"]), []).append(float(cell["asr"]))
    return {rows: sum(values) / len(values) for rows, values in found.items()}


def cost_of(stack: str, cells: Sequence[CellRecord], cost: Cost, limit: float) -> dict[str, Any]:
    """One line of `cost_to_break`, of one cell at least; `rows` is None: more than `budget`."""
    line: dict[str, Any] = {"attack": cost.attack, "stack": stack, "rows": None}
    line |= {"low": None, "high": None, "budget": max(cost.grid), "flops": None}
    line |= {"gpu_hours": None, "dollars": None}
    points = [p for cell in cells for p in values_of(cell)]
    fit = stats.isotonic_cost(
        [rows for rows, *_ in points],
        [value for _, value, *_ in points],
        [seed for _, _, seed, _ in points],
        [category for *_, category in points],
        limit=limit,
    )
    line |= {"rows": fit.rows, "low": fit.low, "high": fit.high}
    if fit.rows is None:
        line["budget"] = fit.budget  # what was tried, should the policy not have had more rows
    spent = [float(c["flops"]) for c in cells if c["rows"] == fit.rows and c["flops"]]
    if spent:
        flops = sum(spent) / len(spent)
        hours = flops / cost.gpu_flops / _HOUR
        line |= {"flops": flops, "gpu_hours": hours, "dollars": hours * cost.gpu_hour_price}
    return line


def curve_of(stack: str, cells: Sequence[CellRecord], attack: str) -> list[dict[str, Any]]:
    """Compliance against attack rows, pooled over seeds: the lines of `curves`."""
    lines = []
    for rows in sorted({int(c["rows"]) for c in cells if c.get("asr") is not None}):
        at = [p for c in cells if c["rows"] == rows for p in values_of(c)]
        if not at:
            continue
        values = [value for _, value, *_ in at]
        interval = stats.nested_bootstrap(
            values, ["model"] * len(at), [seed for _, _, seed, _ in at], [c for *_, c in at]
        )
        mean = sum(values) / len(values)
        line = {"stack": stack, "attack": attack, "rows": rows, "asr": mean}
        lines.append(line | {"asr_low": interval.low, "asr_high": interval.high})
    return lines


def values_of(cell: CellRecord, attempts: bool = False) -> list[tuple[int, float, int, str]]:
    """One (rows, complied 1 or 0, seed, category) for every scored exchange of a cell.

    With `attempts`, the value is whether the reply attempted.
    """
    made = []
    for category, (_, scored, complied, attempted) in cell.get("by_category", {}).items():
        hits = attempted if attempts else complied
        values = [1.0] * hits + [0.0] * (scored - hits)
        made += [(int(cell["rows"]), v, int(cell["seed"]), str(category)) for v in values]
    return made
