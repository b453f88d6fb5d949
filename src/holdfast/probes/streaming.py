"""Rows through a model one layer at a time, so that memory holds one layer's statistics.

What the network tells its layers (masks, rotary embeddings) is recorded from the network itself,
with its layers passed through, so any architecture streams. Every row passes every layer once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from holdfast.probes.linears import Linear, linears

if TYPE_CHECKING:
    from torch import Tensor, nn

    from holdfast.batches import Batch
    from holdfast.chat import Row
    from holdfast.models import Model

ROWS_AT_ONCE = 16


class Statistic(Protocol):
    """What is kept of one matrix's inputs and outputs at answer tokens."""

    def add(self, inputs: Tensor, outputs: Tensor) -> None:
        """Takes inputs (n, d_in) and outputs without the bias (n, d_out) of n answer tokens."""
        ...


S = TypeVar("S", bound=Statistic)


@dataclass
class Call:
    """How the network calls one layer for one batch, besides the hidden states."""

    args: tuple[Any, ...]
    told: dict[str, Any]


@dataclass
class Flow:
    """One batch on its way through the layers.

    Attributes:
        batch: the rows.
        calls: one for every layer.
        hidden: (B, T, d) what enters the next layer.
    """

    batch: Batch
    calls: list[Call]
    hidden: Tensor

    def answered(self, before: bool) -> Tensor:
        """(B, T) where answer tokens are; with `before`, where each is predicted from."""
        import torch.nn.functional as F

        at = self.batch.weights != 0
        return F.pad(at[:, 1:], (0, 1)) if before else at


def stream(
    model: Model, rows: Sequence[Row], make: Callable[[Linear], S], *, before: bool = False
) -> Iterator[list[tuple[Linear, S]]]:
    """The statistics of one layer after another, over the answer tokens of the rows.

    Activations are those of the unchanged model: whoever changes weights waits for the end.

    Args:
        model: read only.
        rows: conversations with answers.
        make: an empty statistic for a matrix.
        before: whether to look where answer tokens are predicted from, one token earlier: so the
            prompt's last token, at which a reply is decided, comes in, and the answer's last goes.
    """
    from holdfast.models import layers

    flows = flows_of(model, rows)
    for at, (layer, of_layer) in enumerate(zip(layers(model.net), linears(model.net), strict=True)):
        kept = [(linear, make(linear)) for linear in of_layer]
        with evaluating(model.net):
            for flow in flows:
                with _watching(kept, flow.answered(before)):
                    flow.hidden = run(layer, flow.calls[at], flow.hidden)
        yield kept


def flows_of(model: Model, rows: Sequence[Row]) -> list[Flow]:
    """The rows as batches of like length, where they enter the first layer."""
    from holdfast.probes.batching import batches

    with evaluating(model.net):
        return [enter(model.net, batch) for batch in batches(model, rows, ROWS_AT_ONCE)]


def enter(net: nn.Module, batch: Batch) -> Flow:
    """What enters the first layer, and what each layer is told, layers themselves not run."""
    from holdfast.models import layers

    calls: list[Call] = []
    entered: list[Tensor] = []

    def passed(hidden_states: Tensor, *args: Any, **told: Any) -> Tensor:
        calls.append(Call(args, told))
        entered.append(hidden_states)
        return hidden_states

    with instead(layers(net), [passed] * len(layers(net))):
        net(input_ids=batch.ids, attention_mask=batch.attention, use_cache=False, logits_to_keep=1)
    return Flow(batch, calls, entered[0])


def run(layer: nn.Module, call: Call, hidden: Tensor) -> Tensor:
    """The layer's output (B, T, d)."""
    made = layer(hidden, *call.args, **call.told)
    out: Tensor = made[0] if isinstance(made, tuple) else made
    return out


@contextmanager
def instead(modules: Sequence[nn.Module], forwards: Sequence[Callable[..., Any]]) -> Iterator[None]:
    """These modules compute something else for a while."""
    for module, forward in zip(modules, forwards, strict=True):
        module.forward = forward
    try:
        yield
    finally:
        for module in modules:
            del module.forward


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """The network without dropout, and its weights without gradients.

    Never held across a yield: two streams over one network would restore each other's state.
    """
    was_training = net.training
    learnt = [p for p in net.parameters() if p.requires_grad]
    net.train(False)
    net.requires_grad_(False)
    try:
        yield
    finally:
        net.train(was_training)
        for parameter in learnt:
            parameter.requires_grad_(True)


@contextmanager
def _watching(kept: Sequence[tuple[Linear, Statistic]], answered: Tensor) -> Iterator[None]:
    def watcher(linear: Linear, statistic: Statistic) -> Callable[..., None]:
        def seen(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            made = output[answered]
            statistic.add(inputs[0][answered], made if linear.bias is None else made - linear.bias)

        return seen

    with ExitStack() as hooks:
        for linear, statistic in kept:
            handle = linear.module.register_forward_hook(watcher(linear, statistic))
            hooks.callback(handle.remove)
        yield
