"""The page of `holdfast probe`: what each probe says, its plots, its tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.errors import UserError
from holdfast.report import page, plots, series

if TYPE_CHECKING:
    from markupsafe import Markup

PROBES = "probes.json"
PAGE = "report.html"


def write(folder: Path) -> Path:
    """Writes `report.html` beside a folder's `probes.json`.

    Raises:
        UserError: there is no such file, or it is malformed.
    """
    path = Path(folder) / PROBES
    try:
        told = json.loads(path.read_text("utf-8"))
        sections = [_section(one) for one in told["probes"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} holds no findings of probes ({error}): run the probe again."
        ) from error
    text = page.environment().get_template("probe.html.j2").render(told=told, sections=sections)
    return page.write_page(Path(folder) / PAGE, text)


def _section(one: Mapping[str, Any]) -> dict[str, Any]:
    pictures = [
        {"title": plot["title"], "svg": svg, "key": key}
        for plot in one["plots"]
        if plot["points"]
        for svg, key in [_drawn(plot)]
    ]
    return {
        "name": one["probe"],
        "settings": ", ".join(f"{key}={value}" for key, value in one["settings"].items()),
        "said": one["said"],
        "tables": one["tables"],
        "plots": pictures,
    }


def _drawn(plot: Mapping[str, Any]) -> tuple[Markup, list[tuple[str, Markup]]]:
    """The picture, and its key: a swatch for each series."""
    from markupsafe import Markup

    points: Sequence[Mapping[str, Any]] = plot["points"]
    marks = series.series_marks(list(dict.fromkeys(p["series"] for p in points)))
    draw = series.lines if plot["shape"] == "lines" else series.bars
    svg = draw(points, marks, along=plot["along"], of=plot["of"], share=plot["share"])
    key = [(name, Markup(plots.swatch(mark))) for name, mark in marks.items()]
    return Markup(svg), key if len(marks) > 1 else []
