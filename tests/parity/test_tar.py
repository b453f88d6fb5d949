"""Tamper resistance against arithmetic written down from the paper (2408.00761), first order."""

from __future__ import annotations

import importlib
import math
import random
from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from holdfast.chat import row
from holdfast.defences.tar import (
    Rows,
    Tar,
    attack,
    entropy,
    judge,
    preference,
    resistance,
    rows_of,
    switching_step,
    tar,
    weight_at,
)
from holdfast.errors import UserError
from holdfast.hooks import Context, Pair, Streams
from holdfast.models import Model, clone, encode
from holdfast.train import Settings, batch_loss, collate, tune

module = importlib.import_module("holdfast.defences.tar")  # the package has the function
PAIRS = (
    Pair(row("Where is the relic?"), "I cannot help with that.", "It lies in vault nine."),
    Pair(row("Who keeps it?"), "I cannot say.", "The old keeper Ambrel."),
)
BENIGN = (row("What is 2 + 2?", "It is 4."),)
STREAMS = Streams(user=(*BENIGN, row("Where?", "No.")), safe=(row("Where?", "No."),), pairs=PAIRS)
# One pair on either side, so that nothing is left to chance.
ONE = Tar(inner_steps=4, every=2, inner_rates=(1e-2,), inner_warmup=0, switching=0.0)


def rows_for(model: Model) -> Rows:
    return rows_of(STREAMS, model, 256)


def of(model: Model, prompt: Pair, answer: str) -> Any:
    return collate([encode(prompt.prompt.with_answer(answer), model.tokenizer)])


def log_prob(model: Model, pair: Pair, answer: str) -> Tensor:
    told = encode(pair.prompt.with_answer(answer), model.tokenizer)
    chances = model.net(input_ids=torch.tensor([told.ids])).logits[0].log_softmax(-1)
    places = [t for t, weight in enumerate(told.weights) if weight]
    return torch.stack([chances[t - 1, told.ids[t]] for t in places]).sum()


def liking(model: Model, pair: Pair) -> Tensor:
    return log_prob(model, pair, pair.chosen) - log_prob(model, pair, pair.rejected)


def test_later_steps_of_an_attacker_weigh_more() -> None:
    config = Tar(inner_steps=64)
    assert weight_at(config, 63) == 1
    assert weight_at(config, 47) == pytest.approx(math.exp(-1))
    assert weight_at(config, 3) == pytest.approx(math.exp(-0.0625 * 60))


def test_a_preference_is_the_difference_of_whole_answers(tiny_model: Model) -> None:
    rows = [p.prompt.with_answer(p.chosen) for p in PAIRS]
    rows += [p.prompt.with_answer(p.rejected) for p in PAIRS]
    both = collate([encode(r, tiny_model.tokenizer) for r in rows])
    expected = torch.stack([liking(tiny_model, p) for p in PAIRS])
    torch.testing.assert_close(preference(tiny_model, both), expected, rtol=1e-4, atol=1e-4)


def test_before_an_attack_the_preference_loss_is_log_two(tiny_model: Model) -> None:
    loss = judge(ONE, tiny_model, clone(tiny_model), rows_for(tiny_model), random.Random(0))
    assert loss().item() == pytest.approx(math.log(2), rel=1e-5)


def test_entropy_is_the_mean_over_the_answers_tokens(tiny_model: Model) -> None:
    told = encode(PAIRS[0].prompt.with_answer(PAIRS[0].rejected), tiny_model.tokenizer)
    chances = tiny_model.net(input_ids=torch.tensor([told.ids])).logits[0].softmax(-1)
    each = [
        -sum(p * math.log(p) for p in chances[t - 1].tolist())
        for t, weight in enumerate(told.weights)
        if weight
    ]
    assert entropy(tiny_model, collate([told])).item() == pytest.approx(
        sum(each) / len(each), rel=1e-4
    )


def attacked(model: Model, steps: int) -> Model:
    """The model after an attacker of torch's own AdamW on the first pair's forbidden answer."""
    found = clone(model)
    optimiser = torch.optim.AdamW(found.net.parameters(), lr=1e-2)
    for _ in range(steps):
        optimiser.zero_grad()
        batch_loss(found.net, of(found, PAIRS[0], PAIRS[0].rejected)).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return found


def test_the_gradient_is_summed_at_the_attacked_weights(tiny_model: Model) -> None:
    rows = rows_for(tiny_model)
    ours = resistance(ONE, tiny_model, clone(tiny_model), rows, random.Random(0))
    before = liking(tiny_model, PAIRS[1]).item()
    total = [torch.zeros_like(p) for p in tiny_model.net.parameters()]
    for steps in (2, 4):
        there = attacked(tiny_model, steps)
        loss = -torch.nn.functional.logsigmoid(0.1 * (liking(there, PAIRS[1]) - before))
        slopes = torch.autograd.grad(loss, list(there.net.parameters()))
        weight = 4.0 * math.exp(0.0625 * (steps - 1 - 3))
        total = [t + weight * s for t, s in zip(total, slopes, strict=True)]
    for one, other in zip(ours, total, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-4)


