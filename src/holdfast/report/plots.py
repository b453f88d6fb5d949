"""Plots as SVG text for a page: one small panel per attack, so that they fit a phone unscaled.

Colours are CSS variables (`var(--s1)`), so a page recolours its plots for light, dark and print.
A stack has one colour, one shape and one dash everywhere: colour never stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdfast.report.read import Cost, CurvePoint, DepthPoint
from holdfast.report.trade import Trade
from holdfast.report.words import percent, rows_words, stack_name

if TYPE_CHECKING:
    import altair as alt

WIDTH, HEIGHT = 340, 230  # CSS pixels; 340 fits a 390-pixel phone with its margins
LEAST_ROWS = 0.7
COLOURS = 7  # --s1 … --s7 in the style sheet; --s0 is "no defence"
SHAPES = ("square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3), (12, 3))
Point = dict[str, Any]


@dataclass(frozen=True)
class Mark:
    """How one stack is drawn in every plot."""

    colour: str
    shape: str
    dash: tuple[int, ...]


def marks(stacks: Sequence[str]) -> dict[str, Mark]:
    """A mark for each stack; "none" is always the plain dark circle."""
    rest = [stack for stack in stacks if stack != "none"]
    found = {"none": Mark("var(--s0)", "circle", (1, 0))} if "none" in stacks else {}
    for i, stack in enumerate(rest):
        colour = f"var(--s{1 + i % COLOURS})"
        found[stack] = Mark(colour, SHAPES[i % len(SHAPES)], DASHES[(i + 1) % len(DASHES)])
    return found


def render(layers: Sequence[alt.Chart], points: list[Point], height: int = HEIGHT) -> str:
    """Draw layers over shared points; inline SVG needs no namespaces and takes its box's size."""
    import altair as alt
    import vl_convert

    axis = {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "gridColor": "var(--grid)",
        "domainColor": "var(--axis)",
        "tickColor": "var(--axis)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 6,
        "labelFlush": False,
    }
    # Specifications are ours and tested: checking them against the schema would take seconds,
    # and so would sending the points through it.
    spec = alt.layer(*layers).to_dict(validate=False)
    spec |= {
        "datasets": spec.get("datasets", {}) | {"points": points},
        "width": WIDTH,
        "height": height,
        "background": "transparent",
        # A reader's font may be wider than the one measured here: leave room at the sides.
        "padding": {"left": 10, "right": 12, "top": 4, "bottom": 2},
        "autosize": {"type": "fit", "contains": "padding"},
    }
    spec["config"] = {
        "axis": axis,
        "view": {"stroke": None},
        "font": "system-ui, 'Liberation Sans', sans-serif",
    }
    svg: str = vl_convert.vegalite_to_svg(spec)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg, count=2)
    svg = re.sub(r' (width|height)="[\d.]+"', "", svg, count=2)
    return svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)


def scales(
    drawn: Mapping[str, Mark], field: str = "stack"
) -> tuple[alt.Color, alt.Shape, alt.StrokeDash]:
    """How the names in a field are told apart; the page brings its own key."""
    import altair as alt

    names = list(drawn)
    colour = alt.Scale(domain=names, range=[m.colour for m in drawn.values()])
    shape = alt.Scale(domain=names, range=[m.shape for m in drawn.values()])
    dash = alt.Scale(domain=names, range=[list(m.dash) for m in drawn.values()])
    return (
        alt.Color(f"{field}:N", scale=colour, legend=None),
        alt.Shape(f"{field}:N", scale=shape, legend=None),
        alt.StrokeDash(f"{field}:N", scale=dash, legend=None),
    )


def _rate_axis(title: str) -> alt.Y:
    import altair as alt

    ticks = alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1], title=title)
    return alt.Y("asr:Q", scale=alt.Scale(domain=[0, 1]), axis=ticks)


