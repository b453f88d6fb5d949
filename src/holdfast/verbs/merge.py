"""`holdfast merge`: one model of what several tunes added to the same base."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.errors import UserError
from holdfast.verbs.options import Json

if TYPE_CHECKING:
    from holdfast.adapt.merging import How
    from holdfast.adapt.vectors import TaskVector
    from holdfast.models import Model

ENDING = ".safetensors"


@dataclass(frozen=True)
class MergeOptions:
    """What the command line gave.

    Attributes:
        base: what all tunes started from.
        tuned: folders of tuned models, or files of task vectors.
        out: folder of the merged model; with the ending of safetensors, file of its task vector.
        weights: factor of each; negative ones take a task away.
    """

    base: str
    tuned: tuple[str, ...]
    out: Path
    how: How = "arithmetic"
    weights: tuple[float, ...] = ()
    density: float = 0.2
    seed: int = 0
    json: bool = False


def merge(
    base: Annotated[str, typer.Argument(help="The model that all tunes started from.")],
    tuned: Annotated[
        list[str], typer.Argument(help="Folders of tuned models, or files of task vectors.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Merged model; its task vector if .safetensors.")
    ],
    how: Annotated[str, typer.Option(help="arithmetic, ties or dare.")] = "arithmetic",
    weight: Annotated[
        list[float] | None, typer.Option(help="Factor of each in turn; a negative one forgets.")
    ] = None,
    density: Annotated[float, typer.Option(help="Share of entries that ties, dare keep.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Of what dare drops.")] = 0,
    as_json: Json = False,
) -> int:
    """Merge what several tunes added to one model, or save it as a task vector."""
    return main(
        MergeOptions(
            base=base,
            tuned=tuple(tuned),
            out=out,
            how=how_of(how),
            weights=tuple(weight or ()),
            density=density,
            seed=seed,
            json=as_json,
        )
    )


def main(options: MergeOptions) -> int:
    """Merges, and saves a model or a task vector.

    Raises:
        UserError: models of different shapes, no task vector, an output that is there.
    """
    from holdfast import models
    from holdfast.adapt import vectors
    from holdfast.adapt.merging import merged

    if options.out.exists():
        raise UserError(f"{options.out} is there already: choose another name for --out.")
    base = models.load(options.base)
    each = [_vector(base, name) for name in options.tuned]
    weights = options.weights or None
    one = merged(each, options.how, weights=weights, density=options.density, seed=options.seed)
    if options.out.suffix == ENDING:
        vectors.save(one, options.out)
    else:
        vectors.add(base, one)
        models.save(base, options.out)
    _say(options, base, each, one)
    return 0


def how_of(text: str) -> How:
    """The way of merging called so.

    Raises:
        UserError: there is none.
    """
    ways: dict[str, How] = {"arithmetic": "arithmetic", "ties": "ties", "dare": "dare"}
    if text not in ways:
        raise UserError(f"--how {text}: choose arithmetic, ties or dare.")
    return ways[text]


def _vector(base: Model, name: str) -> TaskVector:
    from holdfast import models
    from holdfast.adapt import vectors

    if name.endswith(ENDING):
        return vectors.load(name)
    return vectors.between(base, models.load(name))


def _say(options: MergeOptions, base: Model, each: Sequence[TaskVector], one: TaskVector) -> None:
    from holdfast.adapt.vectors import share

    shares = [share(vector, base) for vector in each]
    if options.json:
        told = {
            "out": str(options.out),
            "how": options.how,
            "moved": dict(zip(options.tuned, shares, strict=True)),
            "moved_together": share(one, base),
        }
        print(json.dumps(told))
        return
    for name, moved in zip(options.tuned, shares, strict=True):
        print(f"{name} moves {moved:.1%} of the weights of {options.base}")
    print(f"Together {share(one, base):.1%}, saved in {options.out}")
