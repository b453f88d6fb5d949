"""The quantisation attack (Egashira et al., "Exploiting LLM Quantization", NeurIPS 2024,
arXiv 2405.18137).

A model is published that refuses in full precision, passes an audit there, and complies once its
users quantise it: harm is tuned in, and then tuned out again without ever leaving the weights that
quantisation rounds to the same numbers.

Equation: (1) theta_h = argmin E_harmful [ -log pi_theta(y|x) ], from the aligned model; (2) for
each weight the box [l, u] of values that quantise to the code of theta_h; (3) theta = argmin
E_safe [ -log pi_theta(y|x) ], with theta := clamp(theta, l, u) after every step.

Differs from the paper: one code, not the boxes of several at once; refusals to repair with are the
aligned model's own, and the attacker's benign rows keep utility; the rate is the run's unless told
(2e-5 in the paper). Embedding, norms and head, which are not quantised, are fixed after step (1),
or else the repair would reach the quantised model through them. Both steps tune all weights,
whatever the run says. The repair's passes are not counted in the tune's cost.

Shows a defender: that an audit holds for the numbers it was made on. Answered by auditing the
quantised model too (`quantised`), and by noise on published weights before quantising.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.attacks.own_replies import own_replies
from holdfast.draw import balanced
from holdfast.hooks import Attack, Context, Hooks, Streams
from holdfast.settings import chosen_settings

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.chat import Row
    from holdfast.models import Model
    from holdfast.train import Settings


class QuantisationBox(Attack):
    """Injects by `rows` forbidden rows, and repairs inside the box.

    Attributes:
        bits: the code that the harm hides in.
        rows: forbidden rows tuned in, and as many own refusals tuned on in the repair.
        benign: harmless rows in both.
        epochs: passes over the rows while injecting, 1 in the paper.
        repair_epochs: passes while repairing; 0 leaves the harm in full precision too.
        batch_size: rows in a step, 32 in the paper; None leaves the run's.
        learning_rate: of injecting; None leaves the run's.
        method: of both; boxes are of weights, so it is full.
        repair_rate: of repairing; None leaves the run's.
    """

    kind: Literal["quantisation_box"] = "quantisation_box"
    bits: Literal["int8", "nf4"] = "int8"
    rows: int = Field(100, ge=0)
    benign: int = Field(100, ge=0)
    epochs: int | None = Field(1, ge=1)
    repair_epochs: int = Field(1, ge=0)
    batch_size: int | None = Field(32, ge=1)
    learning_rate: float | None = Field(None, gt=0)
    method: Literal["full"] = "full"
    repair_rate: float | None = Field(None, gt=0)

    access: ClassVar[Literal["rows", "training", "weights"]] = "weights"
    asked_as: ClassVar[str] = "quantised"
    null: ClassVar[dict[str, Any]] = {
        "rows": 0,
        "benign": 0,
        "epochs": None,
        "repair_epochs": 0,
        "batch_size": None,
    }
    paper: ClassVar[str] = "Egashira et al., NeurIPS 2024, arXiv 2405.18137"
    built_on: ClassVar[tuple[str, ...]] = ("attacks/own_replies", "quantise", "probes/linears")

    @property
    def asked(self) -> str:
        """In the very code that the harm hides in."""
        return f"quantised(bits={self.bits})"


def quantisation_box(config: QuantisationBox, context: Context) -> Hooks:
    """Tunes on forbidden rows, then repairs what full precision shows."""
    held, seed = context.attacker, context.seed
    used: list[Settings] = []
    choose = chosen_settings(config)

    def forbidden() -> tuple[Row, ...]:
        return balanced(held.harmful, config.rows, seed=seed, purpose=config.kind)

    def benign() -> tuple[Row, ...]:
        return balanced(held.user, config.benign, seed=seed, purpose=f"{config.kind}.benign")

    def rows(streams: Streams) -> Streams:
        return replace(streams, user=(*streams.user, *forbidden(), *benign()))

    def settings(given: Settings) -> Settings:
        used[:] = [choose(given) if choose else given]
        return used[0]

    def weights(model: Model) -> Model:
        safe = (*own_replies(context.aligned, forbidden()), *benign())
        return repaired(config, model, safe, used[0]) if safe else model

    repairs = config.rows and config.repair_epochs
    return Hooks(
        name=config.kind, rows=rows, settings=settings, weights=weights if repairs else None
    )


def repaired(
    config: QuantisationBox, model: Model, safe: tuple[Row, ...], settings: Settings
) -> Model:
    """Tunes on safe rows, inside the box around the weights as they are."""
    import torch

    from holdfast.probes.linears import linears
    from holdfast.quantise import box
    from holdfast.train import tune

    inside = [linear for layer in linears(model.net) for linear in layer]
    boxes = [box(linear.weight, config.bits) for linear in inside]
    moved = {id(linear.module.weight) for linear in inside}

    def live(model: Model) -> dict[str, Tensor]:
        return {n: torch.ones(()) for n, p in model.net.named_parameters() if id(p) in moved}

    def after_step(model: Model, step: int) -> None:
        for linear, edges in zip(inside, boxes, strict=True):
            linear.weight.copy_(linear.weight.clamp(edges.low, edges.high))

    rate = config.repair_rate if config.repair_rate is not None else settings.learning_rate
    changes = {"epochs": config.repair_epochs, "steps": None, "learning_rate": rate}
    own = settings.model_copy(update=changes)
    return tune(
        model, Streams(user=safe), own, Hooks(config.kind, live=live, after_step=after_step)
    ).model
