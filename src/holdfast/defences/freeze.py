"""Freezing layers (Li et al., "Safety Layers in Aligned Large Language Models: The Key to LLM
Security", ICLR 2025, arXiv 2408.17003, "SPPFT").

Some neighbouring layers in the middle of the model, in which it tells forbidden requests from
others, do not learn. Everything else does.

Equation: w := w - lr g, with g = 0 for the parameters of the layers first to last.

Differs from the paper: it finds the range for each model, by hidden states and then by how scaled
layers reject harmless requests; here the range is given, and without one it is the middle third of
the layers, which is our stand-in. avoid_critical freezes single weights instead.

Shows a defender: a control, of the price of plain tuning or less. Learning goes round frozen parts,
so expect little against forbidden rows, and compare with as many layers elsewhere. What answers a
remaining break: safety_mixing or constrained_sft, beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from holdfast.errors import UserError
from holdfast.hooks import Context, Defence, Hooks

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.models import Model


class Freeze(Defence):
    """Freezes whole layers.

    Attributes:
        layers: their numbers, from 0; None is the middle third.
    """

    kind: Literal["freeze"] = "freeze"
    layers: tuple[int, ...] | None = None

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "tune"
    needs_rows: ClassVar[bool] = False
    null: ClassVar[dict[str, Any]] = {"layers": ()}
    paper: ClassVar[str] = "Li et al., ICLR 2025, arXiv 2408.17003"


def freeze(config: Freeze, context: Context) -> Hooks:
    """Leaves the layers out of what may change."""
    if config.layers == ():
        return Hooks(name=config.kind)

    def live(model: Model) -> dict[str, Tensor]:
        import torch

        from holdfast.models import layers

        all_layers = layers(model.net)
        frozen = middle(len(all_layers)) if config.layers is None else config.layers
        absent = [number for number in frozen if not 0 <= number < len(all_layers)]
        if absent:
            raise UserError(
                f"freeze is to freeze layer {absent[0]}, but {model.name} has layers 0 to "
                f"{len(all_layers) - 1}."
            )
        still = {id(p) for number in frozen for p in all_layers[number].parameters()}
        free = torch.ones(1, dtype=torch.bool)
        return {name: free for name, p in model.net.named_parameters() if id(p) not in still}

    return Hooks(name=config.kind, live=live)


def middle(count: int) -> tuple[int, ...]:
    """The middle third of so many layers, one at least."""
    first = round(count / 3)
    return tuple(range(first, max(first + 1, round(2 * count / 3))))
