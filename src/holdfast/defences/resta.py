"""RESTA (Bhardwaj et al., "Language Models are Homer Simpson! Safety Re-Alignment of Fine-tuned
Language Models through Task Arithmetic", ACL 2024, arXiv 2402.11746).

The defender breaks a copy of the aligned model on its own forbidden rows. What that took away is a
direction of safety, and adding it to the tuned model gives refusals back.

Equation: d_safe = theta_aligned - theta_unaligned; theta := theta_tuned + gamma d_safe. With DARE
(arXiv 2311.03099) the tune's own update d = theta_tuned - theta_aligned is thinned first: each
entry is dropped with probability p, the others are divided by 1 - p.

Differs from the paper: the unaligned model comes from tuning the aligned one on the defender's
canary rows, with the loop's own defaults unless told otherwise; the paper's gamma and recipe were
not at hand, so 0.5 is ours, in the middle of the range from 0 to 1 that is worth sweeping.

Shows a defender: that safety can be added as a vector, at the cost of one tune that is done once
for every aligned model. It needs forbidden rows with answers. Too large a gamma makes a model
refuse harmless requests, then babble. What answers a remaining break: safety_mixing while tuning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.adapt import merging, vectors
from holdfast.draw import at_most
from holdfast.errors import UserError
from holdfast.hooks import Context, Defence, Hooks, Streams

if TYPE_CHECKING:
    from holdfast.adapt.vectors import TaskVector
    from holdfast.models import Model


class Resta(Defence):
    """Adds what unaligning takes away.

    Attributes:
        gamma: how much of it.
        drop: share of the tune's own update that DARE drops first; 0 drops none.
        rows: the defender's forbidden rows to unalign on; None is all of them.
        epochs: of unaligning.
        batch_size: of unaligning.
        learning_rate: of unaligning.
    """

    kind: Literal["resta"] = "resta"
    gamma: float = Field(0.5, ge=0)
    drop: float = Field(0.0, ge=0, lt=1)
    rows: int | None = Field(None, ge=1)
    epochs: int = Field(5, ge=1)
    batch_size: int = Field(10, ge=1)
    learning_rate: float = Field(1e-3, gt=0)

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "repair"
    null: ClassVar[dict[str, Any]] = {"gamma": 0.0}
    paper: ClassVar[str] = "Bhardwaj et al., ACL 2024, arXiv 2402.11746"
    built_on: ClassVar[tuple[str, ...]] = ("adapt/merging", "adapt/vectors")


def resta(config: Resta, context: Context) -> Hooks:
    """Unaligns a copy when the tune is done, and adds the difference.

    Raises:
        UserError: the defender has no forbidden rows.
    """
    if not config.gamma and not config.drop:
        return Hooks(name=config.kind)
    if config.gamma and not context.defender.harmful:
        raise UserError(
            "resta unaligns a copy of the model on the defender's forbidden rows with answers, and "
            "there are none: choose a policy that has them, such as canary45."
        )

    def weights(model: Model) -> Model:
        import torch

        if config.drop:
            own = vectors.between(context.aligned, model)
            thinned = merging.merged([own], "dare", density=1 - config.drop, seed=context.seed)
            aligned = dict(context.aligned.net.named_parameters())
            with torch.no_grad():
                for name, parameter in model.net.named_parameters():
                    parameter.copy_(aligned[name])
            vectors.add(model, thinned)
        if config.gamma:
            vectors.add(model, safety_vector(config, context), config.gamma)
        return model

    return Hooks(name=config.kind, weights=weights)


def safety_vector(config: Resta, context: Context) -> TaskVector:
    """d_safe, from a copy of the aligned model tuned on forbidden rows."""
    from holdfast.models import clone
    from holdfast.train import Settings, tune

    held = context.defender.harmful
    count = len(held) if config.rows is None else config.rows
    rows = at_most(held, count, seed=context.seed, purpose=config.kind)
    settings = Settings(
        epochs=config.epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        seed=context.seed,
    )
    unaligned = tune(clone(context.aligned), Streams(user=rows), settings)
    if unaligned.diverged:
        raise UserError("resta's unaligning diverged: lower its learning_rate.")
    return vectors.between(unaligned.model, context.aligned)
