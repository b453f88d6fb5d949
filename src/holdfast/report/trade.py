"""Safety against gain: what a defence costs the honest customer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.report.read import Cell, Summary
from holdfast.report.squares import worst

CUSTOMER = "customer"  # the "attack" that is no attack: an honest customer's rows


@dataclass(frozen=True)
class Trade:
    """One tuned model: `tuned` has the gain, `worst` the compliance to set against it."""

    tuned: Cell
    worst: Cell


def trades(summary: Summary) -> dict[str, list[Trade]]:
    """Points of the scatter by attack, or under "" all attacks together.

    Where honest customers were tuned for, a point sets their gain against the worst compliance of
    the same stack and seed under any attack (any seed, if that one was not attacked). Elsewhere a
    tuned model's gain stands against its own worst way of being asked.
    """
    done = summary.done
    honest = [c for c in done if c.attack == CUSTOMER and c.gain is not None]
    if honest:
        points = [_against_attacks(cell, done) for cell in honest]
        return {"": points}
    found: dict[str, list[Trade]] = {}
    tunes: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in done:
        if cell.gain is not None:
            tunes.setdefault((cell.attack, cell.stack, cell.tune_id or cell.id), []).append(cell)
    for (attack, _, _), cells in tunes.items():
        if (badly := worst(cells)) is not None:
            found.setdefault(attack, []).append(Trade(badly, badly))
    return found


def _against_attacks(honest: Cell, done: Sequence[Cell]) -> Trade:
    of_stack = [c for c in done if c.stack == honest.stack]
    same_seed = [c for c in of_stack if c.seed == honest.seed and c.attack != CUSTOMER]
    return Trade(honest, worst(same_seed or of_stack) or honest)


def paid_for(summary: Summary, stack: str) -> Cell | None:
    """The cell that shows what a customer gets under a stack: an honest one where there is one."""
    with_gain = [c for c in summary.done if c.stack == stack and c.gain is not None]
    honest = [c for c in with_gain if c.attack == CUSTOMER]
    return next(iter(honest), None) or worst(with_gain)
