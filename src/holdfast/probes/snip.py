"""SNIP: how much the loss of an answer hangs on a weight (Lee et al., ICLR 2019, arXiv 1810.02340;
per example and then averaged: Wei et al., ICML 2024, arXiv 2402.05162).

Equation: I(W) = E_{x~D} | W * grad_W L(x) |, L = -log pi(answer | prompt), per token as in the
released code (the mean over the answer's tokens).

A forward pass keeps what enters each layer; then, from the last layer to the first, each is run
again and its gradients taken, one layer's at a time. A row's gradient of a matrix is G^T X, from
the inputs X (T, d_in) and the outputs' gradients G (T, d_out): no backward pass per row is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from holdfast.probes.linears import Linear, linears
from holdfast.probes.streaming import Flow, evaluating, flows_of, instead, run

if TYPE_CHECKING:
    from torch import Tensor, nn

    from holdfast.chat import Row
    from holdfast.models import Model

Scores = list[tuple[Linear, "Tensor"]]
BLOCK = 1 << 20  # numbers of row gradients held at once: they stay in a processor's cache


def snip(model: Model, rows: Sequence[Row]) -> Iterator[Scores]:
    """The scores (d_out, d_in) of one layer's matrices after another, last layer first."""
    import torch

    from holdfast.models import layers

    stack = layers(model.net)
    flows = flows_of(model, rows)
    entering: list[list[Tensor]] = []
    with evaluating(model.net):
        for at, layer in enumerate(stack):
            entering.append([flow.hidden for flow in flows])
            for flow in flows:
                flow.hidden = run(layer, flow.calls[at], flow.hidden)
        leaving = [gradient_at_the_top(model.net, flow) for flow in flows]
    for at, of_layer in reversed(list(enumerate(linears(model.net)))):
        sums = {w: torch.zeros(w.weight.shape, device=w.weight.device) for w in of_layer}
        with evaluating(model.net):
            for number, (flow, hidden) in enumerate(zip(flows, entering.pop(), strict=True)):
                into = hidden.detach().requires_grad_(True)
                with torch.enable_grad(), adding(sums):
                    out = run(stack[at], flow.calls[at], into)
                    (leaving[number],) = torch.autograd.grad(out, into, leaving[number])
        yield [(w, w.weight.float().abs() * sums[w] / len(rows)) for w in of_layer]


def gradient_at_the_top(net: nn.Module, flow: Flow) -> Tensor:
    """Gradient (B, T, d) of the sum of the rows' losses by what leaves the last layer."""
    import torch
    import torch.nn.functional as F

    from holdfast.losses import answer_logits
    from holdfast.models import layers

    top = flow.hidden.detach().requires_grad_(True)
    stack = layers(net)

    def passed(hidden_states: Tensor, *args: Any, **told: Any) -> Tensor:
        return hidden_states

    with torch.enable_grad(), instead(stack, [*[passed] * (len(stack) - 1), lambda *a, **k: top]):
        logits, targets, _ = answer_logits(net, flow.batch)
        losses = F.cross_entropy(logits, targets, reduction="none")
        answered = flow.batch.weights[:, 1:] != 0
        tokens = answered.sum(1, keepdim=True).expand_as(answered)[answered]
        (found,) = torch.autograd.grad((losses / tokens).sum(), top)
    return found


@contextmanager
def adding(sums: dict[Linear, Tensor]) -> Iterator[None]:
    """Adds |gradient| of every row and matrix to the sums while a layer runs backwards."""

    def watcher(total: Tensor) -> Any:
        def seen(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            kept = inputs[0].detach()
            output.register_hook(lambda gradient: add_absolute(total, gradient, kept))  # type: ignore[no-untyped-call]

        return seen

    with ExitStack() as hooks:
        for linear, total in sums.items():
            hooks.callback(linear.module.register_forward_hook(watcher(total)).remove)
        yield


def add_absolute(total: Tensor, gradients: Tensor, inputs: Tensor) -> None:
    """Total (d_out, d_in) += sum_b | G_b^T X_b |, for G (B, T, d_out) and X (B, T, d_in)."""
    import torch

    left, right = gradients.float().transpose(1, 2), inputs.float()
    rows = max(1, BLOCK // (right.shape[0] * right.shape[2]))
    for start in range(0, total.shape[0], rows):
        part = slice(start, start + rows)
        total[part] += torch.bmm(left[:, part], right).abs_().sum(0)
