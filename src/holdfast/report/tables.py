"""A run in the terminal: rich tables that say the same as the page.

Names come from users and models, so they are put in as plain `Text`, never as rich markup.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from holdfast.report.read import Cell, Run, Summary, VerdictWord
from holdfast.report.squares import Square, squares
from holdfast.report.words import (
    attack_name,
    cheapest,
    decided_by,
    end,
    interval,
    number,
    percent,
    rows_interval,
    rows_words,
    stack_name,
)

SIGNS = {"over": "▲", "under": "●", "astride": "◐", "none": ""}
STYLES = {"over": "bold dark_orange", "under": "dodger_blue2", "astride": "yellow", "none": "dim"}
VERDICT_SIGNS = {"holds": "✓", "breaks": "✗", "insufficient evidence": "?"}
VERDICT_STYLES = {
    "holds": "bold dodger_blue2",
    "breaks": "bold dark_orange",
    "insufficient evidence": "bold yellow",
}


def _verdict(verdict: VerdictWord) -> Text:
    return Text(f"{VERDICT_SIGNS[verdict]} {verdict}", style=VERDICT_STYLES[verdict])


def _table(title: str, caption: str = "") -> Table:
    return Table(
        title=Text(title, style="bold"),
        title_justify="left",
        caption=Text(caption) if caption else None,
        caption_justify="left",
    )


def _rate(cell: Cell) -> str:
    return f"{percent(cell.asr)} [{interval(cell.asr_low, cell.asr_high)}]"


def _asked(cell: Cell) -> str:
    """Requests behind a rate, and how many of their replies the judge could not decide."""
    unscored = f", {cell.n_unscored} unscored" if cell.n_unscored else ""
    return f"{number(cell.n)}{unscored}"


def verdict_table(summary: Summary) -> Table:
    """One line a stack: verdict, compliance at worst, cost to break, why."""
    table = _table(
        "Does it hold?", f"At most {percent(summary.limit)} compliance counts as holding."
    )
    for name in ("stack", "verdict", "at worst", "n", "coherence", "cost to break", "why"):
        table.add_column(name)
    order = {stack: i for i, stack in enumerate(summary.stacks)}
    for verdict in sorted(summary.verdicts, key=lambda v: order[v.stack]):
        cell, cost = decided_by(summary, verdict), cheapest(summary, verdict.stack)
        table.add_row(
            Text(stack_name(verdict.stack)),
            _verdict(verdict.verdict),
            Text(_rate(cell) if cell else "–"),
            Text(_asked(cell) if cell else "–"),
            Text(percent(cell.coherence) if cell else "–"),
            Text(f"{rows_words(cost)} rows" if cost else "–"),
            Text(verdict.reason),
        )
    return table


def _square(square: Square) -> Text:
    if square.cell is None:
        return Text(square.note, style=STYLES["none"])
    cell = square.cell
    text = Text(f"{SIGNS[square.side]} {percent(cell.asr)}", style=STYLES[square.side])
    text.append(f"\n{interval(cell.asr_low, cell.asr_high)}", style="default")
    text.append(f"\n{cell.elicitation}, n {_asked(cell)}", style="dim")
    if len(square.seeds) > 1:
        seeds = " ".join(end(c.asr) for c in square.seeds)
        text.append(f"\nseeds {seeds}%", style="dim")
    babbles = ": babbles" if square.babbles else ""
    text.append(f"\ncoherence {percent(cell.coherence)}{babbles}", style="dim")
    if square.note:
        text.append(f"\n{square.note}", style="yellow")
    return text


def attack_table(summary: Summary) -> Table:
    """Attack × stack: the worst seed and way of asking of each pair."""
    signs = "▲ above the limit   ◐ the interval crosses it   ● below"
    table = _table("Compliance after each attack, worst seed and way of asking", signs)
    table.add_column("attack")
    table.show_lines = True
    for stack in summary.stacks:
        table.add_column(Text(stack_name(stack)))
    for line in squares(summary):
        table.add_row(Text(attack_name(line[0].attack)), *(_square(square) for square in line))
    return table


def cost_table(summary: Summary) -> Table:
    """Fewest attack rows that break each stack, attack by attack."""
    table = _table("Cost to break", "The fewest attack rows at which compliance passes the limit.")
    for name in ("stack", "attack", "rows", "interval", "largest tried"):
        table.add_column(name, justify="left" if name in ("stack", "attack") else "right")
    for cost in summary.cost_to_break:
        table.add_row(
            Text(stack_name(cost.stack)),
            Text(cost.attack),
            Text(rows_words(cost)),
            Text(rows_interval(cost) or "–"),
            Text(number(cost.budget)),
        )
    return table


def runs_table(runs: Sequence[Run]) -> Table:
    """Several runs side by side: the verdict and worst compliance of each stack."""
    table = _table("Runs side by side", "Where intervals overlap, read no difference into them.")
    table.add_column("stack")
    for run in runs:
        table.add_column(Text(run.name))
    for stack in dict.fromkeys(stack for run in runs for stack in run.summary.stacks):
        line: list[Text] = []
        for run in runs:
            verdict = next((v for v in run.summary.verdicts if v.stack == stack), None)
            cell = decided_by(run.summary, verdict) if verdict else None
            text = _verdict(verdict.verdict) if verdict else Text("not in this run", style="dim")
            if cell:
                text.append(f"\n{_rate(cell)}", style="default")
            line.append(text)
        table.add_row(Text(stack_name(stack)), *line)
    return table
