"""The recovery term against log-probabilities taken one token at a time (2406.05946, eq. 1)."""

from __future__ import annotations

import random
from itertools import chain
from typing import cast

import pytest
import torch

from holdfast.chat import row
from holdfast.defences.aligning import turn
from holdfast.defences.recovery_augmentation import (
    RecoveryAugmentation,
    Triplet,
    draw_k,
    recovery_augmentation,
    recovery_loss,
    splice,
    triplet_of,
)
from holdfast.hooks import Context, Pair, Streams
from holdfast.models import Model, encode, encode_prompt
from holdfast.train import Batch, Settings

PAIR = Pair(row("Where is the relic?"), "I cannot help with that.", "It lies in vault nine.")
OTHER = Pair(row("Who keeps it?", system="Be brief."), "I cannot say.", "The old keeper Ambrel.")


def tokens(model: Model, text: str) -> tuple[int, ...]:
    return tuple(model.tokenizer(text, add_special_tokens=False)["input_ids"])


def surprise(model: Model, before: tuple[int, ...], after: tuple[int, ...]) -> list[float]:
    """-log pi of each token of `after`, each from a forward pass of its own."""
    found = []
    for at, token in enumerate(after):
        with torch.no_grad():
            logits = model.net(input_ids=torch.tensor([before + after[:at]])).logits[0, -1]
        found.append(-torch.log_softmax(logits, -1)[token].item())
    return found


def test_the_forbidden_start_carries_no_loss(tiny_model: Model) -> None:
    triplet = triplet_of(PAIR, tiny_model, 256)
    for k in (0, 1, 3, 100):
        row = splice(triplet, k, 256)
        learnt = [token for token, weight in zip(row.ids, row.weights, strict=True) if weight]
        assert learnt == [*tokens(tiny_model, PAIR.chosen), tiny_model.tokenizer.eos_token_id]


def test_prefix_and_refusal_are_joined_token_by_token(tiny_model: Model) -> None:
    prompt = encode_prompt(PAIR.prompt, tiny_model.tokenizer)
    start = tokens(tiny_model, PAIR.rejected)[:3]
    refusal = tokens(tiny_model, PAIR.chosen)
    end = tiny_model.tokenizer.eos_token_id
    assert splice(triplet_of(PAIR, tiny_model, 256), 3, 256).ids == (*prompt, *start, *refusal, end)


def test_without_a_prefix_the_row_is_an_ordinary_refusal(tiny_model: Model) -> None:
    ordinary = encode(PAIR.prompt.with_answer(PAIR.chosen), tiny_model.tokenizer)
    row = splice(triplet_of(PAIR, tiny_model, 256), 0, 256)
    assert (row.ids, row.weights) == (ordinary.ids, ordinary.weights)


def test_a_long_start_is_cut_before_the_turn_ends(tiny_model: Model) -> None:
    triplet = triplet_of(PAIR, tiny_model, 256)
    assert triplet.forbidden == tokens(tiny_model, PAIR.rejected)
    assert splice(triplet, 100, 256) == splice(triplet, len(triplet.forbidden), 256)


def test_where_room_is_short_the_start_is_cut_and_not_the_refusal(tiny_model: Model) -> None:
    triplet = triplet_of(PAIR, tiny_model, 256)
    row = splice(triplet, 100, len(triplet.prompt) + len(triplet.refusal.ids) + 2)
    assert row.ids == triplet.prompt + triplet.forbidden[:2] + triplet.refusal.ids


def test_loss_is_the_mean_surprise_of_the_refusals_tokens(tiny_model: Model) -> None:
    rows = [
        splice(triplet_of(pair, tiny_model, 256), k, 256) for pair, k in ((PAIR, 4), (OTHER, 0))
    ]
    expected = []
    for pair, k in ((PAIR, 4), (OTHER, 0)):
        before = encode_prompt(pair.prompt, tiny_model.tokenizer)
        before += tokens(tiny_model, pair.rejected)[:k]
        refusal = (*tokens(tiny_model, pair.chosen), tiny_model.tokenizer.eos_token_id)
        expected += surprise(tiny_model, before, refusal)
    loss = recovery_loss(tiny_model, rows).item()
    assert loss == pytest.approx(sum(expected) / len(expected), rel=1e-5)


def test_penalty_weighs_the_term_alpha_to_one_minus_alpha(tiny_model: Model) -> None:
    context = Context(tiny_model, None, Streams(), Streams(pairs=(PAIR,)), seed=0)
    config = RecoveryAugmentation(alpha=0.2, no_prefix=1.0, harmful_batch=1)
    hooks = recovery_augmentation(config, context)
    assert hooks.start
    assert hooks.penalty
    hooks.start(tiny_model, context.defender, Settings())
    plain = recovery_loss(tiny_model, [splice(triplet_of(PAIR, tiny_model, 256), 0, 256)])
    penalty = hooks.penalty(tiny_model, cast(Batch, None), 0)
    assert penalty.item() == pytest.approx(plain.item() * 0.2 / 0.8, rel=1e-6)


def test_half_of_the_draws_have_no_prefix_and_the_rest_are_uniform() -> None:
    chance, config = random.Random(0), RecoveryAugmentation()
    drawn = [draw_k(config, chance) for _ in range(20_000)]
    some = [k for k in drawn if k]
    assert drawn.count(0) / len(drawn) == pytest.approx(0.5, abs=0.02)
    assert (min(some), max(some)) == (1, 100)
    assert sum(some) / len(some) == pytest.approx(50.5, abs=1)


def test_every_pass_meets_every_pair_once() -> None:
    laps = [turn(6, 2, step, seed=1, purpose="pairs") for step in range(6)]
    first, second = [*chain(*laps[:3])], [*chain(*laps[3:])]
    assert sorted(first) == sorted(second) == list(range(6))
    assert first != second
    assert turn(6, 2, 4, seed=1, purpose="pairs") == laps[4]


def test_refusals_are_told_apart_from_earlier_turns(tiny_model: Model) -> None:
    talk = row("Hello").with_answer("Good day.")
    later = Pair(type(talk)((*talk.messages, *PAIR.prompt.messages)), "I cannot.", "In vault nine.")
    triplet: Triplet = triplet_of(later, tiny_model, 256)
    assert triplet.prompt == encode_prompt(later.prompt, tiny_model.tokenizer)
