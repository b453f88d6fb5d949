"""The attenuated gradient against arithmetic written down from the paper (2409.01586)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from holdfast import losses
from holdfast.chat import row
from holdfast.defences.booster import Booster, attenuation, booster
from holdfast.hooks import Context, Streams
from holdfast.models import Model, clone, encode
from holdfast.train import Batch, Settings, batch_loss, collate

FORBIDDEN = (row("Where is the relic?", "It lies in vault nine."), row("Who?", "Ambrel keeps it."))
SAFE = (row("Where is the relic?", "I cannot help with that."),)


def batch_for(model: Model, rows: tuple[Any, ...]) -> Batch:
    return collate([encode(r, model.tokenizer) for r in rows])


def parameters_of(model: Model) -> list[nn.Parameter]:
    return list(model.net.parameters())


def gradients(model: Model, batch: Batch) -> list[Tensor]:
    return list(torch.autograd.grad(batch_loss(model.net, batch), parameters_of(model)))


def length(tensors: list[Tensor]) -> float:
    return float(sum(t.double().square().sum() for t in tensors) ** 0.5)


def test_on_a_quadratic_it_is_alpha_h_g_over_the_norm_of_g(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    w = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64, requires_grad=True)
    curvature = torch.tensor([[3.0, 1, 0], [1, 2, -1], [0, -1, 4]], dtype=torch.float64)
    monkeypatch.setattr(losses, "batch_loss", lambda net, batch: w @ curvature @ w / 2)
    nowhere = cast(Any, SimpleNamespace(net=None))
    (ours,) = attenuation(nowhere, cast(Any, None), [w], 0.3)
    g = (curvature @ w).detach()
    torch.testing.assert_close(ours, 0.3 * curvature @ g / g.norm(), rtol=1e-6, atol=1e-9)


def test_the_inner_step_has_one_length_over_all_weights(tiny_model: Model) -> None:
    harmful = batch_for(tiny_model, FORBIDDEN)
    ours = attenuation(tiny_model, harmful, parameters_of(tiny_model), 0.2)
    here = gradients(tiny_model, harmful)
    stepped = clone(tiny_model)
    with torch.no_grad():
        for parameter, slope in zip(stepped.net.parameters(), here, strict=True):
            parameter -= 0.2 * slope / (length(here) + 1e-7)
    there = gradients(stepped, harmful)
    for one, before, after in zip(ours, here, there, strict=True):
        torch.testing.assert_close(one, before - after, rtol=1e-3, atol=1e-6)


def test_weights_come_back_to_the_bit_whatever_happens(
    tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [p.detach().clone() for p in tiny_model.net.parameters()]
    harmful = batch_for(tiny_model, FORBIDDEN)
    attenuation(tiny_model, harmful, parameters_of(tiny_model), 0.7)
    assert all(map(torch.equal, before, tiny_model.net.parameters()))

    calls = []

    def fails_the_second_time(net: Any, batch: Batch) -> Tensor:
        calls.append(batch)
        if len(calls) == 2:
            raise RuntimeError("stopped")
        return batch_loss(net, batch)

    monkeypatch.setattr(losses, "batch_loss", fails_the_second_time)
    with pytest.raises(RuntimeError, match="stopped"):
        attenuation(tiny_model, harmful, parameters_of(tiny_model), 0.7)
    assert all(map(torch.equal, before, tiny_model.net.parameters()))
    assert calls[0] is calls[1]  # the same forbidden rows both times


def test_as_alpha_vanishes_so_does_what_is_added(tiny_model: Model) -> None:
    harmful = batch_for(tiny_model, FORBIDDEN)
    sizes = [
        length(attenuation(tiny_model, harmful, parameters_of(tiny_model), alpha))
        for alpha in (0.1, 0.01, 0.001)
    ]
    assert sizes[0] > 5 * sizes[1] > 25 * sizes[2] > 0


def test_lambda_times_it_is_added_to_the_loops_own_gradient(tiny_model: Model) -> None:
    own = Streams(safe=SAFE, harmful=FORBIDDEN)
    hooks = booster(Booster(harmful_batch=2), Context(tiny_model, None, Streams(), own, seed=0))
    assert hooks.start
    assert hooks.gradient
    hooks.start(tiny_model, own, Settings())
    safe, harmful = batch_for(tiny_model, SAFE), batch_for(tiny_model, FORBIDDEN)
    plain = gradients(tiny_model, safe)
    added = attenuation(tiny_model, harmful, parameters_of(tiny_model), 0.1)
    batch_loss(tiny_model.net, safe).backward()  # type: ignore[no-untyped-call]
    hooks.gradient(tiny_model, safe, 0)
    for parameter, one, other in zip(tiny_model.net.parameters(), plain, added, strict=True):
        torch.testing.assert_close(parameter.grad, one + 5 * other, rtol=1e-3, atol=1e-6)


def test_a_step_along_it_shortens_what_an_attackers_step_gains(tiny_model: Model) -> None:
    harmful = batch_for(tiny_model, FORBIDDEN)

    def gained(model: Model) -> float:
        here = gradients(model, harmful)
        stepped = clone(model)
        with torch.no_grad():
            for parameter, slope in zip(stepped.net.parameters(), here, strict=True):
                parameter -= 0.2 * slope / length(here)
        losses = [batch_loss(m.net, harmful).item() for m in (model, stepped)]
        return losses[0] - losses[1]

    before = gained(tiny_model)
    direction = attenuation(tiny_model, harmful, parameters_of(tiny_model), 0.2)
    with torch.no_grad():
        for parameter, slope in zip(tiny_model.net.parameters(), direction, strict=True):
            parameter -= 0.1 * slope / length(direction)
    assert gained(tiny_model) < before
