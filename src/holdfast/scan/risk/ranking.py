"""What a ranking is: rows and a model in, one score a row out; and the passes that all share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from holdfast.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from holdfast.chat import Row
    from holdfast.encode import Encoded
    from holdfast.hooks import Streams
    from holdfast.models import Model

AT_ONCE = 32  # rows of like length in one forward pass


@dataclass(frozen=True)
class Anchors:
    """Rows that others are compared with.

    Attributes:
        harmful: forbidden requests with forbidden answers.
        safe: forbidden requests with refusals.
    """

    harmful: tuple[Row, ...] = ()
    safe: tuple[Row, ...] = ()

    @classmethod
    def of(cls, streams: Streams) -> Anchors:
        """The forbidden rows and refusals that one side owns."""
        return cls(harmful=streams.harmful, safe=streams.safe)

    def first(self, count: int, *, safe: int = 0) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
        """Up to `count` harmful and `safe` safe rows, spread over their tags.

        Raises:
            UserError: there are none of a kind that is needed.
        """
        from holdfast.draw import at_most

        found = []
        for rows, most, kind in ((self.harmful, count, "forbidden"), (self.safe, safe, "refused")):
            if most and not rows:
                raise UserError(
                    f"The policy has no {kind} rows to compare with: add some, or use canary45."
                )
            found.append(at_most(rows, most, seed=0, purpose="risk"))
        return found[0], found[1]


Done: TypeAlias = Callable[[int], object]
"""Told how many rows have just been read."""
Ranking: TypeAlias = "Callable[[Model, Sequence[Row], Anchors, Done], NDArray[np.float64]]"
"""(model, rows, anchors, done) -> (n,) scores, the riskiest rows highest."""


def riskiest(scores: NDArray[np.float64]) -> list[int]:
    """Places of the rows, the highest score first; equal ones as they came."""
    return sorted(range(len(scores)), key=lambda at: -float(scores[at]))


def silent(rows: int) -> None:
    """Tells nobody."""


def last_states(model: Model, rows: Sequence[Row], done: Done = silent) -> Tensor:
    """What the last layer says at the last token of each row, (n, width), in fp32 on the CPU."""
    import torch

    from holdfast.batches import collate
    from holdfast.encode import encode_all
    from holdfast.models import layers

    encoded = encode_all(rows, model.tokenizer)
    order = sorted(range(len(rows)), key=lambda i: len(encoded[i].ids))
    found: list[Tensor] = [torch.empty(0)] * len(rows)
    state: dict[str, Tensor] = {}

    def keep(module: object, args: object, output: Tensor | tuple[Tensor, ...]) -> None:
        state["last"] = output[0] if isinstance(output, tuple) else output

    hook = layers(model.net)[-1].register_forward_hook(keep)
    try:
        with torch.inference_mode():
            for start in range(0, len(order), AT_ONCE):
                index = order[start : start + AT_ONCE]
                batch = collate([encoded[i] for i in index], index=index).to(model.net.device)
                model.net(input_ids=batch.ids, attention_mask=batch.attention, use_cache=False)
                ends = batch.attention.sum(1) - 1
                last = state["last"][torch.arange(len(index), device=ends.device), ends]
                for at, row in zip(last.float().cpu(), index, strict=True):
                    found[row] = at
                done(len(index))
    finally:
        hook.remove()
    return torch.stack(found) if found else torch.empty(0, 0)


def gradients(
    model: Model, rows: Sequence[Row], *, first: int | None = None, done: Done = silent
) -> Iterator[Tensor]:
    """The gradient of each row's mean loss with respect to all weights, (P,), one after the other.

    Args:
        model: its weights and gradients are left as they were.
        rows: what to learn.
        first: tokens with loss that count, from the first on; all where None.
        done: told after every row.
    """
    import torch

    from holdfast.batches import collate
    from holdfast.encode import encode_all
    from holdfast.losses import batch_loss

    weights = [p for p in model.net.parameters() if p.requires_grad]
    for row in encode_all(rows, model.tokenizer):
        batch = collate([_opening(row, first)]).to(model.net.device)
        found = torch.autograd.grad(batch_loss(model.net, batch), weights)
        yield torch.cat([g.flatten() for g in found])
        done(1)


def _opening(row: Encoded, first: int | None) -> Encoded:
    if first is None:
        return row
    with_loss = [at for at, weight in enumerate(row.weights) if weight and at]
    until = with_loss[min(first, len(with_loss)) - 1] + 1
    return replace(row, ids=row.ids[:until], weights=row.weights[:until])
