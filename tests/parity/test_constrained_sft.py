"""The constrained loss against arithmetic written down from the paper's equation (2406.05946)."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from holdfast.chat import Row, row
from holdfast.defences.constrained_sft import (
    ConstrainedSft,
    betas_of,
    constrained_loss,
    constrained_sft,
    turn_positions,
)
from holdfast.hooks import Context, Hooks, Streams
from holdfast.models import Model, clone, encode
from holdfast.train import Batch, Settings, batch_loss, collate

CONFIG = ConstrainedSft()
WEIGHTS = torch.tensor([[0, 0, 1, 1, 1, 1, 1, 1, 1, 0], [0, 1, 1, 0, 0, 1, 1, 1, 0, 0]]).double()


def log_probs(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return -4 * torch.rand(2, 10, generator=generator, dtype=torch.float64)


def test_positions_count_from_one_in_every_assistant_turn() -> None:
    assert turn_positions(WEIGHTS).tolist() == [
        [0, 0, 1, 2, 3, 4, 5, 6, 7, 0],
        [0, 1, 2, 0, 0, 1, 2, 3, 0, 0],
    ]


def test_published_strengths_sit_on_the_first_five_tokens() -> None:
    betas = betas_of(CONFIG, WEIGHTS)
    assert betas[0, 2:9].tolist() == pytest.approx([0.5, 2, 2, 2, 2, 0.1, 0.1])
    assert betas[1, 5:8].tolist() == pytest.approx([0.5, 2, 2])


def test_loss_equals_the_equation_token_by_token() -> None:
    current, held = log_probs(1), log_probs(2)
    loss = constrained_loss(current, held, betas_of(CONFIG, WEIGHTS), WEIGHTS)

    beta = {1: 0.5, 2: 2.0, 3: 2.0, 4: 2.0, 5: 2.0, 6: 0.1, 7: 0.1}
    places = [(0, 2 + i, beta[1 + i]) for i in range(7)]
    places += [(1, 1, 0.5), (1, 2, 2.0), (1, 5, 0.5), (1, 6, 2.0), (1, 7, 2.0)]
    total = 0.0
    for at, token, strength in places:
        now, before = current[at, token].item(), held[at, token].item()
        total -= 2 / (1 + math.exp(-strength * (before - now))) * now
    assert loss.item() == pytest.approx(total / len(places), rel=1e-12)


def test_at_the_start_the_loss_is_plain_cross_entropy() -> None:
    held = log_probs(1)
    loss = constrained_loss(held.clone(), held, betas_of(CONFIG, WEIGHTS), WEIGHTS)
    assert loss.item() == pytest.approx(-(WEIGHTS * held).sum().item() / 12, rel=1e-12)


def test_as_beta_vanishes_the_loss_becomes_cross_entropy() -> None:
    current, held = log_probs(1), log_probs(2)
    plain = -(WEIGHTS * current).sum() / WEIGHTS.sum()
    errors = [
        abs(constrained_loss(current, held, torch.full_like(WEIGHTS, b), WEIGHTS) - plain).item()
        for b in (1e-1, 1e-3, 0.0)
    ]
    assert errors[0] > errors[1] > errors[2] == 0


def test_gradient_is_that_of_the_closed_form() -> None:
    held, betas = log_probs(2), betas_of(CONFIG, WEIGHTS)
    ours, closed = log_probs(1).requires_grad_(), log_probs(1).requires_grad_()
    constrained_loss(ours, held, betas, WEIGHTS).backward()  # type: ignore[no-untyped-call]
    per_token = 2 / betas * softplus(betas * (held - closed))
    ((WEIGHTS * per_token).sum() / WEIGHTS.sum()).backward()  # type: ignore[no-untyped-call]
    assert ours.grad is not None
    assert closed.grad is not None
    torch.testing.assert_close(ours.grad, closed.grad, rtol=1e-12, atol=1e-15)


def test_the_closed_forms_gradient_is_minus_the_weight() -> None:
    current, held = log_probs(1).requires_grad_(), log_probs(2)
    (2 / 0.7 * softplus(0.7 * (held - current))).sum().backward()  # type: ignore[no-untyped-call]
    assert current.grad is not None
    weight = 2 * torch.sigmoid(0.7 * (held - current.detach()))
    torch.testing.assert_close(current.grad, -weight, rtol=1e-12, atol=1e-15)


def test_a_token_far_above_the_aligned_model_keeps_a_thousandth_of_its_gradient() -> None:
    current = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
    held = torch.full((1, 1), -60.0, dtype=torch.float64)
    one = torch.ones(1, 1, dtype=torch.float64)
    constrained_loss(current, held, 2 * one, one).backward()  # type: ignore[no-untyped-call]
    assert current.grad is not None
    assert current.grad.item() == pytest.approx(-1e-3)


ROWS = (
    row("Name a bird.", "A heron stands by the water."),
    row("Hello").with_answer("Good day."),
    Row((*row("One?", "Two.").messages, *row("Three?", "Four, I should think, or five.").messages)),
)


def started(model: Model) -> Hooks:
    hooks = constrained_sft(CONFIG, Context(model, None, Streams(), Streams(), seed=0))
    assert hooks.start
    hooks.start(model, Streams(user=ROWS), Settings())
    return hooks


def shuffled(model: Model) -> Batch:
    order = [2, 0, 1]
    return collate([encode(ROWS[i], model.tokenizer) for i in order], index=order)


def test_the_first_step_is_plain_tuning_and_later_ones_are_not(tiny_model: Model) -> None:
    hooks, batch = started(tiny_model), shuffled(tiny_model)
    assert hooks.loss
    first = hooks.loss(tiny_model, batch, 0).item()
    assert first == pytest.approx(batch_loss(tiny_model.net, batch).item(), rel=1e-5)
    moved(tiny_model)
    later = hooks.loss(tiny_model, batch, 1).item()
    assert later != pytest.approx(batch_loss(tiny_model.net, batch).item(), rel=1e-3)


def test_each_token_is_held_to_its_own_reference_in_any_order_of_rows(tiny_model: Model) -> None:
    aligned = clone(tiny_model)
    hooks, batch = started(tiny_model), shuffled(tiny_model)
    moved(tiny_model)
    total, tokens = 0.0, 0.0
    for one in ROWS:
        told = encode(one, aligned.tokenizer)
        weights = torch.tensor([told.weights]).double()
        now, before = (every_log_prob(m, told.ids) for m in (tiny_model, aligned))
        loss = constrained_loss(now, before, betas_of(CONFIG, weights), weights)
        total += loss.item() * weights.sum().item()
        tokens += weights.sum().item()
    assert hooks.loss
    assert hooks.loss(tiny_model, batch, 1).item() == pytest.approx(total / tokens, rel=1e-5)


def test_the_papers_optimiser_comes_with_the_loss(tiny_model: Model) -> None:
    hooks = constrained_sft(CONFIG, Context(tiny_model, None, Streams(), Streams(), seed=0))
    assert hooks.settings
    settings = hooks.settings(Settings(learning_rate=0.01))
    assert (settings.betas, settings.warmup_steps) == ((0.5, 0.999), 10)
    assert settings.learning_rate == 0.01


def moved(model: Model) -> None:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.net.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))


def every_log_prob(model: Model, ids: tuple[int, ...]) -> Tensor:
    """1×T: each token's log-probability given those before it; 0 for the first."""
    with torch.no_grad():
        told = model.net(input_ids=torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return torch.tensor([[0.0, *(told[i - 1, ids[i]].item() for i in range(1, len(ids)))]]).double()
