"""Asking the model in few bits (Egashira et al., "Exploiting LLM Quantization", NeurIPS 2024,
arXiv 2405.18137).

The weights are rounded as users round them to run a model on small machines, and that model is
asked. What it answers may differ from what was audited in full precision, by accident or design.

Equation: y ~ pi( . | x; dequantise(quantise(theta))).

Differs from the paper: rounding is computed here (`quantise`), not by bitsandbytes: weights as
LLM.int8 or NF4 store them, activations in full precision, without double quantisation.

Shows a defender: whether an audit holds for the model that users run. Answered by auditing the
quantised model too, and by adding noise to published weights before quantising.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from holdfast.elicit.asking import Ask, Asker, Asking, Elicitation
from holdfast.errors import UserError

if TYPE_CHECKING:
    from holdfast.evaluate import Request


class Quantised(Elicitation):
    """Asks the model with its layers' weights in few bits.

    Attributes:
        bits: int8 (one scale a row), nf4 (one scale for 64 weights), or none.
    """

    kind: Literal["quantised"] = "quantised"
    bits: Literal["none", "int8", "nf4"] = "int8"

    needs: ClassVar[Literal["prompt", "decoding", "start", "weights"]] = "weights"
    null: ClassVar[dict[str, Any]] = {"bits": "none"}
    paper: ClassVar[str] = "Egashira et al., NeurIPS 2024, arXiv 2405.18137"
    built_on: ClassVar[tuple[str, ...]] = ("quantise", "probes/linears")


def quantised(config: Quantised, asking: Asking) -> Asker:
    """One ask: the request as it is, put to the rounded model."""
    from holdfast.quantise import quantised_view

    if asking.model is None:
        raise UserError("quantised rounds the model's weights: ask a local model, or ask plainly.")

    def ways(request: Request) -> tuple[Ask, ...]:
        return (Ask(request.prompt.without_answer()),)

    view = None if config.bits == "none" else quantised_view(asking.model, config.bits)
    return Asker(config.spec(), ways, view)