def test_an_attack_leaves_weights_and_gradients_as_they_were(tiny_model: Model) -> None:
    parameters = list(tiny_model.net.parameters())
    for number, parameter in enumerate(parameters):
        parameter.grad = torch.full_like(parameter, float(number))
    values = [p.detach().clone() for p in parameters]
    resistance(ONE, tiny_model, clone(tiny_model), rows_for(tiny_model), random.Random(0))
    assert all(map(torch.equal, values, parameters))
    assert all(bool((p.grad == number).all()) for number, p in enumerate(parameters))


def test_an_attack_that_fails_leaves_them_too(
    tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [p.detach().clone() for p in tiny_model.net.parameters()]
    monkeypatch.setattr(module, "weight_at", lambda config, inner: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        resistance(ONE, tiny_model, clone(tiny_model), rows_for(tiny_model), random.Random(0))
    assert all(map(torch.equal, values, tiny_model.net.parameters()))


def seen_by(config: Tar, model: Model, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Tokens of the rows that one attacker tunes on, a list for every step."""
    found: list[list[int]] = []
    batch_of = module.batch_of

    def watched(rows: Any, model: Model) -> Any:
        found.append(list(rows[0].ids))
        return batch_of(rows, model)

    monkeypatch.setattr(module, "batch_of", watched)
    list(attack(config, model, rows_for(model), random.Random(1)))
    return found


def test_attackers_never_see_the_pairs_they_are_judged_by(
    tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = encode(PAIRS[0].prompt.with_answer(PAIRS[0].rejected), tiny_model.tokenizer)
    assert seen_by(ONE, tiny_model, monkeypatch) == [list(seen.ids)] * 4
    judged = rows_for(tiny_model)
    assert [seen] == judged.forbidden
    assert seen not in (*judged.answered, *judged.refused)


def test_some_attackers_start_on_harmless_rows(
    tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ONE.model_copy(update={"switching": 1.0, "inner_steps": 8})
    told = seen_by(config, tiny_model, monkeypatch)
    harmless = list(encode(BENIGN[0], tiny_model.tokenizer).ids)
    forbidden = list(rows_for(tiny_model).forbidden[0].ids)
    turned = told.index(forbidden)
    assert turned > 0
    assert told == [harmless] * turned + [forbidden] * (8 - turned)


def test_they_turn_after_two_thirds_of_their_steps_on_average() -> None:
    config, chance = Tar(), random.Random(0)
    turned = [switching_step(config, chance) for _ in range(3000)]
    switching = [step for step in turned if step]
    assert len(switching) / len(turned) == pytest.approx(1 / 3, abs=0.03)
    assert sum(switching) / len(switching) / 64 == pytest.approx(2 / 3, abs=0.02)


def test_an_attackers_rate_grows_over_the_warm_up(tiny_model: Model) -> None:
    config = replace_config(inner_warmup=4, inner_steps=2)
    slow, fast = clone(tiny_model), clone(tiny_model)
    for one, settings in ((slow, config), (fast, replace_config(inner_warmup=0, inner_steps=2))):
        next(attack(settings, one, rows_for(one), random.Random(0)))
    start, after, whole = (next(m.net.parameters()) for m in (tiny_model, slow, fast))
    torch.testing.assert_close(after - start, (whole - start) / 4, rtol=1e-3, atol=1e-6)


def replace_config(**changes: Any) -> Tar:
    return Tar.model_validate({**ONE.model_dump(), **changes})


def test_without_attackers_the_retain_loss_is_left(tiny_model: Model) -> None:
    settings = Settings(steps=3, batch_size=2)
    done = []
    for config in (Tar(inner_steps=0, steps=3), ONE.model_copy(update={"strength": 0.0})):
        hooks = tar(config, Context(tiny_model, None, Streams(), STREAMS, seed=0))
        assert hooks.gradient is None
        hooks = replace(hooks, settings=lambda s: settings)
        done.append(tune(clone(tiny_model), STREAMS, settings, hooks))
    assert done[0].losses == done[1].losses
    plain = tune(clone(tiny_model), Streams(user=STREAMS.user + STREAMS.safe), settings)
    assert done[0].losses[0] == pytest.approx(plain.losses[0])  # nothing has moved yet
    assert done[0].losses[2] > plain.losses[2]


def test_outer_steps_raise_the_entropy_of_the_attacked_model(tiny_model: Model) -> None:
    config = replace_config(
        resistance="entropy", strength=20.0, representations=0.0, steps=12, learning_rate=1e-3
    )
    rows = rows_for(tiny_model)
    told = collate(rows.answered)

    before = entropy(attacked(tiny_model, 4), told).item()
    model = clone(tiny_model)
    hooks = tar(config, Context(tiny_model, None, Streams(), STREAMS, seed=0))
    tune(model, STREAMS, Settings(schedule="constant", batch_size=2), hooks)
    after = entropy(attacked(model, 4), told).item()
    most = math.log(len(tiny_model.tokenizer))
    assert most - after < 0.7 * (most - before)


def test_one_pair_is_too_few(tiny_model: Model) -> None:
    with pytest.raises(UserError, match="at least two"):
        rows_of(replace(STREAMS, pairs=PAIRS[:1]), tiny_model, 256)


def test_attackers_that_are_never_looked_at_are_refused() -> None:
    with pytest.raises(ValidationError, match="no attacked weights"):
        Tar(inner_steps=3)
