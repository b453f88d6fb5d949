"""Merging back (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022, arXiv
2109.01903, "WiSE-FT").

The tuned model is drawn part of the way back to the aligned one, weight by weight. It is the
plainest of the repairs that mix a safe model in, and the one that others must beat.

Equation: w := (1 - a) w_tuned + a w_aligned.

Differs from the paper: it mixes a vision model tuned on one task with the model it was tuned from,
for robustness; here the second one is the aligned model, and what is hoped for are its refusals.
Its own default, one half, is kept; a is called alpha there for the tuned model's share. Repairs
that choose where to mix (SOMF, arXiv 2405.09055, learns a mask) are not this.

Shows a defender: the price of refusals in skill, one number to turn. At 1 the tune is gone. What
answers a remaining break: resta, which goes past the aligned model, or safety_mixing while tuning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.adapt import vectors
from holdfast.hooks import Context, Defence, Hooks

if TYPE_CHECKING:
    from holdfast.models import Model


class SoftMerge(Defence):
    """Draws the tuned model back to the aligned one.

    Attributes:
        share: a, of the aligned model in the result.
    """

    kind: Literal["soft_merge"] = "soft_merge"
    share: float = Field(0.5, ge=0, le=1)

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "repair"
    needs_rows: ClassVar[bool] = False
    null: ClassVar[dict[str, Any]] = {"share": 0.0}
    paper: ClassVar[str] = "Wortsman et al., CVPR 2022, arXiv 2109.01903"
    built_on: ClassVar[tuple[str, ...]] = ("adapt/vectors",)


def soft_merge(config: SoftMerge, context: Context) -> Hooks:
    """Interpolates at the end of the tune."""
    if not config.share:
        return Hooks(name=config.kind)

    def weights(model: Model) -> Model:
        vectors.towards(model, context.aligned, config.share)
        return model

    return Hooks(name=config.kind, weights=weights)
