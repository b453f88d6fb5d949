"""Refusal direction (Arditi et al., "Refusal in Language Models Is Mediated by a Single Direction",
NeurIPS 2024, arXiv 2406.11717, sections 2 and 3; separability by layer as in Youstra et al., arXiv
2508.17158).

Requests that are refused and requests that are answered leave different activations where the reply
begins. If one direction of them tells the two apart, and moves the model from one to the other,
whoever has the weights can take refusal out along it.

Equations: r_l = mean of h_l over refused prompts - mean over answered ones, h_l the residual stream
that leaves layer l at the last tokens of the prompt. Adding: h_l := h_l + a r_l at every token.
Projecting out: h := h - r^ r^^T h of what enters the first layer and what leaves every layer,
r^ = r / ||r||.

Differs from the paper: every last token of the prompt is tried as position, without the template's
help; the candidates are those that separate best on prompts kept aside, of which the one is taken
that lowers refusal of select requests most (the paper's selection also bounds divergence);
separability is the AUROC of h . r^ on prompts kept aside.

Shows a defender: whether refusal hangs on one direction. Abliteration makes the projection
permanent: W := W - r^ r^^T W. What answers that: nothing that leaves the weights open.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from holdfast.probes.looking import (
    BEHAVIOUR_COLUMNS,
    Found,
    Looking,
    Plot,
    Point,
    Probe,
    Table,
    behaviour_cells,
    behaviour_points,
)
from holdfast.probes.residual import Separation, activations, added, projected_out, separate

if TYPE_CHECKING:
    from torch import Tensor


class RefusalDirection(Probe):
    """One direction of the residual stream that stands for refusal.

    Attributes:
        positions: last tokens of the prompt that are looked at.
        samples: prompts of each kind; a quarter of them is kept aside for separability.
        tried: directions, each of another layer, that are projected out to choose one.
        coefficient: a of adding, in lengths of the difference of means.
        deepest: share of layers, from the first, that the direction may come from.
    """

    kind: Literal["refusal_direction"] = "refusal_direction"
    positions: int = Field(3, ge=1)
    samples: int = Field(128, ge=8)
    tried: int = Field(3, ge=1)
    coefficient: float = 1.0
    deepest: float = Field(0.8, gt=0, le=1)

    paper: ClassVar[str] = "Arditi et al., NeurIPS 2024, arXiv 2406.11717"


def refusal_direction(config: RefusalDirection, look: Looking) -> Found:
    """Finds the direction, says how well it separates, adds it and projects it out."""
    refused = activations(look.model, look.rows("safety", config.samples), config.positions)
    answered = activations(look.model, look.rows("utility", config.samples), config.positions)
    look.say("difference of means by layer and position")
    apart = separate(refused, answered)
    layer, position = chosen(config, look, apart)
    direction = apart.directions[layer, position]
    before = look.measure(look.model)
    look.say("with the direction projected out")
    with projected_out(look.model.net, direction):
        without = look.measure(look.model)
    look.say("with the direction added")
    with added(look.model.net, layer, config.coefficient * direction):
        more = look.measure(look.model)
    figures = {
        "layer": layer,
        "position": position - config.positions,
        "auroc": apart.auroc.tolist(),
        "gap": apart.gap.tolist(),
        "length": apart.directions.norm(dim=-1).tolist(),
        "before": asdict(before),
        "projected_out": asdict(without),
        "added": asdict(more),
    }
    said = (
        f"Layer {layer}, token {position - config.positions}: the direction separates refused "
        f"from answered prompts with AUROC {float(apart.auroc[layer, position]):.3f}. Without it "
        f"refusal goes from {before.refused:.0%} to {without.refused:.0%} and compliance from "
        f"{before.complied:.0%} to {without.complied:.0%}; with it added over-refusal goes from "
        f"{_rate(before.over_refusal)} to {_rate(more.over_refusal)} and utility from "
        f"{before.utility:.0%} to {more.utility:.0%}.",
    )
    seen = (("untouched", before), ("projected out", without), ("added", more))
    tables = (
        _by_layer(apart.auroc, config.positions),
        Table(
            "Causal effect",
            ("direction", *BEHAVIOUR_COLUMNS, "over-refusal"),
            tuple((n, *behaviour_cells(b), _rate(b.over_refusal)) for n, b in seen),
        ),
    )
    apart_by_layer = tuple(
        Point(f"token {place - config.positions}", layer, value)
        for layer, line in enumerate(apart.auroc.tolist())
        for place, value in enumerate(line)
    )
    effect = tuple(point for name, behaviour in seen for point in behaviour_points(name, behaviour))
    plots = (
        Plot("How well the direction separates", "lines", "layer", "AUROC", apart_by_layer),
        Plot("What the direction does", "bars", "direction", "share", effect, share=True),
    )
    return Found(said, tables, figures, plots)


def chosen(config: RefusalDirection, look: Looking, apart: Separation) -> tuple[int, int]:
    """Layer and position: of the directions with the widest gaps, one a layer, the one without
    which fewest select requests are refused.
    """
    allowed = apart.gap[: max(1, int(config.deepest * len(apart.gap)))]
    widest = allowed.max(dim=1)
    refusal = {}
    for layer in widest.values.argsort(descending=True)[: config.tried].tolist():
        position = int(widest.indices[layer])
        look.say(f"without the direction of layer {layer}")
        with projected_out(look.model.net, apart.directions[layer, position]):
            seen = look.measure(look.model, split="select", tasks=False)
        refusal[layer, position] = seen.refused
    return min(refusal, key=lambda place: refusal[place])


def _rate(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.0%}"


def _by_layer(separable: Tensor, positions: int) -> Table:
    columns = ("layer", *(f"token {place - positions}" for place in range(positions)))
    lines = [
        (at, *(f"{value:.3f}" for value in line)) for at, line in enumerate(separable.tolist())
    ]
    return Table("AUROC on prompts kept aside", columns, tuple(lines))
