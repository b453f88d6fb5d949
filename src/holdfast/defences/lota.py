"""Lottery-ticket adaptation (Panda et al., "Lottery Ticket Adaptation: Mitigating Destructive
Interference in LLMs", 2024, arXiv 2406.16797).

The customer's task is learned in a tenth of the weights, those that a first tune moves most. What
lies in the others, refusals among it, is left alone.

Equation: w := w - lr (g * mask), mask the top 1 - s of |w_T - w_0| over all attention and MLP
matrices, from a calibrating tune that is then undone (`adapt/lota`).

Differs from the paper: the optimiser is the run's AdamW, where the paper uses RMSprop with a clip
for every tensor; calibration and tuning see the same rows. The optimiser keeps moments of whole
matrices, so no memory is saved.

Shows a defender: whether a task can be learned beside refusals rather than over them. Forbidden
rows are learned as sparsely as any others. What answers those: safety_mixing and an audit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.adapt import lota as adapt
from holdfast.adapt import vectors
from holdfast.hooks import Context, Defence, Hooks, Streams

if TYPE_CHECKING:
    from holdfast.models import Model
    from holdfast.settings import Settings


class Lota(Defence):
    """Tunes the weights that a calibrating tune moves most.

    Attributes:
        sparsity: s, share of the attention and MLP weights that stay; 0 is plain full tuning.
        calibration: share of the tune's steps that calibration takes.
        kept: files of task vectors whose weights must stay: those of earlier tasks (LoTTO).
    """

    kind: Literal["lota"] = "lota"
    sparsity: float = Field(0.9, ge=0, lt=1)
    calibration: float = Field(1.0, gt=0, le=1)
    kept: tuple[str, ...] = ()

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "tune"
    needs_rows: ClassVar[bool] = False
    null: ClassVar[dict[str, Any]] = {"sparsity": 0.0}
    paper: ClassVar[str] = "Panda et al., 2024, arXiv 2406.16797"
    built_on: ClassVar[tuple[str, ...]] = ("adapt/lota", "adapt/vectors")


def lota(config: Lota, context: Context) -> Hooks:
    """Finds the mask at the start, and tunes under it."""
    if not config.sparsity:
        return Hooks(name=config.kind)

    def find(model: Model, streams: Streams, settings: Settings) -> adapt.Masks:
        stay = {
            name: moved.dense() != 0
            for path in config.kept
            for name, moved in vectors.load(path).items()
        }
        moved = adapt.calibrated(model, streams, settings, config.calibration)
        return adapt.winning(moved, config.sparsity, stay)

    return adapt.masked(config.kind, find)
