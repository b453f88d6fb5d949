"""Drawings, made on the server: the loss of a tune, and a figure before and after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from markupsafe import Markup

WIDE, HIGH = 480, 210
LEFT, RIGHT, TOP, FOOT = 44, 14, 14, 34
POINTS = 240  # that are drawn of longer tunes


def loss(steps: Sequence[Mapping[str, Any]]) -> Markup:
    """The training loss over steps, "" before the first one.

    Args:
        steps: with `step`, `total_steps` and `train_loss`, in order.
    """
    if not steps:
        return Markup("")
    total = max(int(steps[-1]["total_steps"]), 1)
    found = [(int(s["step"]), float(s["train_loss"])) for s in steps]
    points = thinned([point for point in found if isfinite(point[1])])
    if not points:
        return Markup("")
    top = _round_up(max(y for _, y in points))
    x0, x1, y0, y1 = LEFT, WIDE - RIGHT, HIGH - FOOT, TOP

    def x(step: float) -> float:
        return x0 + (x1 - x0) * step / total

    def y(value: float) -> float:
        return y0 + (y1 - y0) * min(max(value, 0.0), top) / top

    first, last = points[0], points[-1]
    drawn = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
    told = (
        f"Training loss, step {last[0]} of {total}: it went from {first[1]:.2f} to {last[1]:.2f}."
    )
    ticks = [
        Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
            '<text x="{}" y="{:.1f}" text-anchor="end">{:g}</text>'
        ).format(x0, x1, y(v), y(v), x0 - 6, y(v) + 4, v)
        for v in (0, top / 2, top)
    ]
    foot = [
        Markup('<text x="{:.1f}" y="{}" text-anchor="{}">{}</text>').format(
            x(step), y0 + 18, anchor, step
        )
        for step, anchor in ((0, "start"), (total // 2, "middle"), (total, "end"))
    ]
    return Markup(
        '<svg class="curve" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}'
        '<text x="{}" y="{}" text-anchor="middle">step</text>'
        '<polyline class="line" points="{}"/><circle class="tip" cx="{:.1f}" cy="{:.1f}" r="4"/>'
        '<text class="told" x="{:.1f}" y="{:.1f}" text-anchor="{}">{:.2f}</text></svg>'
    ).format(
        *(WIDE, HIGH, told, Markup("").join(ticks), Markup("").join(foot)),
        *((x0 + x1) / 2 + 60, y0 + 18, drawn, x(last[0]), y(last[1])),
        *_beside(x(last[0]), y(last[1]), last[1]),
    )


def thinned(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most `POINTS` of them: means of neighbours, and the last one as it is."""
    if len(points) <= POINTS:
        return list(points)
    size = -(-len(points) // POINTS)
    groups = [points[at : at + size] for at in range(0, len(points) - 1, size)]
    means = [(group[-1][0], sum(y for _, y in group) / len(group)) for group in groups]
    return [*means[:-1], points[-1]]


def span(change: Mapping[str, Any]) -> Markup:
    """A rate before (ring) and after (disc) on a line from 0 to 100 %."""
    before, after = (4 + 112 * min(max(float(change[k]), 0), 1) for k in ("before", "after"))
    return Markup(
        '<svg class="span" viewBox="0 0 120 14" aria-hidden="true">'
        '<line class="axis" x1="4" x2="116" y1="7" y2="7"/>'
        '<line class="move" x1="{:.1f}" x2="{:.1f}" y1="7" y2="7"/>'
        '<circle class="before" cx="{:.1f}" cy="7" r="4"/>'
        '<circle class="after" cx="{:.1f}" cy="7" r="4"/></svg>'
    ).format(before, after, before, after)


def _beside(x: float, y: float, value: float) -> tuple[float, float, str, float]:
    """Where the last value is written: above its point, and never beyond the edge."""
    return (x, max(y - 9, 11), "end" if x > WIDE - 60 else "start", value)


def _round_up(value: float) -> float:
    """The next round number, for the end of an axis."""
    if not 0 < value < float("inf"):
        return 1.0
    size = 10.0 ** len(str(int(value))) / 10 if value >= 1 else 0.1
    return next(size * step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if size * step >= value)
