"""The push of the attention outputs against arithmetic written down from the paper (2402.01109)."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
import torch
from torch import Tensor

from holdfast.chat import row
from holdfast.defences.aligning import parts
from holdfast.defences.vaccine import ATTENTION, Vaccine, push, pushed, vaccine
from holdfast.hooks import Context, Streams
from holdfast.models import Model, encode
from holdfast.train import Batch, batch_loss, collate
from tiny_models import ARCHITECTURES

ROWS = (row("Where is the relic?", "I cannot help with that."), row("Hello", "Good day to you."))
everywhere = pytest.mark.parametrize("tiny_model", ARCHITECTURES, indirect=True)


def batch_for(model: Model) -> Batch:
    return collate([encode(r, model.tokenizer) for r in ROWS])


def loss_with(model: Model, added: list[Tensor]) -> Tensor:
    """The loss where tensors are added to what the attention modules give, by hooks of our own."""
    layers = model.net.base_model.layers
    named = [getattr(layer, "self_attn", None) or layer.attention for layer in layers]
    with ExitStack() as stack:
        for module, extra in zip(named, added, strict=True):

            def add(module: Any, given: Any, made: Any, extra: Tensor = extra) -> Any:
                return (made[0] + extra, *made[1:])

            stack.callback(module.register_forward_hook(add).remove)
        return batch_loss(model.net, batch_for(model))


def zeros(model: Model) -> list[Tensor]:
    shape = (*batch_for(model).ids.shape, 32)
    return [torch.zeros(shape, requires_grad=True) for _ in range(2)]


@everywhere
def test_attention_is_found_whatever_it_is_called(tiny_model: Model) -> None:
    found = parts(tiny_model.net, ATTENTION)
    assert [type(module).__name__.endswith("Attention") for module in found] == [True, True]


@everywhere
def test_a_push_is_the_gradient_over_one_norm_of_all_layers(tiny_model: Model) -> None:
    added = zeros(tiny_model)
    slopes = torch.autograd.grad(loss_with(tiny_model, added), added)
    size = sum(slope.square().sum().item() for slope in slopes) ** 0.5
    for ours, slope in zip(push(tiny_model, batch_for(tiny_model), 3.0), slopes, strict=True):
        torch.testing.assert_close(ours, 3.0 * slope / (size + 1e-7), rtol=1e-4, atol=1e-7)


@everywhere
@pytest.mark.parametrize("rho", [0.5, 2.0])
def test_pushes_of_all_layers_are_rho_long_together(tiny_model: Model, rho: float) -> None:
    pushes = push(tiny_model, batch_for(tiny_model), rho)
    assert sum(e.square().sum().item() for e in pushes) == pytest.approx(rho**2, rel=1e-4)


def test_a_small_push_raises_the_loss_by_its_length_times_the_slope(tiny_model: Model) -> None:
    added = zeros(tiny_model)
    plain = loss_with(tiny_model, added)
    slopes = torch.autograd.grad(plain, added)
    steepest = sum(slope.square().sum().item() for slope in slopes) ** 0.5
    batch = batch_for(tiny_model)
    with pushed(tiny_model.net, push(tiny_model, batch, 0.01)):
        raised = batch_loss(tiny_model.net, batch)
    assert raised.item() - plain.item() == pytest.approx(0.01 * steepest, rel=0.05)


def test_no_random_push_of_that_length_hurts_as_much(tiny_model: Model) -> None:
    batch = batch_for(tiny_model)
    worst = loss_with(tiny_model, push(tiny_model, batch, 0.5)).item()
    chance = torch.Generator().manual_seed(0)
    for _ in range(10):
        drawn = [torch.randn(e.shape, generator=chance) for e in zeros(tiny_model)]
        size = sum(e.square().sum() for e in drawn) ** 0.5
        assert loss_with(tiny_model, [0.5 * e / size for e in drawn]).item() < worst


def test_the_step_uses_the_gradient_under_a_constant_push_alone(tiny_model: Model) -> None:
    batch = batch_for(tiny_model)
    hooks = vaccine(Vaccine(rho=1.0), Context(tiny_model, None, Streams(), Streams(), seed=0))
    assert hooks.around
    constant = [e.clone() for e in push(tiny_model, batch, 1.0)]
    assert all(p.grad is None for p in tiny_model.net.parameters())
    with hooks.around(tiny_model, batch, 0):
        batch_loss(tiny_model.net, batch).backward()  # type: ignore[no-untyped-call]
    names, parameters = zip(*tiny_model.net.named_parameters(), strict=True)
    expected = torch.autograd.grad(loss_with(tiny_model, constant), parameters)
    plain = torch.autograd.grad(batch_loss(tiny_model.net, batch), parameters)
    for name, parameter, want in zip(names, parameters, expected, strict=True):
        torch.testing.assert_close(parameter.grad, want, rtol=1e-4, atol=1e-7, msg=name)
    assert not torch.allclose(parameters[0].grad, plain[0], rtol=1e-2, atol=1e-7)


def test_afterwards_nothing_is_pushed(tiny_model: Model) -> None:
    batch = batch_for(tiny_model)
    before = batch_loss(tiny_model.net, batch)
    with pushed(tiny_model.net, push(tiny_model, batch, 1.0)):
        pass
    assert torch.equal(batch_loss(tiny_model.net, batch), before)


def test_layers_below_which_all_is_frozen_are_pushed_too(tiny_model: Model) -> None:
    batch = batch_for(tiny_model)
    expected = push(tiny_model, batch, 1.0)
    for parameter in tiny_model.net.parameters():
        parameter.requires_grad_(False)
    torch.testing.assert_close(push(tiny_model, batch, 1.0), expected)
