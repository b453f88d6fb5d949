"""What defences of the align stage share: the rows they learn from, and the turns they take.

The defender's harmless rows and refusals make one stream, which the loop learns from as it always
does. Forbidden rows, or pairs of a refusal and a forbidden answer, come beside it in turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from holdfast.draw import at_most, generator
from holdfast.encode import Encoded
from holdfast.errors import UserError
from holdfast.hooks import Streams

if TYPE_CHECKING:
    from torch import Tensor, nn

    from holdfast.batches import Batch
    from holdfast.models import Model


def learned_rows(
    kind: str,
    own: Streams,
    *,
    seed: int,
    harmless: int | None = None,
    needs: Literal["harmful", "pairs"] | None = None,
) -> Callable[[Streams], Streams]:
    """The rows hook: harmless rows and refusals in one stream, the defender's where none come.

    Args:
        kind: of the defence, for messages.
        own: the defender's rows.
        seed: of the context.
        harmless: most harmless rows; None takes all of them.
        needs: the stream that the defence cannot do without.
    """

    def rows(streams: Streams) -> Streams:
        if not streams.user:
            if not own.safe:
                raise UserError(
                    f"{kind} trains refusals, and the policy has none for the defender: choose one "
                    "that has safe rows, such as canary45."
                )
            streams = replace(streams, user=own.user, safe=own.safe)
        user = streams.user
        if harmless is not None and len(user) > harmless:
            user = at_most(user, harmless, seed=seed, purpose=f"{kind}.harmless")
        filled = replace(
            streams,
            user=(*user, *streams.safe),
            harmful=streams.harmful or own.harmful,
            pairs=streams.pairs or own.pairs,
        )
        if needs and not getattr(filled, needs):
            what = "forbidden rows" if needs == "harmful" else "pairs of a refusal and an answer"
            raise UserError(
                f"{kind} needs {what}, and the policy has none for the defender: choose one that "
                "has them, such as canary45."
            )
        return filled

    return rows


def turn(count: int, size: int, step: int, *, seed: int, purpose: str) -> list[int]:
    """Which of `count` rows a step uses: every pass over them in an order of its own.

    It depends on the step alone, so a tune that is resumed goes on as it would have.
    """
    orders: dict[int, list[int]] = {}
    chosen = []
    for place in range(step * size, (step + 1) * size):
        lap, at = divmod(place, count)
        if lap not in orders:
            orders[lap] = list(range(count))
            generator(seed, f"{purpose}.lap.{lap}").shuffle(orders[lap])
        chosen.append(orders[lap][at])
    return chosen


def batch_of(rows: Sequence[Encoded], model: Model) -> Batch:
    """Encoded rows as one batch on the model's device."""
    from holdfast.batches import collate

    pad = model.tokenizer.pad_token_id
    return collate(rows, pad if isinstance(pad, int) else 0).to(model.net.device)


def trainable(model: Model) -> list[nn.Parameter]:
    """The parameters that the tune may change; adapters only, in low-rank tuning."""
    return [p for p in model.net.parameters() if p.requires_grad]


def gradient_of(loss: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    """Gradient of a loss, zero where it does not reach; every `.grad` stays as it is."""
    import torch

    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]


def length(tensors: Sequence[Tensor]) -> Tensor:
    """The Euclidean norm of all of them together, a scalar."""
    import torch

    whole: Tensor = torch.stack([t.norm() for t in tensors]).norm()
    return whole


@contextmanager
def changed(
    modules: Sequence[nn.Module], changes: Sequence[Callable[[Tensor], Tensor]]
) -> Iterator[None]:
    """Modules whose first output goes through a function."""

    def hook_of(change: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
        def hook(module: nn.Module, given: Any, made: Any) -> Any:
            return (change(made[0]), *made[1:]) if isinstance(made, tuple) else change(made)

        return hook

    with ExitStack() as stack:
        for module, change in zip(modules, changes, strict=True):
            stack.callback(module.register_forward_hook(hook_of(change)).remove)
        yield


def parts(net: nn.Module, named: str) -> list[nn.Module]:
    """The part of every layer that has `named` in its name and holds matrices, first layer first.

    So "att" finds `self_attn`, `attention` and `attn`, but not `post_attention_layernorm`; a layer
    without such a part is passed over.

    Raises:
        UserError: no layer has one.
    """
    from holdfast.models import layers

    found = [
        part
        for layer in layers(net)
        for name, part in layer.named_children()
        if named in name and any(p.dim() >= 2 for p in part.parameters())
    ]
    if not found:
        raise UserError(
            f"The layers of a {type(net).__name__} have no part with {named!r} in its name, which "
            "this defence works on: choose another one."
        )
    return found


def hidden_states(model: Model, batch: Batch) -> Tensor:
    """(L+1, B, T, d): the embedding and what leaves each layer, the last one normed."""
    import torch

    output = model.net(
        input_ids=batch.ids,
        attention_mask=batch.attention,
        use_cache=False,
        output_hidden_states=True,
        logits_to_keep=1,
    )
    return torch.stack(output.hidden_states)


def frozen(model: Model, batch: Batch) -> Tensor:
    """Hidden states of the model as it was, without a graph."""
    import torch

    with torch.no_grad():
        return hidden_states(model, batch)


def moved(now: Tensor, held: Tensor, batch: Batch) -> Tensor:
    """Mean over layers and tokens of ||h - h_held||_2, a scalar; 0 where nothing has moved.

    Args:
        now: (L, B, T, d) hidden states, with a graph.
        held: the same of the model as it was.
        batch: whose padding is left out.
    """
    away = (now - held).norm(dim=-1) * batch.attention
    mean: Tensor = away.sum() / (batch.attention.sum() * len(now))
    return mean
