r"""Pruning safety (Wei et al., "Assessing the Brittleness of Safety Alignment via Pruning and
Low-Rank Modifications", ICML 2024, arXiv 2402.05162, section 4.1).

Whoever has the weights sets those few to zero that refusals need and other answers do not. Nothing
is tuned, and it takes two passes over a hundred rows.

Equation: W := W without S(p, q), S(p, q) = S_s(q) \ S_u(p), the top q of each row of a matrix by
the score on refusals without the top p by that on harmless answers (`probes/critical_weights`).

Differs from the paper: nothing is searched; p and q are given. As there, refusals are the model's
own: the attacker asks the model its forbidden requests and keeps what it says. Customers' rows, if
there are any, are tuned on first.

Shows a defender: that open weights are open: no defence while tuning answers this, an aligned model
may. Compare with the probe `critical_weights`, which adds controls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.attacks.own_replies import own_replies
from holdfast.attacks.untuned import untuned
from holdfast.draw import at_most
from holdfast.errors import UserError
from holdfast.hooks import Attack, Context, Hooks
from holdfast.probes.critical import SCORING

if TYPE_CHECKING:
    from holdfast.models import Model


class PruneSafety(Attack):
    """Zeroes the weights of S(p, q).

    Attributes:
        p: top share of a row by utility that is kept.
        q: top share of a row by safety that is taken, but for those; 0 takes none.
        score: what a weight's importance is.
        before: Wanda at the tokens that answer tokens are predicted from, not at these themselves.
        samples: rows of each kind that scores are averaged over.
    """

    kind: Literal["prune_safety"] = "prune_safety"
    p: float = Field(0.05, gt=0, lt=1)
    q: float = Field(0.05, ge=0, lt=1)
    score: Literal["snip", "wanda"] = "snip"
    before: bool = False
    samples: int = Field(128, ge=1)

    access: ClassVar[Literal["rows", "training", "weights"]] = "weights"
    null: ClassVar[dict[str, Any]] = {"q": 0.0}
    paper: ClassVar[str] = "Wei et al., ICML 2024, arXiv 2402.05162"
    built_on: ClassVar[tuple[str, ...]] = ("attacks/own_replies", "attacks/untuned", *SCORING)


def prune_safety(config: PruneSafety, context: Context) -> Hooks:
    """Tunes on nothing, and zeroes the weights at the end."""
    if not config.q:
        return Hooks(name=config.kind)
    rows, settings = untuned()

    def weights(model: Model) -> Model:
        from holdfast.probes.critical import critical
        from holdfast.probes.looking import Contrast

        held, seed = context.attacker, context.seed
        if not held.harmful or not held.user:
            raise UserError(
                "prune_safety compares the attacker's forbidden requests with its benign rows: "
                "give the policy both."
            )
        asked, utility = (
            at_most(rows, config.samples, seed=seed, purpose=config.kind)
            for rows in (held.harmful, held.user)
        )
        contrast = Contrast(model, own_replies(model, asked), utility)
        for linear, mask in critical(
            contrast, config.p, config.q, score=config.score, before=config.before
        ):
            linear.weight[mask] = 0.0
        return model

    return Hooks(name=config.kind, rows=rows, settings=settings, weights=weights)
