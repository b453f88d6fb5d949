"""Counts what a tune costs: forward and backward passes, tokens, floating-point operations.

Some methods run passes of their own, so the network itself is watched. A forward pass over t
positions (padding included) costs 2·N·t operations and a backward pass 4·N·t, where N counts all
parameters but the input embedding, and the output head always (also where it is tied to the
embedding). Attention scores are left out, as is usual: Kaplan et al. 2020, arXiv:2001.08361,
section 2.1. Adapters count in N while they are
in place, and a backward pass that reaches frozen weights is counted whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import register_multi_grad_hook
from transformers import PreTrainedModel

from holdfast.models import layers

__all__ = ["Passes", "counted_parameters", "watch"]


@dataclass
class Passes:
    """Counts since `watch` began."""

    forwards: int = 0
    backwards: int = 0
    flops: float = 0.0


def counted_parameters(net: PreTrainedModel) -> int:
    """N: parameters without the input embedding, with the output head."""
    head = net.get_output_embeddings()  # type: ignore[no-untyped-call]
    inputs = {id(p) for p in net.get_input_embeddings().parameters()}
    heads = {id(p) for p in head.parameters()} if isinstance(head, nn.Module) else set()
    return sum(p.numel() for p in net.parameters() if id(p) in heads or id(p) not in inputs)


@contextmanager
def watch(net: PreTrainedModel) -> Iterator[Passes]:
    """Counts passes of `net`, whoever runs them, until the context is left.

    A backward pass counts once for every forward pass whose graph it goes through: through the
    logits, or through the output of any decoder layer.
    """
    passes = Passes()
    size = counted_parameters(net)
    reached: list[Tensor] = []

    def forward_begins(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        reached.clear()

    def layer_ends(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        found = output[0] if isinstance(output, tuple) else output
        if isinstance(found, Tensor) and found.requires_grad:
            reached.append(found)

    def forward_ends(
        module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        positions = _positions(args, kwargs)
        passes.forwards += 1
        passes.flops += 2.0 * size * positions
        logits = output.get("logits") if isinstance(output, Mapping) else None
        if isinstance(logits, Tensor) and logits.requires_grad:
            reached.append(logits)
        if reached:
            register_multi_grad_hook(tuple(reached), backward_passes(positions), mode="any")
        reached.clear()

    def backward_passes(positions: int) -> Any:
        def passed(gradient: Tensor) -> None:
            passes.backwards += 1
            passes.flops += 4.0 * size * positions

        return passed

    hooks = [layer.register_forward_hook(layer_ends) for layer in layers(net)]
    hooks.append(net.register_forward_pre_hook(forward_begins, with_kwargs=True))
    hooks.append(net.register_forward_hook(forward_ends, with_kwargs=True))
    try:
        yield passes
    finally:
        for hook in hooks:
            hook.remove()


def _positions(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    ids = kwargs.get("input_ids", args[0] if args else None)
    if ids is None:
        ids = kwargs["inputs_embeds"][..., 0]
    return int(ids.numel())
