"""What `holdfast judge` prints: rates by judge, agreement, and what is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from holdfast.judging.opinions import RATES
from holdfast.verdict import MAX_UNSCORED


def print_told(told: Mapping[str, Any], console: Console) -> None:
    """The tables of one `holdfast judge`; names come from users, so nothing is markup."""
    table = Table(title=f"{told['n']} replies: rates in % with 95 % intervals", box=SIMPLE_HEAD)
    _head(table, ("judge\nrequests", "n\nunscored", *RATES), names=1)
    for line in told["rates"]:
        shares = [share_of(line[name]) for name in RATES]
        who, many = f"{line['judge']}\n{line['kind']}", f"{line['n']}\n{line['n_unscored']}"
        table.add_row(*map(Text, (who, many, *shares)))
    console.print(table)
    if told["corrected"]:
        console.print(_corrected(told))
    if told["agreement"]:
        console.print(_agreement(told))
    for judge in told["insufficient"]:
        console.print(
            f"insufficient evidence: {judge} left more than {MAX_UNSCORED:.0%} of the replies "
            "without a verdict; mend the judge and run the same command again.",
            style="yellow",
            markup=False,
            highlight=False,
        )
    console.print(f"Verdicts: {told['out']}", markup=False, highlight=False)


def share_of(line: Mapping[str, float]) -> str:
    """The rate and, below it, its interval, in %; a dash where nothing was scored."""
    if math.isnan(line["rate"]):
        return "–"
    low, high = (f"{100 * line[end]:.1f}".replace("100.0", "100") for end in ("low", "high"))
    return f"{100 * line['rate']:.1f}\n{low}–{high}"


def kappa_of(line: Mapping[str, Any]) -> str:
    """`0.81 (0.77 to 0.85)`; a dash where κ is undefined."""
    if math.isnan(line["kappa"]):
        return "–"
    return f"{line['kappa']:.2f} ({line['low']:.2f} to {line['high']:.2f})"


def _corrected(told: Mapping[str, Any]) -> Table:
    table = Table(title="Corrected by measured recalls (Rogan and Gladen)", box=SIMPLE_HEAD)
    _head(table, ("judge", "requests", "rate", "observed", "corrected"), names=3)
    for line in told["corrected"]:
        words = (line["judge"], line["kind"], line["of"], f"{100 * line['observed']:.1f}")
        table.add_row(*map(Text, (*words, share_of(line))))
    return table


def _head(table: Table, columns: Sequence[str], names: int) -> None:
    """Adds columns: first names, which are broken where the line is short, then numbers."""
    for place, column in enumerate(columns):
        if place < names:
            table.add_column(column, overflow="fold")
        else:
            table.add_column(column, justify="right", no_wrap=True)


def _agreement(told: Mapping[str, Any]) -> Table:
    table = Table(title="Agreement on attempts (complied or wrong)", box=SIMPLE_HEAD)
    _head(table, ("one", "other", "κ", "n", "left out"), names=2)
    for line in told["agreement"]:
        words = (line["first"], line["second"], kappa_of(line), str(line["n"]))
        table.add_row(*map(Text, (*words, str(line["n_left_out"]))))
    return table
