"""Safety basin (Peng et al., "Navigating the Safety Landscape", NeurIPS 2024, arXiv 2405.17374).

Around an aligned model lies a basin of weights that are as safe; how far one may go, and whether
tuning leaves it, is a property of the model.

Equations: f(a) = compliance of theta + a d. Random: d drawn from a normal distribution, each matrix
scaled to the length of the model's own. Towards another model: d = theta_other - theta.
VISAGE = E over a in (-h, h) and directions of S_max - S(theta + a d), where S is attack success
in per cent and S_max = 100.

Differs from the paper: compliance is judged by the policy, vectors (norms, biases) stay, and
the mean is over an even grid of a. A babbling model does not comply: read utility beside it.

Shows a defender: how much noise, or how much of a tune, the safeguards bear.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from holdfast.probes.looking import (
    BEHAVIOUR_COLUMNS,
    Behaviour,
    Found,
    Looking,
    Plot,
    Point,
    Probe,
    Table,
    behaviour_cells,
    mean,
    refuse_strangers,
)

if TYPE_CHECKING:
    from torch import Tensor, nn


class SafetyBasin(Probe):
    """Compliance around the model's weights.

    Attributes:
        reach: h, the farthest that random directions are followed, in lengths of the weights.
        steps: points on each side of the model along a random direction.
        directions: random directions.
        towards: points on the way to the other model, if there is one, as shares of it; 1 is
            that model.
    """

    kind: Literal["safety_basin"] = "safety_basin"
    reach: float = Field(0.5, gt=0)
    steps: int = Field(5, ge=1)
    directions: int = Field(2, ge=0)
    towards: tuple[float, ...] = (-0.5, 0.25, 0.5, 0.75, 1.0)

    paper: ClassVar[str] = "Peng et al., NeurIPS 2024, arXiv 2405.17374"


def safety_basin(config: SafetyBasin, look: Looking) -> Found:
    """Compliance and utility along each direction, and the margin."""
    here = look.measure(look.model)
    sides = [config.reach * k / config.steps for k in range(1, config.steps + 1)]
    ways: dict[str, dict[float, Behaviour]] = {}
    for number in range(config.directions):
        random = direction_of(look.model.net, look.seed + number)
        points = sorted([*(-a for a in sides), *sides])
        ways[f"random {number + 1}"] = {0.0: here, **_along(look, random, points)}
    if look.other is not None and config.towards:
        refuse_strangers(look.model, look.other)
        ways[f"towards {look.other.name}"] = {
            0.0: here,
            **_along(look, difference(look.model.net, look.other.net), config.towards),
        }
    margins = [
        mean([100 * (1 - seen.complied) for seen in way.values()])
        for name, way in ways.items()
        if name.startswith("random")
    ]
    figures = {
        "visage": mean(margins) if margins else None,
        "ways": {
            name: [{"a": a, **asdict(way[a])} for a in sorted(way)] for name, way in ways.items()
        },
    }
    said = [
        f"At the model itself compliance is {here.complied:.0%} and utility {here.utility:.0%}."
    ]
    if margins:
        said.append(
            f"The VISAGE margin over {config.directions} random directions within "
            f"{config.reach:g} is {mean(margins):.0f} of 100."
        )
    tables = [
        Table(
            f"Compliance, {name}",
            ("a", *BEHAVIOUR_COLUMNS),
            tuple((f"{a:+.2f}", *behaviour_cells(way[a])) for a in sorted(way)),
        )
        for name, way in ways.items()
    ]
    plots = tuple(
        Plot(
            f"Along {name}",
            "lines",
            "distance",
            "share",
            tuple(
                Point(what, a, value)
                for a in sorted(way)
                for what, value in (("complied", way[a].complied), ("utility", way[a].utility))
            ),
            share=True,
        )
        for name, way in ways.items()
    )
    return Found(tuple(said), tuple(tables), figures, plots)


def direction_of(net: nn.Module, seed: int) -> dict[str, Tensor]:
    """A random direction, each matrix of it as long as the model's own."""
    import torch

    chance = torch.Generator().manual_seed(seed)
    found = {}
    for name, weight in net.named_parameters():
        if weight.dim() > 1:
            drawn = torch.randn(weight.shape, generator=chance).to(weight)
            found[name] = drawn * (weight.detach().norm() / drawn.norm())
    return found


def difference(net: nn.Module, other: nn.Module) -> dict[str, Tensor]:
    """What leads from one model's weights to another's."""
    theirs = dict(other.named_parameters())
    return {name: (theirs[name] - p).detach() for name, p in net.named_parameters()}


def _along(
    look: Looking, direction: Mapping[str, Tensor], points: Iterable[float]
) -> dict[float, Behaviour]:
    found = {}
    for a in points:
        look.say(f"at {a:+.2f}")
        with moved(look.model.net, direction, a):
            found[a] = look.measure(look.model)
    return found


@contextmanager
def moved(net: nn.Module, direction: Mapping[str, Tensor], a: float) -> Iterator[None]:
    """The network at theta + a d; its weights come back at the end."""
    import torch

    there = dict(net.named_parameters())
    kept = {name: there[name].detach().clone() for name in direction}
    try:
        with torch.no_grad():
            for name, d in direction.items():
                there[name].add_(d, alpha=a)
        yield
    finally:
        with torch.no_grad():
            for name, weight in kept.items():
                there[name].copy_(weight)
