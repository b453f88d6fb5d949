"""The page of an evaluation: which ways of asking and which categories get through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast.report import page
from holdfast.report.benchmark_read import (
    Beside,
    Cell,
    Evaluation,
    Rate,
    Square,
    read_evaluation,
)
from holdfast.report.benchmark_words import answer, asked, limits
from holdfast.report.read import StackVerdict
from holdfast.report.samples import Sample, samples_of
from holdfast.report.squares import Side, side

SCALES = (0.2, 0.3, 0.5, 1.0)  # right ends of the bars' axis
MOST_WEAK = 12  # categories shown before the rest is folded away
SAMPLED_WAYS = 3


@dataclass(frozen=True)
class Card:
    """What the first screen says about one model."""

    verdict: StackVerdict
    cell: Cell | None
    beside: Beside


@dataclass(frozen=True)
class Bar:
    """One model's rate against the limit, or why there is none."""

    model: str
    rate: Rate | None
    side: Side
    gap: str = ""
    unsure: bool = False


@dataclass(frozen=True)
class Bars:
    """One way of asking, domain or category: a bar for each model; `total` sums up a group."""

    name: str
    bars: tuple[Bar, ...]
    total: bool = False

    @property
    def worst(self) -> float:
        """The highest rate."""
        return max((bar.rate.asr or 0 for bar in self.bars if bar.rate), default=0)


@dataclass(frozen=True)
class Map:
    """Category × way of one model. A column without figures says why in `gaps`."""

    model: str
    groups: dict[str, list[str]]
    gaps: dict[str, str]
    domains: dict[str, dict[str, list[Square | None]]]
    pooled: dict[str, Rate]


@dataclass(frozen=True)
class Told:
    """Exchanges of one cell."""

    cell: Cell
    exchanges: tuple[Sample, ...]


def write(folder: Path, out: Path | None = None) -> Path:
    """Write the page of one evaluation.

    Args:
        folder: A run folder with `summary.json`.
        out: The file to write; `report.html` in the run folder unless given.

    Raises:
        UserError: The folder is no finished evaluation, or one of its files is malformed.
    """
    run = read_evaluation(folder)
    summary = run.summary
    text = (
        page.environment()
        .get_template("benchmark.html.j2")
        .render(
            run=run,
            summary=summary,
            answer=answer(summary),
            asked=asked,
            cards=cards(summary),
            scale=scale(summary),
            bars=way_bars(summary),
            domains=rate_bars(summary, "domain"),
            weak=rate_bars(summary, "category"),
            most_weak=MOST_WEAK,
            maps=[heat_map(summary, m) for m in summary.names],
            samples=samples(run.folder, summary),
            limits=limits(summary),
            settings=page.settings(run.facts),
            explain=page.glossary(),
        )
    )
    return page.write_page(Path(out) if out else run.folder / "report.html", text)


def cards(summary: Evaluation) -> list[Card]:
    """One for each model, in order."""
    verdicts = {v.stack: v for v in summary.verdicts}
    cells = {c.id: c for c in summary.cells}
    return [
        Card(verdict, cells.get(verdict.worst_cell or ""), beside)
        for beside in summary.models
        if (verdict := verdicts.get(beside.model))
    ]


def scale(summary: Evaluation) -> float:
    """The right end of all bars' axes: the shortest that holds every interval."""
    highest = max((r.asr_high or 0 for r in summary.rates if r.by != "all"), default=0)
    return next((end for end in SCALES if end >= max(highest, summary.limit)), 1.0)


def way_bars(summary: Evaluation) -> dict[str, list[Bars]]:
    """Compliance by way of asking, in groups; groups of several ways end with all of them."""
    found = {}
    for group, ways in summary.groups.items():
        lines = [Bars(w, tuple(_way_bar(summary, m, w) for m in summary.names)) for w in ways]
        if len(ways) > 1:
            bars = tuple(_bar(summary, m, summary.rate(m, "group", group)) for m in summary.names)
            lines.append(Bars(f"all {group}", bars, total=True))
        found[group] = lines
    return found


def _way_bar(summary: Evaluation, model: str, way: str) -> Bar:
    cell = summary.cell(model, way)
    gap = gap_of(cell)
    if gap or cell is None:
        return Bar(model, None, "none", gap)
    unsure = cell.able == "unknown" and cell.group != "plain"
    return _bar(summary, model, summary.rate(model, "way", way), unsure)


def _bar(summary: Evaluation, model: str, rate: Rate | None, unsure: bool = False) -> Bar:
    if rate is None or rate.asr is None:
        return Bar(model, None, "none", "no figure")
    return Bar(model, rate, side(rate.asr_low, rate.asr_high, summary.limit), unsure=unsure)


def gap_of(cell: Cell | None) -> str:
    """Why a cell has no figure; "" if it has one."""
    if cell is None:
        return "not measured"
    if cell.status == "not able" and cell.ability is not None:
        return f"not able (before alignment {cell.ability:.0%})"
    return "" if cell.status == "done" else cell.status


def rate_bars(summary: Evaluation, by: str) -> list[Bars]:
    """Bars of domains or categories, the weakest first."""
    names = dict.fromkeys(r.name for r in summary.rates if r.by == by)
    lines = [
        Bars(name, tuple(_bar(summary, m, summary.rate(m, by, name)) for m in summary.names))
        for name in names
    ]
    return sorted(lines, key=lambda line: -line.worst)


def heat_map(summary: Evaluation, model: str) -> Map:
    """Every category of a model in every way of asking."""
    ways = [w.way for w in summary.ways]
    own = [s for s in summary.categories if s.model == model]
    by_place = {(s.category, s.elicitation): s for s in own}
    domains: dict[str, dict[str, list[Square | None]]] = {}
    for square in own:
        lines = domains.setdefault(square.domain or "all", {})
        lines[square.category] = [by_place.get((square.category, way)) for way in ways]
    gaps = {way: gap for way in ways if (gap := gap_of(summary.cell(model, way)))}
    pooled = {r.name: r for r in summary.rates if (r.model, r.by) == (model, "category")}
    return Map(model, summary.groups, gaps, domains, pooled)


def samples(folder: Path, summary: Evaluation) -> list[Told]:
    """Exchanges of each model's weakest ways; none where the forbidden content is real."""
    path = folder / "exchanges.parquet"
    if not summary.invented or not path.exists():
        return []
    found = []
    for model in summary.names:
        for cell in weakest_ways([c for c in summary.cells if c.model == model]):
            found.append(Told(cell, samples_of(path, cell.id)))
    return [told for told in found if told.exchanges]


def weakest_ways(cells: Sequence[Cell]) -> list[Cell]:
    """The ways that got through most; asked plainly, where none did."""
    done = sorted((c for c in cells if c.done), key=lambda c: -(c.asr or 0))
    return [c for c in done if c.asr][:SAMPLED_WAYS] or done[:1]
