"""The page of `holdfast audit --suite backdoor`: what every attack meets, and what stops it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.backdoors.cell import STEPS
from holdfast.errors import UserError
from holdfast.report import page, plots, series
from holdfast.report.clusters import cluster_map, roc_curves

if TYPE_CHECKING:
    from markupsafe import Markup
    from rich.console import Console

PAGE = "report.html"
LEFT = 0.05  # success that may be left, in every seed, where a method is said to stop an attack
LOST = 0.03  # accuracy that it may cost
Cell = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """A figure over seeds; None where no seed has it."""

    mean: float | None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, cells: Sequence[Cell], name: str) -> Figure:
        values = [cell[name] for cell in cells if cell.get(name) is not None]
        if not values:
            return cls(None)
        return cls(math.fsum(values) / len(values), min(values), max(values))


@dataclass(frozen=True)
class Met:
    """What a method did to an attack, over the seeds.

    Attributes:
        name: of the method.
        work: `filter` or `guard`.
        judged: seeds in which it gave a verdict; of `seeds`.
        why: the reason where it gave none.
        left: success that is left; of a filter after retraining.
        accuracy: of clean inputs, then.
        found: poisoned rows, or triggered inputs, that it finds.
        false: clean rows, or clean inputs, that it takes for the others.
        separation: AUROC of its scores.
        stops: whether little is left in every seed, at little accuracy lost.
    """

    name: str
    work: str
    judged: int
    seeds: int
    why: str
    left: Figure
    accuracy: Figure
    found: Figure
    false: Figure
    separation: Figure
    stops: bool


@dataclass(frozen=True)
class Attack:
    """An attack on a ground, over the seeds: its cells, and what they come to."""

    ground: str
    name: str
    cells: Sequence[Cell]
    success: Figure
    floor: Figure
    accuracy: Figure
    clean_accuracy: Figure
    met: tuple[Met, ...]

    @property
    def stopped_by(self) -> list[str]:
        """The methods that stop it."""
        return [m.name for m in self.met if m.stops]


def attacks_of(cells: Sequence[Cell]) -> list[Attack]:
    """The attacks in a run's cells, in their order."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell["case"]["ground"], cell["case"]["attack"]), []).append(cell)
    return [_attack(ground, name, own) for (ground, name), own in groups.items()]


def _attack(ground: str, name: str, cells: Sequence[Cell]) -> Attack:
    figures = [cell["figures"] for cell in cells]
    before = Figure.of(figures, "accuracy")
    works = (("filter", "filters"), ("guard", "guards"))
    met = [
        _met(method, work, [cell[key][method] for cell in cells if method in cell[key]], before)
        for work, key in works
        for method in dict.fromkeys(m for cell in cells for m in cell[key])
    ]
    return Attack(
        ground,
        name,
        cells,
        Figure.of(figures, "success"),
        Figure.of(figures, "floor"),
        before,
        Figure.of(figures, "clean_accuracy"),
        tuple(met),
    )


def _met(name: str, work: str, cells: Sequence[Cell], before: Figure) -> Met:
    judged = [cell for cell in cells if "unjudged" not in cell]
    mends = work == "guard" and any("mended_success" in cell for cell in judged)
    left = Figure.of(judged, "mended_success" if mends else "success")
    accuracy = Figure.of(judged, "mended_accuracy" if mends else "accuracy")
    accepted = [{"found": 1 - c["false_acceptance"]} for c in judged if "false_acceptance" in c]
    lost = (before.mean or 0.0) - (accuracy.mean or 0.0)
    return Met(
        name=name,
        work=work,
        judged=len(judged),
        seeds=len(cells),
        why=next((cell["unjudged"] for cell in cells if "unjudged" in cell), ""),
        left=left,
        accuracy=accuracy,
        found=Figure.of(judged, "recall") if work == "filter" else Figure.of(accepted, "found"),
        false=Figure.of(judged, "false_removal" if work == "filter" else "false_rejection"),
        separation=Figure.of(judged, "auroc" if work == "filter" else "separation"),
        stops=len(judged) == len(cells)
        and left.high is not None
        and left.high <= LEFT
        and lost <= LOST,
    )


def write(folder: Path, out: Path | None = None) -> Path:
    """Writes the page of a finished run.

    Raises:
        UserError: the folder holds no such run.
    """
    path = Path(folder) / "summary.json"
    try:
        told = json.loads(path.read_text("utf-8"))
        attacks, suite = attacks_of(told["cells"]), told["suite"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} holds no findings on backdoors ({error}): run the audit again."
        ) from error
    text = (
        page.environment()
        .get_template("backdoors.html.j2")
        .render(
            attacks=attacks,
            pictures=[_pictures(attack) for attack in attacks],
            settings=page.settings(suite),
            seeds=suite["seeds"],
            left=LEFT,
            lost=LOST,
        )
    )
    return page.write_page(out or Path(folder) / PAGE, text)


def _pictures(attack: Attack) -> dict[str, Any]:
    """ROC curves of guards over seeds, and the first seed's map of rows."""
    from markupsafe import Markup

    guards = [m.name for m in attack.met if m.work == "guard" and m.judged]
    points = []
    for name in guards:
        told = [cell["guards"].get(name, {}) for cell in attack.cells]
        curves = [guard["roc"] for guard in told if "roc" in guard]
        points += [
            {
                "series": name,
                "at": step,
                "value": math.fsum(shares) / len(shares),
                "low": min(shares),
                "high": max(shares),
            }
            for step, *shares in zip(STEPS, *curves, strict=True)
        ]
    marks = series.series_marks(guards)
    key: list[tuple[str, Markup]] = [(n, Markup(plots.swatch(m))) for n, m in marks.items()]
    first = next((c for c in attack.cells if c["map"]), None)
    judged = [n for n, f in first["filters"].items() if "unjudged" not in f] if first else []
    return {
        "roc": Markup(roc_curves(points, marks)) if points else "",
        "key": key,
        "map": Markup(cluster_map(first["map"])) if first else "",
        "seed": first["case"]["seed"] if first else 0,
        "flagger": judged[0] if judged else "",
    }


def show(cells: Sequence[Cell], console: Console) -> None:
    """Prints what stops what."""
    from rich.table import Table

    table = Table("attack", "success (floor)", "stopped by", "success left otherwise")
    for attack in attacks_of(cells):
        others = [m for m in attack.met if not m.stops and m.left.mean is not None]
        best = min(others, key=lambda m: m.left.mean or 0.0, default=None)
        table.add_row(
            f"{attack.ground}: {attack.name}",
            f"{_percent(attack.success.mean)} ({_percent(attack.floor.mean)})",
            ", ".join(attack.stopped_by) or "nothing",
            f"{_percent(best.left.mean)} by {best.name}" if best else "",
        )
    console.print(table, highlight=False)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
