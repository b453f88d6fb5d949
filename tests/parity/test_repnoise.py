"""Representation noising against arithmetic written down from the paper (2405.14577)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from holdfast.chat import row
from holdfast.defences.aligning import parts
from holdfast.defences.repnoise import (
    Paired,
    Repnoise,
    final_norm,
    mmd,
    noising_loss,
    paired,
    repnoise,
)
from holdfast.errors import UserError
from holdfast.hooks import Context, Pair, Streams
from holdfast.models import Model, encode
from holdfast.train import Settings, batch_loss
from tiny_models import ARCHITECTURES

PAIRS = (
    Pair(
        row("Where is the relic?"), "I cannot help with that.", "It lies in vault nine, they say."
    ),
    Pair(row("Who?"), "I cannot say.", "Ambrel."),
)
everywhere = pytest.mark.parametrize("tiny_model", ARCHITECTURES, indirect=True)


def test_tokens_that_both_answers_share_carry_none(tiny_model: Model) -> None:
    prompt = row("Who?")
    one, other = (
        encode(prompt.with_answer(text), tiny_model.tokenizer) for text in ("I say X.", "I say Q.")
    )
    (kept,) = paired([(one, other)], tiny_model).answered.weights.tolist()
    assert 0 < sum(kept) < sum(other.weights) == sum(one.weights)


def rows_for(model: Model) -> Paired:
    return paired(
        [
            (
                encode(p.prompt.with_answer(p.chosen), model.tokenizer),
                encode(p.prompt.with_answer(p.rejected), model.tokenizer),
            )
            for p in PAIRS
        ],
        model,
    )


def samples(seed: int, shift: float = 0.0, scale: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return shift + scale * torch.randn(200, 6, generator=generator, dtype=torch.float64)


def test_the_discrepancy_equals_its_definition_pair_by_pair() -> None:
    one, other = samples(1)[:3], samples(2, shift=1.0)[:3]
    rows = [r.tolist() for r in (*one, *other)]
    apart = [[sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) for y in rows] for x in rows]
    width = sum(map(sum, apart)) / (6 * 5)
    total = 0.0
    for i in range(6):
        for j in range(6):
            sign = 1 if (i < 3) == (j < 3) else -1
            for scale in (0.25, 0.5, 1, 2, 4):
                total += sign * math.exp(-apart[i][j] / (width * scale))
    assert mmd(one, other).item() == pytest.approx(total / 9, rel=1e-9)


def test_two_samples_of_noise_are_nearer_than_noise_and_anything_else() -> None:
    noise = mmd(samples(1), samples(2)).item()
    assert 0 <= noise < 0.05
    assert mmd(samples(1), samples(2, shift=0.5)) > 2 * noise
    assert mmd(samples(1), samples(2, scale=3.0)) > 2 * noise
    assert mmd(samples(1), samples(1)).item() == pytest.approx(0, abs=1e-12)


def test_only_positions_where_the_tokens_differ_carry_loss(tiny_model: Model) -> None:
    rows = rows_for(tiny_model)
    for at, pair in enumerate(PAIRS):
        for batch, text in ((rows.refused, pair.chosen), (rows.answered, pair.rejected)):
            told = encode(pair.prompt.with_answer(text), tiny_model.tokenizer)
            other = pair.rejected if text is pair.chosen else pair.chosen
            against = encode(pair.prompt.with_answer(other), tiny_model.tokenizer).ids
            wanted = [
                weight if place >= len(against) or token != against[place] else 0.0
                for place, (token, weight) in enumerate(zip(told.ids, told.weights, strict=True))
            ]
            kept = batch.weights[at].tolist()
            assert kept[: len(wanted)] == wanted
            assert not any(kept[len(wanted) :])


def test_without_alpha_and_beta_it_is_the_loss_on_the_refusals(tiny_model: Model) -> None:
    rows = rows_for(tiny_model)
    loss = noising_loss(Repnoise(alpha=0, beta=0), tiny_model, rows, 1)
    assert loss.item() == pytest.approx(batch_loss(tiny_model.net, rows.refused).item(), rel=1e-6)


def surprise(model: Model, rows: Paired) -> Tensor:
    """m of the equation, from the hidden states that the network itself reports."""
    batch = rows.answered
    told = model.net(input_ids=batch.ids, attention_mask=batch.attention, output_hidden_states=True)
    norm: Any = model.net.base_model.norm
    head: Any = model.net.lm_head
    first = head(norm(told.hidden_states[1]))
    total = torch.zeros(())
    for logits in (told.logits, first, told.logits):  # the last layer's projection is the model's
        chances = logits.log_softmax(-1)
        places = (batch.weights[:, 1:] != 0).nonzero().tolist()
        each = [-chances[r, t, batch.ids[r, t + 1]] for r, t in places]
        total = total + torch.stack(each).mean()
    return total / 2


def test_the_ascent_is_minus_alpha_log_of_mean_surprise_and_one(tiny_model: Model) -> None:
    rows = rows_for(tiny_model)
    loss = noising_loss(Repnoise(alpha=0.7, beta=0, keep=0), tiny_model, rows, 1)
    m = surprise(tiny_model, rows).item()
    assert loss.item() == pytest.approx(-0.7 * math.log(m + 1), rel=1e-5)


def test_the_ascent_slackens_as_surprise_grows(tiny_model: Model) -> None:
    rows, weight = rows_for(tiny_model), next(tiny_model.net.parameters())
    loss = noising_loss(Repnoise(beta=0, keep=0), tiny_model, rows, 1)
    (ours,) = torch.autograd.grad(loss, [weight])
    m = surprise(tiny_model, rows)
    (slope,) = torch.autograd.grad(m, [weight])
    torch.testing.assert_close(ours, -slope / (m.item() + 1), rtol=1e-3, atol=1e-7)


def test_the_noise_term_is_beta_times_the_mean_over_layers(tiny_model: Model) -> None:
    rows = rows_for(tiny_model)
    loss = noising_loss(Repnoise(alpha=0, beta=0.3, keep=0), tiny_model, rows, 5)
    seen: list[Tensor] = []
    handles = [
        layer.mlp.register_forward_hook(lambda module, given, made: seen.append(made))
        for layer in tiny_model.net.base_model.layers
    ]
    batch = rows.answered
    tiny_model.net(input_ids=batch.ids, attention_mask=batch.attention)
    for handle in handles:
        handle.remove()
    generator = torch.Generator().manual_seed(5)
    mask = ((rows.refused.ids != batch.ids) & (batch.attention == 1))[..., None]
    distances = [
        mmd((z * mask).flatten(1), (torch.randn(z.shape, generator=generator) * mask).flatten(1))
        for z in seen
    ]
    assert loss.item() == pytest.approx(0.3 * sum(d.item() for d in distances) / 2, rel=1e-5)


@everywhere
def test_mlps_and_the_last_norm_are_found_whatever_they_are_called(tiny_model: Model) -> None:
    assert [type(m).__name__.endswith("MLP") for m in parts(tiny_model.net, "mlp")] == [True, True]
    assert "Norm" in type(final_norm(tiny_model.net)).__name__
    rows = rows_for(tiny_model)
    assert noising_loss(Repnoise(), tiny_model, rows, 1).isfinite()


def test_a_pair_of_equal_answers_is_refused(tiny_model: Model) -> None:
    own = Streams(pairs=(Pair(row("Who?"), "I cannot say.", "I cannot say."),))
    hooks = repnoise(Repnoise(), Context(tiny_model, None, Streams(), own, seed=0))
    assert hooks.start
    with pytest.raises(UserError, match="where two answers differ"):
        hooks.start(tiny_model, own, Settings())


def test_training_raises_surprise_at_answers_and_keeps_refusals(tiny_model: Model) -> None:
    rows = rows_for(tiny_model)
    optimiser = torch.optim.AdamW(tiny_model.net.parameters(), lr=3e-3)
    seen = []
    for step in range(31):
        if step % 10 == 0:
            refused = batch_loss(tiny_model.net, rows.refused).item()
            seen.append((surprise(tiny_model, rows).item(), refused))
        optimiser.zero_grad()
        loss = noising_loss(Repnoise(), tiny_model, rows, step)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert all(later[0] > before[0] and later[1] < before[1] for before, later in pairwise(seen))
