"""The residual stream where replies begin: read, searched for one direction, changed along it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdfast import stats
from holdfast.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from holdfast.chat import Row
    from holdfast.models import Model


def activations(model: Model, rows: Sequence[Row], positions: int) -> Tensor:
    """Residual stream (rows, layers, positions, d) where replies begin, last token last.

    Raises:
        UserError: a prompt is shorter than `positions`.
    """
    import torch

    from holdfast.encode import encode_prompt
    from holdfast.models import layers

    stack = layers(model.net)
    found = []
    for row in rows:
        ids = encode_prompt(row, model.tokenizer)
        if len(ids) < positions:
            raise UserError(
                f"The prompt {row.prompt[:40]!r} has {len(ids)} tokens, fewer than the "
                f"{positions} positions looked at: ask for fewer positions."
            )
        kept: list[Tensor] = []

        def keep(module: nn.Module, given: Any, made: Any, kept: list[Tensor] = kept) -> None:
            kept.append(_hidden(made)[0, -positions:].float().cpu())

        with torch.no_grad(), _hooked(stack, [keep] * len(stack)):
            told = torch.tensor([ids], device=model.net.device)
            model.net(input_ids=told, use_cache=False, logits_to_keep=1)
        found.append(torch.stack(kept))
    return torch.stack(found)


@dataclass(frozen=True)
class Separation:
    """How refused and answered prompts lie apart, by layer and position.

    Attributes:
        directions: (layers, positions, d) difference of means.
        auroc: (layers, positions) of the activations along it, on prompts kept aside.
        gap: (layers, positions) distance of the means along it, in standard deviations, on those;
            it still ranks where every AUROC is 1.
    """

    directions: Tensor
    auroc: Tensor
    gap: Tensor


def separate(refused: Tensor, answered: Tensor) -> Separation:
    """Directions from three quarters of the prompts, judged on the last quarter.

    Args:
        refused: (n, layers, positions, d).
        answered: the same of prompts that are answered.
    """
    import torch

    cuts = [max(1, len(kind) * 3 // 4) for kind in (refused, answered)]
    directions = refused[: cuts[0]].mean(0) - answered[: cuts[1]].mean(0)
    unit = directions / directions.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    one, other = ((kind * unit).sum(-1) for kind in (refused[cuts[0] :], answered[cuts[1] :]))
    labels = [True] * len(one) + [False] * len(other)
    along = torch.cat([one, other])
    aurocs = [
        [stats.auroc(along[:, at, place].tolist(), labels).value for place in range(along.shape[2])]
        for at in range(along.shape[1])
    ]
    spread = (one.var(0, correction=0) + other.var(0, correction=0)).sqrt().clamp(min=1e-12)
    return Separation(directions, torch.tensor(aurocs), (one.mean(0) - other.mean(0)) / spread)


@contextmanager
def projected_out(net: nn.Module, direction: Tensor) -> Iterator[None]:
    """The residual stream without one direction (d,), from the embedding to the last layer."""
    from holdfast.models import layers

    unit = direction / direction.norm()

    def cut(hidden: Tensor) -> Tensor:
        r = unit.to(hidden)
        without: Tensor = hidden - (hidden @ r)[..., None] * r
        return without

    def entering(module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return (cut(given[0]), *given[1:])

    stack = layers(net)
    handle = stack[0].register_forward_pre_hook(entering)
    try:
        with _hooked(stack, [_changing(cut)] * len(stack)):
            yield
    finally:
        handle.remove()


@contextmanager
def added(net: nn.Module, layer: int, direction: Tensor) -> Iterator[None]:
    """The residual stream with a direction (d,) added to what leaves one layer."""
    from holdfast.models import layers

    change = _changing(lambda hidden: hidden + direction.to(hidden))
    with _hooked([layers(net)[layer]], [change]):
        yield


def _changing(change: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
    def changed(module: nn.Module, given: Any, made: Any) -> Any:
        hidden = change(_hidden(made))
        return (hidden, *made[1:]) if isinstance(made, tuple) else hidden

    return changed


def _hidden(made: Any) -> Tensor:
    hidden: Tensor = made[0] if isinstance(made, tuple) else made
    return hidden


@contextmanager
def _hooked(modules: Sequence[nn.Module], hooks: Sequence[Callable[..., Any]]) -> Iterator[None]:
    with ExitStack() as stack:
        for module, hook in zip(modules, hooks, strict=True):
            stack.callback(module.register_forward_hook(hook).remove)
        yield
