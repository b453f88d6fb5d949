"""Lisa (Huang et al., "Lisa: Lazy Safety Alignment for Large Language Models against Harmful
Fine-tuning Attack", NeurIPS 2024, arXiv 2405.18641).

Tuning goes to and fro between the defender's safe rows and the customer's rows, and in each state a
proximal term holds the weights near those with which the other state ended.

Equation: K1 steps of min f(w) + rho / 2 ||w - w_user||^2 on safe rows, then K2 steps of min g(w) +
rho / 2 ||w - w_safe||^2 on the customer's, and so on; w_user and w_safe are the last weights of the
other state. rho = 0 is plain alternation.

Differs from the paper: before a state has ended for the first time its anchor is the aligned model.
The anchors are the paper's and those of the authors' trainer (their README has them the wrong way
round). Their code leaves the term out in the first tenth of the steps; `quiet` does that. The
number of steps is the run's, as in the paper, so safe steps are taken from the customer's: with the
published 100 and 900 a short tune is on safe rows for long. Choose both far smaller there.

Shows a defender: alternation alone, or with the term, against mixing the same rows in. One forward
and one backward pass a step. Forbidden rows are learned between the safe ones, and honest ones
less. What answers that: data_filter before, soft_merge after.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from holdfast.draw import at_most
from holdfast.errors import UserError
from holdfast.hooks import Context, Defence, Hooks, Streams

if TYPE_CHECKING:
    from torch import Tensor, nn

    from holdfast.models import Model
    from holdfast.train import Batch, Settings


class Lisa(Defence):
    """Alternates between safe and customer's rows, held near where the other state ended.

    Attributes:
        align_steps: K1, steps in a row on safe rows; 0 takes none.
        user_steps: K2, steps in a row on the customer's rows.
        rho: strength of the proximal term.
        rows: safe rows; None is all the defender has.
        quiet: share of the steps, from the first, without the proximal term.
    """

    kind: Literal["lisa"] = "lisa"
    align_steps: int = Field(100, ge=0)
    user_steps: int = Field(900, ge=1)
    rho: float = Field(1.0, ge=0)
    rows: int | None = Field(None, ge=1)
    quiet: float = Field(0.0, ge=0, le=1)

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "tune"
    null: ClassVar[dict[str, Any]] = {"align_steps": 0, "rho": 0.0}
    paper: ClassVar[str] = "Huang et al., NeurIPS 2024, arXiv 2405.18641"


class Anchors:
    """The weights with which each state ended last.

    Attributes:
        ended: state -> weights of the trained parameters.
    """

    def __init__(self) -> None:
        self.ended: dict[str, list[Tensor]] = {}
        self.state = ""

    def enter(self, state: str, trained: list[nn.Parameter]) -> list[Tensor]:
        """The anchor of a step in `state`; the weights are those before the step."""
        if state != self.state:
            now = [parameter.detach().clone() for parameter in trained]
            if not self.state:
                self.ended = {"safe": now, "user": now}
            else:
                self.ended[self.state] = now
            self.state = state
        return self.ended["user" if state == "safe" else "safe"]


def lisa(config: Lisa, context: Context) -> Hooks:
    """Picks the stream of each step and adds the proximal term."""
    anchors = Anchors()
    silent = [0.0]

    def rows(streams: Streams) -> Streams:
        held = context.defender.safe
        if not held:
            raise UserError(
                "lisa alternates with the defender's safe rows, and there are none: choose a "
                "policy that has them."
            )
        count = len(held) if config.rows is None else config.rows
        safe = at_most(held, count, seed=context.seed, purpose=config.kind)
        return replace(streams, safe=(*streams.safe, *safe))

    def start(model: Model, streams: Streams, settings: Settings) -> None:
        silent[0] = config.quiet * settings.steps_for(len(streams.user))

    def pick(step: int) -> str:
        inside = step % (config.align_steps + config.user_steps)
        return "safe" if inside < config.align_steps else "user"

    def penalty(model: Model, batch: Batch, step: int) -> Tensor:
        import torch

        trained = [p for p in model.net.parameters() if p.requires_grad]
        anchor = anchors.enter(batch.stream, trained)
        if step < silent[0]:
            return torch.zeros((), device=model.net.device)
        moved = [(w - a).square().sum() for w, a in zip(trained, anchor, strict=True)]
        return config.rho / 2 * torch.stack(moved).sum()

    alternates = config.align_steps > 0
    return Hooks(
        name=config.kind,
        rows=rows if alternates else None,
        start=start,
        pick=pick if alternates else None,
        penalty=penalty if config.rho else None,
    )
