"""Pictures of poisoned rows and of guards: a map of hidden states, and ROC curves with bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.report.plots import COLOURS, Mark, render, scales

MAP_HEIGHT = 300  # CSS pixels
TICKS = (0.0, 0.01, 0.1, 0.3, 1.0)


def cluster_map(rows: Sequence[Sequence[float]]) -> str:
    """Rows where their hidden states put them.

    A colour for each label; poison is a cross, and what the filter flags has a ring.

    Args:
        rows: x and y from 0 to 1, label, whether it is poison, whether it is flagged.
    """
    import altair as alt

    points = [
        {"x": x, "y": y, "label": str(int(label)), "poison": bool(poison), "flagged": bool(flagged)}
        for x, y, label, poison, flagged in rows
    ]
    points.sort(key=lambda point: bool(point["poison"]))  # crosses are drawn over dots
    labels = sorted({str(point["label"]) for point in points}, key=int)
    colours = [f"var(--s{1 + n % COLOURS})" for n in range(len(labels))]
    no_ticks = alt.Axis(labels=False, ticks=False, grid=False, title=None)
    unit = alt.Scale(domain=[-0.03, 1.03], nice=False)
    x, y = alt.X("x:Q", scale=unit, axis=no_ticks), alt.Y("y:Q", scale=unit, axis=no_ticks)
    colour = alt.Color("label:N", scale=alt.Scale(domain=labels, range=colours), legend=None)
    base = alt.Chart(alt.NamedData("points"))
    layers = [
        base.transform_filter("!datum.poison")
        .mark_point(filled=True, size=16, opacity=0.55)
        .encode(x=x, y=y, color=colour),
        base.transform_filter("datum.flagged")
        .mark_point(size=110, strokeWidth=1.3, opacity=0.8, color="var(--s0)")
        .encode(x=x, y=y),
        base.transform_filter("datum.poison")
        .mark_point(shape="cross", filled=True, size=60, opacity=1)
        .encode(x=x, y=y, color=colour),
    ]
    return render(layers, points, height=MAP_HEIGHT)


def roc_curves(points: Sequence[Mapping[str, Any]], marks: Mapping[str, Mark]) -> str:
    """Share of triggered inputs that are stopped over false alarms: mean, and band over seeds.

    Args:
        points: `series`, `at` (share of clean inputs that are stopped), `value`, `low`, `high`.
        marks: of the series.
    """
    import altair as alt

    x = alt.X(
        "at:Q",
        scale=alt.Scale(type="sqrt", domain=[0, 1], nice=False),
        axis=alt.Axis(
            title="false alarms (square-root scale)", format=".0%", values=list(TICKS), grid=True
        ),
    )
    y = alt.Y(
        "value:Q",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(
            format=".0%", values=[0, 0.25, 0.5, 0.75, 1], title="triggered inputs stopped"
        ),
    )
    colour, _, dash = scales(marks, "series")
    base = alt.Chart(alt.NamedData("points"))
    layers = [
        base.mark_area(opacity=0.18).encode(
            x=x, y=alt.Y("low:Q"), y2=alt.Y2("high:Q"), color=colour
        ),
        base.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour, strokeDash=dash),
    ]
    return render(layers, [dict(point) for point in points])
