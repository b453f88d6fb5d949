"""What an audit prints: the plan before it, the tables and verdicts after it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from holdfast.methods import attack_of
from holdfast.plan import CUSTOMER, NO_ATTACK, Plan
from holdfast.progress import clock, matrix

# Measured on one core with a model of 1.5 M parameters; other sizes scale about linearly.
STEP_SECONDS = 0.1
ASK_SECONDS = 0.005
COLOURS = {"holds": "green", "breaks": "red", "insufficient evidence": "yellow"}


def print_plan(plan: Plan, workers: int, console: Console) -> None:
    """The cells by stack and attack, and a rough estimate of the time they take."""
    table = Table(title=Text(f"Plan: {plan.config.title}, suite {plan.config.suite}"))
    for name in ("stack", "attack", "settings", "seeds", "asked", "cells"):
        table.add_column(name, justify="right" if name in ("seeds", "cells") else "left")
    lines: dict[tuple[str, str, str], list[Any]] = {}
    for tune in plan.tunes:
        place = (tune.stack, tune.cells[0].attack, tune.settings)
        lines.setdefault(place, []).append(tune)
    for (stack, attack, settings), tunes in lines.items():
        asked = list(dict.fromkeys(c.elicitation for t in tunes for c in t.cells))
        cells = sum(len(t.cells) for t in tunes)
        seeds = len({t.seed for t in tunes})
        _add(table, stack, attack, settings, str(seeds), ", ".join(asked), str(cells))
    for cell in plan.not_applicable:
        _add(table, cell.stack, cell.attack, cell.settings, "–", f"n/a: {cell.reason}", "0")
    console.print(table)
    cells = sum(len(t.cells) for t in plan.tunes)
    cost = plan.config.cost
    console.print(
        f"{len(plan.tunes)} tunes, {cells} cells, and the search for the cost to break "
        f"({cost.attack}, up to {max(cost.grid)} rows, {', '.join(cost.stacks)}).\n"
        f"About {clock(seconds_of(plan) / max(workers, 1))} minutes with {workers} workers, "
        "for a model of 1.5 M parameters.",
        highlight=False,
        markup=False,
    )


def seconds_of(plan: Plan) -> float:
    """A rough estimate of one core's seconds."""
    many = plan.config.measure
    total = 0.0
    for tune in plan.tunes:
        steps = 0.0
        if tune.attack == CUSTOMER:
            steps = plan.config.customer.rows / 2
        elif tune.attack != NO_ATTACK:
            set_up = attack_of(tune.attack).model_dump()
            steps = float(set_up.get("rows", 100)) * (set_up.get("epochs") or 5) / 10
        asks = many.forbidden * sum(5 if "decoding" in c.elicitation else 1 for c in tune.cells)
        asks += (many.lookalike + many.utility) * tune.whole
        total += steps * STEP_SECONDS + asks * ASK_SECONDS
    return total


def print_summary(summary: Mapping[str, Any], console: Console) -> None:
    """Worst compliance by stack and attack, cost to break, verdicts."""
    worst: dict[tuple[str, str], tuple[float, str]] = {}
    for cell in summary["cells"]:
        place = (cell["stack"], cell["attack"])
        asr = cell.get("asr")
        if cell["status"] == "done" and asr is not None and asr > worst.get(place, (-1.0,))[0]:
            worst[place] = (asr, cell["elicitation"])
    console.print(matrix(worst, "Worst compliance over seeds and ways of asking"))
    if summary.get("contrasts"):
        console.print(_contrasts(summary["contrasts"]))
    for line in summary["cost_to_break"]:
        rows = line["rows"]
        said = f"> {line['budget']}" if rows is None else f"{rows} ({_span(line)})"
        told = f"cost to break {line['stack']}: {said} rows of {line['attack']}"
        console.print(told, markup=False)
    for v in summary["verdicts"]:
        word = Text(f"{v['stack']} {v['verdict']}", style=f"bold {COLOURS[v['verdict']]}")
        console.print(word.append(f": {v['reason']}", style="not bold default"))


def _contrasts(lines: Sequence[Mapping[str, Any]]) -> Table:
    """Every stack against no defence, in words and points."""
    table = Table(title=Text("Which defence helps? Compliance asked as the attack is by default"))
    for name in ("attack", "stack", "none", "under it", "points", "adjusted p", ""):
        table.add_column(name, justify="left" if name in ("attack", "stack", "") else "right")
    for c in lines:
        span = f"{100 * c['difference']:+.0f} ({100 * c['low']:+.0f} to {100 * c['high']:+.0f})"
        shares = (f"{c['none']:.0%}", f"{c['asr']:.0%}", span, f"{c['p']:.3f}")
        _add(table, c["attack"], c["stack"], *shares, c["word"])
    return table


def finished_page(folder: Path) -> bool:
    """Writes the page of a finished audit; a page that fails costs nothing that was measured."""
    from holdfast.report.html import write_report

    try:
        write_report(folder)
    except Exception as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        retry = f"the audit is whole; retry with `holdfast report {folder}`"
        print(f"holdfast: the report could not be written: {why}; {retry}.", file=sys.stderr)
        return False
    return True


def _add(table: Table, *words: str) -> None:
    """A line of names that come from users, which are no markup."""
    table.add_row(*(Text(word) for word in words))


def _span(line: Mapping[str, Any]) -> str:
    high = f"> {line['budget']}" if line["high"] is None else line["high"]
    return f"{line['low']} to {high}"
