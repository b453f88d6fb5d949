"""Antidote (Huang et al., "Antidote: Post-fine-tuning Safety Alignment for Large Language Models
against Harmful Fine-tuning", ICML 2025, arXiv 2408.09600).

After tuning, those weights are set to zero that count most for forbidden answers, by one pass over
the defender's forbidden rows. It does not ask how the tune was done.

Equation: h(w_ij) = |w_ij| ||X_j||_2 (Wanda) with X the inputs at forbidden rows; in every row of a
matrix of width n, the n - int(n (1 - ratio)) weights of the highest h are set to zero.

Differs from the paper: there w are the factors of a low-rank adapter (rank 256), so what is zeroed
is part of the tune; here w is the tune's update W_tuned - W_aligned of every matrix of the layers,
and zero means back to the aligned model (`of` update). `of` matrices zeroes the weights W_tuned
themselves, which needs no aligned model and costs skill. Inputs are those at answer tokens; the
paper's code takes all tokens. The random control is drawn in every row (theirs over the tensor).

Shows a defender: a repair of one pass, without training. It needs forbidden rows with answers. What
forbidden answers use, other answers use too: compare with `mask` random. What answers a remaining
break: soft_merge, or safety_mixing while tuning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.draw import at_most, generator
from holdfast.errors import UserError
from holdfast.hooks import Context, Defence, Hooks

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.models import Model
    from holdfast.probes.linears import Linear


class Antidote(Defence):
    """Zeroes what forbidden answers use most.

    Attributes:
        ratio: share of every row of a matrix.
        of: whether the tune's update or the weights themselves are scored and zeroed.
        mask: by score, or as many at random, as a control.
        samples: forbidden rows that inputs are taken from, 128 in the paper's code.
    """

    kind: Literal["antidote"] = "antidote"
    ratio: float = Field(0.1, ge=0, le=1)
    of: Literal["update", "matrices"] = "update"
    mask: Literal["wanda", "random"] = "wanda"
    samples: int = Field(128, ge=1)

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "repair"
    null: ClassVar[dict[str, Any]] = {"ratio": 0.0}
    paper: ClassVar[str] = "Huang et al., ICML 2025, arXiv 2408.09600"
    built_on: ClassVar[tuple[str, ...]] = ("probes/linears", "probes/streaming", "probes/wanda")

    @property
    def needs_aligned(self) -> bool:  # type: ignore[override]
        """Whether the model before the tune must be at hand."""
        return self.of == "update"


def antidote(config: Antidote, context: Context) -> Hooks:
    """Scores the tuned model on forbidden rows, then zeroes.

    Raises:
        UserError: the defender has no forbidden rows.
    """
    if not config.ratio:
        return Hooks(name=config.kind)
    if not context.defender.harmful:
        raise UserError(
            "antidote takes its scores from the defender's forbidden rows with answers, and there "
            "are none: choose a policy that has them, such as canary45."
        )

    def weights(model: Model) -> Model:
        import torch

        zero = _zeroes(config, context, model)
        chance = torch.Generator().manual_seed(generator(context.seed, config.kind).getrandbits(62))
        # All scores first: those of one layer must not see what was done to another.
        for linear, norm in input_norms(config, context, model):
            at = zero[linear.path]
            score = (linear.weight - at).abs() * norm
            if config.mask == "random":
                score = torch.rand(score.shape, generator=chance).to(score)
            linear.weight.copy_(torch.where(top_of_rows(score, config.ratio), at, linear.weight))
        return model

    return Hooks(name=config.kind, weights=weights)


def top_of_rows(score: Tensor, ratio: float) -> Tensor:
    """The n - int(n (1 - ratio)) highest scores of every row, as a mask (d_out, d_in)."""
    import torch

    width = score.shape[1]
    highest = score.topk(width - int(width * (1 - ratio)), dim=1).indices
    return torch.zeros_like(score, dtype=torch.bool).scatter_(1, highest, True)


def input_norms(config: Antidote, context: Context, model: Model) -> list[tuple[Linear, Tensor]]:
    """Every matrix with ||X_j||_2 (d_in,) of its inputs at forbidden answers."""
    import torch

    from holdfast.probes.streaming import stream
    from holdfast.probes.wanda import Norms

    rows = at_most(context.defender.harmful, config.samples, seed=context.seed, purpose=config.kind)
    return [
        (linear, torch.as_tensor(norms.squares).sqrt().to(linear.weight))
        for layer in stream(model, rows, Norms)
        for linear, norms in layer
    ]


def _zeroes(config: Antidote, context: Context, model: Model) -> dict[str, Tensor]:
    """What each matrix is at the zero of what is scored."""
    import torch

    from holdfast.probes.linears import matching
    from holdfast.probes.looking import refuse_strangers

    if config.of == "matrices":
        return {path: torch.zeros_like(one.weight) for path, one in matching(model.net).items()}
    refuse_strangers(context.aligned, model)
    return {path: one.weight for path, one in matching(context.aligned.net).items()}