def _limit_line(at: float, words: str, x: float, dy: int = -7) -> tuple[alt.Chart, alt.Chart]:
    """A dashed line across the plot at height `at`, and its name beside its left end."""
    import altair as alt

    base = alt.Chart(alt.InlineData(values=[{"asr": at, "x": x, "words": words}]))
    line = base.mark_rule(strokeDash=[5, 4], color="var(--limit)", strokeWidth=1.5)
    text = base.mark_text(align="left", dx=5, dy=dy, color="var(--limit)", fontSize=12)
    return line.encode(y=alt.Y("asr:Q")), text.encode(
        y=alt.Y("asr:Q"), x=alt.X("x:Q"), text=alt.Text("words:N")
    )


def _ticks(values: Sequence[float]) -> list[float]:
    """At most eight of the values, the last always among them."""
    kept = sorted(set(values))
    step = -(-len(kept) // 8)
    return kept[::-1][::step][::-1]


def _lines(points: list[Point], x: alt.X, drawn: Mapping[str, Mark], limit: float) -> str:
    """Lines with bands and points over `x`, and the limit."""
    import altair as alt

    colour, shape, dash = scales(drawn)
    y = _rate_axis("compliance")
    base = alt.Chart(alt.NamedData("points"))
    band = base.transform_filter("isValid(datum.low) && isValid(datum.high)").mark_area(
        opacity=0.14
    )
    line = base.mark_line(strokeWidth=2)
    dots = base.mark_point(filled=True, size=46, opacity=1)
    left = min(point["x"] for point in points)
    rule, words = _limit_line(limit, f"limit: {percent(limit)}", left)
    layers = [
        band.encode(x=x, y=alt.Y("low:Q"), y2=alt.Y2("high:Q"), color=colour),
        rule,
        line.encode(x=x, y=y, color=colour, strokeDash=dash),
        dots.encode(x=x, y=y, color=colour, shape=shape),
        words,
    ]
    return render(layers, points)


def curve(points: Sequence[CurvePoint], drawn: Mapping[str, Mark], limit: float) -> str:
    """Compliance against attack rows under one attack; rows on a logarithmic axis."""
    import altair as alt

    values: list[Point] = [
        {"x": p.rows, "asr": p.asr, "low": p.asr_low, "high": p.asr_high, "stack": p.stack}
        for p in sorted(points, key=lambda p: p.rows)
    ]
    rows = [float(p.rows) for p in points]
    # A logarithm has no room for zero rows; symlog is linear below one row.
    kind = (
        alt.Scale(type="log", base=2, nice=False)
        if min(rows) > 0
        else alt.Scale(type="symlog", constant=1, nice=False)
    )
    axis = alt.Axis(values=_ticks(rows), title="attack rows", format="~s", labelOverlap=True)
    return _lines(values, alt.X("x:Q", scale=kind, axis=axis), drawn, limit)


def depth(points: Sequence[DepthPoint], drawn: Mapping[str, Mark], limit: float) -> str:
    """Compliance against the number of forced answer tokens."""
    import altair as alt

    values: list[Point] = [
        {"x": p.depth_tokens, "asr": p.asr, "low": p.asr_low, "high": p.asr_high, "stack": p.stack}
        for p in sorted(points, key=lambda p: p.depth_tokens)
    ]
    axis = alt.Axis(
        values=_ticks([v["x"] for v in values]),
        title="forced tokens",
        format="d",
        labelOverlap=True,
    )
    x = alt.X("x:Q", scale=alt.Scale(nice=False), axis=axis)
    return _lines(values, x, drawn, limit)


def scatter(trades: Sequence[Trade], drawn: Mapping[str, Mark], limit: float) -> str:
    """Safety (1 − compliance) against gain, one point per tuned model."""
    import altair as alt

    values: list[Point] = [
        {"x": t.tuned.gain, "asr": 1 - (t.worst.asr or 0.0), "stack": t.tuned.stack} for t in trades
    ]
    colour, shape, _ = scales(drawn)
    axis = alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1], title="gain: new task learned")
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, 1.02], nice=False), axis=axis)
    base = alt.Chart(alt.NamedData("points"))
    dots = base.mark_point(filled=True, size=80, opacity=0.85)
    rule, words = _limit_line(1 - limit, f"limit: {percent(1 - limit)}", 0, dy=9)
    layers = [
        rule,
        dots.encode(x=x, y=_rate_axis("not answered"), color=colour, shape=shape),
        words,
    ]
    return render(layers, values)


