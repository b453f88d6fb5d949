r"""Tuning beside the safety-critical weights (freezing: Wei et al., "Assessing the Brittleness of
Safety Alignment via Pruning and Low-Rank Modifications", ICML 2024, arXiv 2402.05162, section 4.3;
with `sparsity`, their weights are left out of LoTA's, Panda et al., arXiv 2406.16797).

The weights that refusals need and other answers do not are frozen; the rest learns.

Equation: w := w - lr (g * mask), mask all weights without S(p, q) = S_s(q) \ S_u(p), or the top
1 - sparsity of a calibrating tune's |w_T - w_0| among those.

Differs from the papers: the paper's code puts the frozen weights back after tuning; here they never
move. Refusals and harmless answers are the defender's.

Shows a defender: the published negative result. Freezing most of the critical weights does not stop
100 forbidden rows, since others take their place: keep it as a control beside defences that work,
such as safety_mixing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.adapt import lota as adapt
from holdfast.draw import at_most
from holdfast.errors import UserError
from holdfast.hooks import Context, Defence, Hooks, Streams
from holdfast.probes.critical import SCORING, critical

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.models import Model
    from holdfast.settings import Settings


class AvoidCritical(Defence):
    """Freezes the weights of S(p, q).

    Attributes:
        p: top share of a row by utility that is not frozen.
        q: top share of a row by safety that is frozen, but for those; 0 freezes none.
        score: what a weight's importance is.
        samples: rows of each kind that scores are averaged over.
        sparsity: share of the attention and MLP weights that stay besides; 0 lets all others move.
        calibration: share of the tune's steps that LoTA's calibration takes.
    """

    kind: Literal["avoid_critical"] = "avoid_critical"
    p: float = Field(0.05, gt=0, lt=1)
    q: float = Field(0.5, ge=0, lt=1)
    score: Literal["snip", "wanda"] = "snip"
    samples: int = Field(128, ge=1)
    sparsity: float = Field(0.0, ge=0, lt=1)
    calibration: float = Field(1.0, gt=0, le=1)

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "tune"
    null: ClassVar[dict[str, Any]] = {"q": 0.0}
    paper: ClassVar[str] = "Wei et al., ICML 2024, arXiv 2402.05162"
    built_on: ClassVar[tuple[str, ...]] = ("adapt/lota", *SCORING)


def avoid_critical(config: AvoidCritical, context: Context) -> Hooks:
    """Finds the critical weights at the start, and tunes beside them."""
    if not config.q:
        return Hooks(name=config.kind)

    def find(model: Model, streams: Streams, settings: Settings) -> adapt.Masks:
        import torch

        frozen = _frozen(config, context, model)
        if config.sparsity:
            moved = adapt.calibrated(model, streams, settings, config.calibration)
            return adapt.winning(moved, config.sparsity, frozen)
        return {
            name: ~frozen[name] if name in frozen else torch.ones_like(parameter, dtype=torch.bool)
            for name, parameter in model.net.named_parameters()
        }

    return adapt.masked(config.kind, find)


def _frozen(config: AvoidCritical, context: Context, model: Model) -> dict[str, Tensor]:
    """S(p, q) as masks by parameter name, laid out as the parameters are."""
    from holdfast.probes.looking import Contrast

    safe, user = context.defender.safe, context.defender.user
    if not safe or not user:
        raise UserError(
            "avoid_critical takes scores from the defender's refusals and harmless answers: give "
            "the policy both."
        )
    safe, user = (
        at_most(rows, config.samples, seed=context.seed, purpose=config.kind)
        for rows in (safe, user)
    )
    contrast = Contrast(model, safe, user)
    names = {id(weight): name for name, weight in adapt.matrices(model).items()}
    return {
        names[id(linear.module.weight)]: mask.T.contiguous() if linear.transposed else mask
        for linear, mask in critical(contrast, config.p, config.q, score=config.score)
    }
