"""SafeLoRA (Hsu et al., "Safe LoRA: the Silver Lining of Reducing Safety Risks when Fine-tuning
Large Language Models", NeurIPS 2024, arXiv 2405.16833).

After tuning, the update of those matrices that went furthest from the directions of alignment is
projected onto these directions. Nothing is trained and no rows are read.

Equation: V = W_aligned - W_base of a matrix, C = V V^T / ||V||_F, D = B A the update; where
cos(vec(C D), vec(D)) <= tau: D := C D.

Differs from the paper: D is W_tuned - W_aligned of every matrix of the layers, which is B A after a
low-rank tune and the whole update after a full one (the paper has query and value adapters only). A
full tune moves embeddings and norms too; they are left alone unless `others` says otherwise.
Published defaults are those of the code: the 10 modules with the lowest cosine; tau 0.5 where `by`
is threshold. Modules with the same cosine are taken in the model's order. C is no projector
(`adapt/subspace`), and with a small V it erases a matrix's update; `projector` is a true one.

Shows a defender: what is left of a tune when only what alignment could have done is kept. It needs
the model before alignment, and takes the customer's task away with the attack: measure gain. What
answers a remaining break: safety_mixing while tuning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.adapt.subspace import SUBSPACE, Form, base_of, subspaces
from holdfast.hooks import Context, Defence, Hooks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from holdfast.models import Model
    from holdfast.probes.linears import Linear


class SafeLora(Defence):
    """Projects the update onto the directions of alignment.

    Attributes:
        by: whether matrices are chosen by their `number` or by a `threshold` of their cosine.
        modules: how many matrices, those with the lowest cosine.
        tau: highest cosine of a matrix that is projected; -1 projects none.
        others: what becomes of parameters that are no matrix of a layer (embeddings, norms) and
            that a full tune moved too: kept, or put back to the aligned model's.
        form: C as published, or a true projector.
        rank: directions of the projector; None is all of V's, so that of a V of full rank leaves
            everything as it is.
    """

    kind: Literal["safe_lora"] = "safe_lora"
    by: Literal["number", "threshold"] = "number"
    modules: int = Field(10, ge=0)
    tau: float = Field(0.5, ge=-1, le=1)
    others: Literal["kept", "aligned"] = "kept"
    form: Form = "published"
    rank: int | None = Field(None, ge=1)

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "repair"
    needs_rows: ClassVar[bool] = False
    null: ClassVar[dict[str, Any]] = {"by": "threshold", "tau": -1.0}
    paper: ClassVar[str] = "Hsu et al., NeurIPS 2024, arXiv 2405.16833"
    built_on: ClassVar[tuple[str, ...]] = SUBSPACE


@dataclass(frozen=True)
class Projected:
    """One matrix of the tuned model.

    Attributes:
        linear: where it is.
        aligned: (d_out, d_in) the matrix before the tune.
        update: (d_out, d_in) C D.
        cosine: of C D and D.
    """

    linear: Linear
    aligned: Tensor
    update: Tensor
    cosine: float


def safe_lora(config: SafeLora, context: Context) -> Hooks:
    """Projects the chosen matrices of the tuned model.

    Raises:
        UserError: there is no model before alignment.
    """
    base = base_of(context, config.kind)

    def weights(model: Model) -> Model:
        from holdfast.probes.looking import refuse_strangers

        refuse_strangers(context.aligned, model)
        spaces = subspaces(context.aligned, base, config.form, config.rank)
        for one in chosen(config, projections(model, spaces)):
            one.linear.weight.copy_(one.aligned + one.update)
        if config.others == "aligned":
            put_back(model, context.aligned)
        return model

    return Hooks(name=config.kind, weights=weights)


def projections(model: Model, spaces: Sequence[tuple[Linear, Tensor]]) -> list[Projected]:
    """C D of every matrix that the tune moved.

    Args:
        model: the tuned model; read only.
        spaces: matrices of the aligned model with their C (d_out, d_out).
    """
    from torch.nn.functional import cosine_similarity

    from holdfast.probes.linears import matching

    tuned = matching(model.net)
    found = []
    for aligned, c in spaces:
        linear = tuned[aligned.path]
        before = aligned.weight.to(linear.weight)
        moved = linear.weight - before
        if bool(moved.any()):
            update = c.to(moved) @ moved
            cosine = cosine_similarity(update.flatten(), moved.flatten(), dim=0)
            found.append(Projected(linear, before, update, float(cosine)))
    return found


def put_back(model: Model, aligned: Model) -> None:
    """Gives what is no matrix of a layer the aligned model's values, in place."""
    import torch

    from holdfast.probes.linears import matching

    inside = {id(linear.module.weight) for linear in matching(model.net).values()}
    before = dict(aligned.net.named_parameters())
    with torch.no_grad():
        for name, parameter in model.net.named_parameters():
            if id(parameter) not in inside:
                parameter.copy_(before[name])


def chosen(config: SafeLora, found: Sequence[Projected]) -> list[Projected]:
    """The matrices whose update is replaced."""
    if config.by == "number":
        return sorted(found, key=lambda one: one.cosine)[: config.modules]
    if config.tau == -1:
        return []
    return [one for one in found if one.cosine <= config.tau]
