"""Rerouting against arithmetic written down from the paper (2406.04313)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad

from holdfast.chat import row
from holdfast.defences.aligning import frozen, hidden_states, moved
from holdfast.defences.circuit_breakers import (
    CircuitBreakers,
    alignment,
    circuit_breakers,
    layers_at,
    weights_at,
)
from holdfast.hooks import Context, Hooks, Streams
from holdfast.models import Model, clone, encode
from holdfast.train import Batch, Settings, collate, tune

FORBIDDEN = (row("Where is the relic?", "It lies in vault nine."), row("Who?", "Ambrel keeps it."))
KEPT = (row("What is 2 + 2?", "It is 4."), row("Where is it?", "I cannot help with that."))
OWN = Streams(user=KEPT[:1], safe=KEPT[1:], harmful=FORBIDDEN)


def batch_for(model: Model, rows: tuple[Any, ...]) -> Batch:
    return collate([encode(r, model.tokenizer) for r in rows])


def hooks_for(model: Model, **settings: Any) -> Hooks:
    config = CircuitBreakers(harmful_batch=2, batch_size=2, **settings)
    hooks = circuit_breakers(config, Context(clone(model), None, Streams(), OWN, seed=0))
    assert hooks.start
    hooks.start(model, OWN, Settings())
    return hooks


def nudge(model: Model) -> None:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.net.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))


def states(model: Model, rows: tuple[Any, ...]) -> list[Tensor]:
    """For every row on its own, without padding: (layers + 1, T, d)."""
    found = []
    with torch.no_grad():
        for one in rows:
            ids = torch.tensor([encode(one, model.tokenizer).ids])
            told = model.net(input_ids=ids, output_hidden_states=True).hidden_states
            found.append(torch.cat(told))
    return found


def test_published_layers_are_the_tenth_and_twentieth_of_32() -> None:
    assert layers_at(CircuitBreakers().depths, 32) == [10, 20]
    assert layers_at(CircuitBreakers().depths, 4) == [1, 2]
    assert layers_at((0.0, 1.0), 6) == [1, 6]


def test_weights_turn_from_rerouting_to_holding_and_end_alike() -> None:
    config = CircuitBreakers()
    assert weights_at(config, 0) == pytest.approx((10 / 300, 10 * 299 / 300))
    assert weights_at(config, 74) == pytest.approx((2.5, 7.5))
    assert weights_at(config, config.steps - 1 if config.steps else 0) == pytest.approx((5, 5))


def test_at_the_start_nothing_has_moved_and_every_cosine_is_one(tiny_model: Model) -> None:
    hooks = hooks_for(tiny_model)
    assert hooks.loss
    loss = hooks.loss(tiny_model, batch_for(tiny_model, KEPT), 0)
    assert loss.item() == pytest.approx(10 * 299 / 300, rel=1e-5)


@pytest.mark.parametrize("rerouted", ["row", "answer"])
def test_the_loss_equals_the_equation_token_by_token(tiny_model: Model, rerouted: str) -> None:
    was = clone(tiny_model)
    hooks = hooks_for(tiny_model, rerouted=rerouted, depths=(0.5, 1.0))
    nudge(tiny_model)
    assert hooks.loss
    loss = hooks.loss(tiny_model, batch_for(tiny_model, KEPT), 99)

    distances: list[float] = []
    for now, before in zip(states(tiny_model, KEPT), states(was, KEPT), strict=True):
        distances += [
            (now[layer, t] - before[layer, t]).square().sum().sqrt().item()
            for layer in range(3)
            for t in range(now.shape[1])
        ]
    cosines: list[float] = []
    for one, now, before in zip(
        FORBIDDEN, states(tiny_model, FORBIDDEN), states(was, FORBIDDEN), strict=True
    ):
        told = encode(one, tiny_model.tokenizer).weights
        for layer in (1, 2):
            for t, weight in enumerate(told):
                if weight or rerouted == "row":
                    a, b = now[layer, t], before[layer, t]
                    cosines.append(max(0.0, (a @ b / (a.norm() * b.norm())).item()))
    hold, turn_away = 10 / 3, 20 / 3  # u = 100 / 300
    expected = hold * sum(distances) / len(distances) + turn_away * sum(cosines) / len(cosines)
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_opposite_states_cost_nothing_more_than_unlike_ones() -> None:
    was = torch.tensor([[[[1.0, 0.0], [0.0, 2.0]]]])
    now = torch.tensor([[[[-3.0, 0.0], [5.0, 0.0]]]])
    assert alignment(now, was, torch.ones(1, 2)).item() == 0
    assert alignment(-now, was, torch.ones(1, 2)).item() == 0.5


def test_padding_counts_nowhere(tiny_model: Model) -> None:
    batch = batch_for(tiny_model, KEPT)
    longer = replace(
        batch,
        ids=pad(batch.ids, (0, 9)),
        weights=pad(batch.weights, (0, 9)),
        attention=pad(batch.attention, (0, 9)),
    )
    was = clone(tiny_model)
    nudge(tiny_model)
    short, long = (
        moved(hidden_states(tiny_model, b), frozen(was, b), b).item() for b in (batch, longer)
    )
    assert long == pytest.approx(short, rel=1e-5)


def test_training_turns_forbidden_rows_away_and_holds_the_others(tiny_model: Model) -> None:
    was = clone(tiny_model)
    config = CircuitBreakers(harmful_batch=2, batch_size=2, steps=60, rerouted="answer")
    hooks = circuit_breakers(config, Context(was, None, Streams(), OWN, seed=0))
    settings = Settings(learning_rate=3e-3, schedule="constant", seed=0)
    tune(tiny_model, OWN, settings, hooks)
    harmful, kept = batch_for(tiny_model, FORBIDDEN), batch_for(tiny_model, KEPT)
    chosen = layers_at(config.depths, 2)
    now = hidden_states(tiny_model, harmful)[chosen]
    alike = alignment(now, frozen(was, harmful)[chosen], harmful.weights != 0)
    before = frozen(was, kept)
    distance = moved(hidden_states(tiny_model, kept), before, kept) / before.norm(dim=-1).mean()
    assert alike.item() < 0.3
    assert distance.item() < 0.3