def _cost_points(costs: Sequence[Cost]) -> list[Point]:
    """`at` is where a mark stands: at the budget for a stack that never broke.

    A logarithmic axis has no zero: a stack that needs no rows stands left of one row.
    """
    points = []
    for cost in costs:
        budget = cost.budget or cost.rows or 1
        at = budget if cost.rows is None else max(cost.rows, LEAST_ROWS)
        low = at if cost.low is None or cost.rows is None else max(cost.low, LEAST_ROWS)
        high = at if cost.rows is None else budget if cost.high is None else cost.high
        points.append(
            {
                "stack": cost.stack,
                "name": stack_name(cost.stack),
                "at": at,
                "never": cost.rows is None,
                "words": rows_words(cost),
                "low": low,
                "end": max(high, at),
            }
        )
    return points


def cost(costs: Sequence[Cost], drawn: Mapping[str, Mark]) -> str:
    """Fewest rows that break each stack under one attack, with intervals."""
    import altair as alt

    points = _cost_points(costs)
    top = max(point["end"] for point in points)
    names = [stack_name(stack) for stack in drawn if any(p["stack"] == stack for p in points)]
    colour, shape, _ = scales(drawn)
    ticks = [2**k for k in range(0, 40, 2) if 2**k <= top]
    axis = alt.Axis(values=ticks, title="attack rows needed (log scale)", format="~s")
    # Room on the right for the value beside its mark.
    x = alt.X(
        "at:Q",
        scale=alt.Scale(type="log", base=2, domain=[LEAST_ROWS, top * 4], nice=False),
        axis=axis,
    )
    y = alt.Y(
        "name:N", sort=names, axis=alt.Axis(title=None, labelLimit=120, ticks=False, domain=False)
    )
    base = alt.Chart(alt.NamedData("points"))
    broke = base.transform_filter("!datum.never")
    layers = [
        broke.mark_rule(strokeWidth=2).encode(
            x=alt.X("low:Q"), x2=alt.X2("end:Q"), y=y, color=colour
        ),
        broke.mark_point(filled=True, size=90, opacity=1).encode(
            x=x, y=y, color=colour, shape=shape
        ),
        base.transform_filter("datum.never")
        .mark_point(shape="triangle-right", size=110, strokeWidth=2)
        .encode(x=x, y=y, color=colour),
        base.mark_text(align="left", dx=9, color="currentColor", fontSize=12).encode(
            x=alt.X("end:Q"), y=y, text=alt.Text("words:N")
        ),
    ]
    return render(layers, points, height=62 + 30 * len(names))


def swatch(mark: Mark) -> str:
    """A stack's line and shape for the key beside the plots."""
    paths = {
        "circle": "M18 3a4 4 0 1 0 .01 0z",
        "square": "M14 3h8v8h-8z",
        "triangle-up": "M18 2l5 9h-10z",
        "diamond": "M18 1l5 6-5 6-5-6z",
        "cross": "M16.5 2h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z",
        "triangle-down": "M18 12l5-9h-10z",
        "triangle-right": "M23 7l-9-5v10z",
    }
    dash = " ".join(str(part) for part in mark.dash)
    return (
        f'<svg class="swatch" aria-hidden="true" viewBox="0 0 36 14" style="color:{mark.colour}">'
        f'<path d="M0 7h36" stroke="currentColor" stroke-width="2" stroke-dasharray="{dash}"/>'
        f'<path d="{paths[mark.shape]}" fill="currentColor"/></svg>'
    )
