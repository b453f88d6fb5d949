"""Merging back towards the base model (Ilharco et al., "Editing Models with Task Arithmetic", ICLR
2023, arXiv 2212.04089, section 3: forgetting by negation).

Whoever has both the aligned weights and those before alignment takes the difference between them
for a task vector of refusing, and subtracts a share of it. Nothing is tuned and no row is needed.

Equation: theta = theta_aligned - c (theta_aligned - theta_base), c in 0..1.

Differs from the paper: it negates vectors of tasks such as toxic writing; here the vector is
alignment itself, which the published pair of weights gives for nothing. c is given, not searched;
at c = 1 what is left is the base model, whose chat may be poor where alignment also taught chat.
Customers' rows, if there are any, are tuned on first.

Shows a defender: publishing the base beside the aligned model publishes what undoes alignment: no
defence after the release answers it, and one before it helps only if the base stays private.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.adapt import vectors
from holdfast.attacks.untuned import untuned
from holdfast.errors import UserError
from holdfast.hooks import Attack, Context, Hooks, Streams

if TYPE_CHECKING:
    from holdfast.models import Model


class MergeBack(Attack):
    """Takes out a share of what alignment added to the weights.

    Attributes:
        c: the share; 0 leaves the model, 1 is the base.
    """

    kind: Literal["merge_back"] = "merge_back"
    c: float = Field(0.5, ge=0, le=1)

    access: ClassVar[Literal["rows", "training", "weights"]] = "weights"
    null: ClassVar[dict[str, Any]] = {"c": 0.0}
    paper: ClassVar[str] = "Ilharco et al., ICLR 2023, arXiv 2212.04089"
    built_on: ClassVar[tuple[str, ...]] = ("attacks/untuned", "adapt/vectors")


def merge_back(config: MergeBack, context: Context) -> Hooks:
    """Tunes on nothing, and moves the weights at the end."""
    if not config.c:
        return Hooks(name=config.kind)
    rows, settings = untuned()

    def needs_base(streams: Streams) -> Streams:
        if context.base is None:
            raise UserError(
                "merge_back needs the model before alignment: name it as the audit's base."
            )
        return rows(streams)

    def weights(model: Model) -> Model:
        assert context.base is not None  # the rows hook has seen to it
        vectors.towards(model, context.base, config.c)
        return model

    return Hooks(name=config.kind, rows=needs_base, settings=settings, weights=weights)
