"""One self-contained page from a run folder: no script, no network, nothing outside the file.

Everything a model, a user or a file named goes through Jinja's autoescape; the page's own content
security policy forbids scripts and requests altogether. Every measured figure is written as
`<data value="exact">rounded</data>`, so the page can be checked against `summary.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.report import page, plots, words
from holdfast.report.durability import questions, searches
from holdfast.report.limits import limits
from holdfast.report.read import (
    Cell,
    Cost,
    Run,
    StackVerdict,
    Summary,
    kind_of,
    read_run,
    read_runs,
)
from holdfast.report.samples import samples
from holdfast.report.squares import category_map, squares
from holdfast.report.trade import CUSTOMER, paid_for, trades

if TYPE_CHECKING:
    from markupsafe import Markup

MOST_CELLS = 600  # lines of the full table; beyond that summary.json is the better place
MOST_PANELS = 12  # plots of one kind
EVALUATION = "evaluation"  # what `holdfast evaluate` calls its runs
BACKDOORS = "backdoors"  # and the suite of that name its own


@dataclass(frozen=True)
class StackCard:
    """What the first screen says about one stack, and what a customer gets under it."""

    verdict: StackVerdict
    cell: Cell | None
    cost: Cost | None
    paid: Cell | None


@dataclass(frozen=True)
class Panel:
    """One plot, for one attack; `svg` is markup of our own making."""

    attack: str
    svg: Markup


def _cards(summary: Summary) -> list[StackCard]:
    order = {stack: i for i, stack in enumerate(summary.stacks)}
    verdicts = sorted(summary.verdicts, key=lambda v: order[v.stack])
    return [
        StackCard(
            verdict=v,
            cell=words.decided_by(summary, v),
            cost=words.cheapest(summary, v.stack),
            paid=paid_for(summary, v.stack),
        )
        for v in verdicts
    ]


def _panels(summary: Summary) -> dict[str, list[Panel]]:
    """Every plot of the page, by section."""
    from markupsafe import Markup

    drawn = plots.marks(summary.stacks)
    limit = summary.limit
    found: dict[str, list[Panel]] = {"cost": [], "curve": [], "scatter": [], "depth": []}
    tradeoffs = trades(summary)
    attacks = [*summary.attacks, *(c.attack for c in summary.cost_to_break)]
    attacks += [*(p.attack for p in summary.curves), ""]
    for attack in list(dict.fromkeys(attacks))[:MOST_PANELS]:
        costs = [c for c in summary.cost_to_break if c.attack == attack]
        points = [p for p in summary.curves if p.attack == attack]
        dots = tradeoffs.get(attack, [])
        if costs:
            found["cost"].append(Panel(attack, Markup(plots.cost(costs, drawn))))
        if points:
            found["curve"].append(Panel(attack, Markup(plots.curve(points, drawn, limit))))
        if dots:
            found["scatter"].append(Panel(attack, Markup(plots.scatter(dots, drawn, limit))))
    if summary.prefix_depth:
        svg = plots.depth(summary.prefix_depth, drawn, limit)
        found["depth"].append(Panel("", Markup(svg)))
    return found


def _settings(run: Run) -> dict[str, list[tuple[str, str]]]:
    """`run.json` by its top-level names, and the seeds of the cells."""
    seeds = sorted({c.seed for c in run.summary.cells if c.seed is not None})
    groups = page.settings(run.facts)
    if seeds:
        groups["seeds"] = [("seeds", ", ".join(map(str, seeds)))]
    return groups


def write_report(run_folder: Path, out: Path | None = None) -> Path:
    """Write the page of one run.

    Args:
        run_folder: a folder with `summary.json`; `run.json` and `exchanges.parquet` are used
            where they exist.
        out: the file to write; `report.html` in the run folder unless given.

    Returns:
        The file written.

    Raises:
        UserError: the folder is no finished run, or one of its files is malformed.
    """
    from markupsafe import Markup

    if kind_of(Path(run_folder)) == EVALUATION:
        from holdfast.report import benchmark

        return benchmark.write(Path(run_folder), out)
    if kind_of(Path(run_folder)) == BACKDOORS:
        from holdfast.report import backdoors

        return backdoors.write(Path(run_folder), out)
    run = read_run(Path(run_folder))
    summary = run.summary
    marks = plots.marks(summary.stacks)
    text = (
        page.environment()
        .get_template("report.html.j2")
        .render(
            run=run,
            summary=summary,
            answer=words.answer(summary),
            others=words.others(summary),
            cards=_cards(summary),
            squares=squares(summary),
            panels=_panels(summary),
            categories=category_map(summary),
            samples=samples(run),
            limits=limits(summary),
            questions=questions(summary, run.facts),
            searches=searches(summary),
            settings=_settings(run),
            cells=summary.cells[:MOST_CELLS],
            explain=page.glossary(),
            swatches={stack: Markup(plots.swatch(mark)) for stack, mark in marks.items()},
            more_panels=max(0, len(summary.attacks) - MOST_PANELS),
            honest=any(cell.attack == CUSTOMER for cell in summary.done),
        )
    )
    return page.write_page(Path(out) if out else run.folder / "report.html", text)


def write_runs_report(run_folders: Sequence[Path], out: Path) -> Path:
    """Write one page that sets several runs side by side.

    Raises:
        UserError: a folder is no finished run, or one of its files is malformed.
    """
    runs = read_runs(run_folders)
    stacks = list(dict.fromkeys(s for run in runs for s in run.summary.stacks))
    pairs = list(
        dict.fromkeys(
            (row.attack, row.stack) for run in runs for line in squares(run.summary) for row in line
        )
    )
    by_run = [
        {(s.attack, s.stack): s for line in squares(run.summary) for s in line} for run in runs
    ]
    verdicts = [{card.verdict.stack: card for card in _cards(run.summary)} for run in runs]
    text = (
        page.environment()
        .get_template("runs.html.j2")
        .render(
            runs=runs,
            stacks=stacks,
            pairs=pairs,
            by_run=by_run,
            verdicts=verdicts,
            answers=[words.answer(run.summary) for run in runs],
            limit=runs[0].summary.limit if len({run.summary.limit for run in runs}) == 1 else None,
            explain=page.glossary(),
        )
    )
    return page.write_page(Path(out), text)
