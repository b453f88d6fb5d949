"""Plots of named series: lines over a number, bars of named things; as SVG text for a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from holdfast.report.plots import COLOURS, DASHES, SHAPES, WIDTH, Mark, render, scales

if TYPE_CHECKING:
    import altair as alt

BAR = 15  # CSS pixels of one bar
Points = Sequence[Mapping[str, Any]]


def series_marks(names: Sequence[str]) -> dict[str, Mark]:
    """A mark for each series; the first is the plain dark circle."""
    found = {}
    for at, name in enumerate(names):
        colour = "var(--s0)" if at == 0 else f"var(--s{1 + (at - 1) % COLOURS})"
        shape = "circle" if at == 0 else SHAPES[(at - 1) % len(SHAPES)]
        found[name] = Mark(colour, shape, DASHES[at % len(DASHES)])
    return found


def lines(points: Points, marks: Mapping[str, Mark], *, along: str, of: str, share: bool) -> str:
    """Values over a number, a line for each series."""
    import altair as alt

    data = [{"series": p["series"], "at": p["at"], "value": p["value"]} for p in points]
    x = alt.X(
        "at:Q",
        scale=alt.Scale(nice=False),
        axis=alt.Axis(title=along, labelOverlap=True, tickCount=8),
    )
    y = _values(of, share)
    colour, shape, dash = scales(marks, "series")
    base = alt.Chart(alt.NamedData("points"))
    layers = [
        base.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour, strokeDash=dash),
        base.mark_point(filled=True, size=34, opacity=1).encode(
            x=x, y=y, color=colour, shape=shape
        ),
    ]
    return render(layers, data)


def bars(points: Points, marks: Mapping[str, Mark], *, along: str, of: str, share: bool) -> str:
    """Values of named things, a bar for each series beside the others; the value stands behind."""
    import altair as alt

    data = [
        {
            "series": p["series"],
            "at": str(p["at"]),
            "value": p["value"],
            "told": f"{p['value']:.0%}" if share else f"{p['value']:.3g}",
        }
        for p in points
    ]
    names, things = list(marks), list(dict.fromkeys(d["at"] for d in data))
    most = max(1.0, *(d["value"] for d in data))
    scale = alt.Scale(domain=[0, (1.15 if share else 1.15 * most)], nice=False)
    ticks = (
        alt.Axis(title=of, format=".0%", values=[0, 0.25, 0.5, 0.75, 1])
        if share
        else alt.Axis(title=of)
    )
    x = alt.X("value:Q", scale=scale, axis=ticks)
    y = alt.Y(
        "at:N",
        sort=things,
        axis=alt.Axis(title=None, labelLimit=WIDTH // 2, ticks=False, domain=False),
    )
    offset = alt.YOffset("series:N", sort=names)
    colour, _, _ = scales(marks, "series")
    base = alt.Chart(alt.NamedData("points"))
    layers = [
        base.mark_bar().encode(x=x, y=y, yOffset=offset, color=colour),
        base.mark_text(align="left", dx=4, color="currentColor", fontSize=11).encode(
            x=x, y=y, yOffset=offset, text=alt.Text("told:N")
        ),
    ]
    return render(layers, data, height=70 + (BAR * len(names) + 6) * len(things))


def _values(of: str, share: bool) -> alt.Y:
    import altair as alt

    if share:
        ticks = alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1], title=of)
        return alt.Y("value:Q", scale=alt.Scale(domain=[0, 1]), axis=ticks)
    return alt.Y("value:Q", axis=alt.Axis(title=of))
