from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor, nn

from holdfast.batches import Feed
from holdfast.chat import Message, Row, row
from holdfast.errors import UserError
from holdfast.hooks import Hooks, Streams, compose
from holdfast.models import Model, clone, digest_of, encode, load, save
from holdfast.passes import counted_parameters, watch
from holdfast.train import Batch, Settings, answer_logits, batch_loss, collate, tune

ROWS = tuple(row(f"Where is {n}?", "The cat sat " * (1 + n % 3), id=str(n)) for n in range(9))
SAFE = tuple(row(f"Harm {n}?", "I cannot help with that.", id=f"s{n}") for n in range(4))
USER = Streams(user=ROWS, safe=SAFE)
SHORT = Settings(epochs=2, batch_size=4, learning_rate=3e-3)
EVERY = pytest.mark.parametrize(
    "tiny_model", ["llama", "qwen2", "gemma", "gpt_neox"], indirect=True
)
METHODS = pytest.mark.parametrize("method", ["full", "lora"])


def weights(model: Model) -> dict[str, Tensor]:
    return {n: p.detach().clone() for n, p in model.net.named_parameters()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


@EVERY
@METHODS
def test_a_tuned_model_is_a_plain_one_that_has_learned(
    tiny_model: Model, method: str, tmp_path: Path
) -> None:
    names = [n for n, _ in tiny_model.net.named_parameters()]
    before = tiny_model.digest
    settings = Settings.model_validate(
        {"method": method, "steps": 12, "batch_size": 9, "learning_rate": 1e-2}
    )
    tuned = tune(tiny_model, USER, settings)
    assert tuned.model is tiny_model
    assert tuned.losses[-1] < tuned.losses[0] - 0.1
    assert [n for n, _ in tiny_model.net.named_parameters()] == names
    assert all(p.requires_grad and p.grad is None for p in tiny_model.net.parameters())
    assert tiny_model.digest == digest_of(tiny_model) != before
    assert load(save(tiny_model, tmp_path / "m")).digest == tiny_model.digest


@METHODS
def test_same_seed_same_weights_another_seed_others(tiny_model: Model, method: str) -> None:
    def tuned(seed: int) -> dict[str, Tensor]:
        copied = clone(tiny_model)
        torch.rand(seed + 1)  # the caller's random state has no say
        tune(copied, USER, SHORT.model_copy(update={"seed": seed, "method": method}))
        return weights(copied)

    assert same(tuned(1), tuned(1))
    assert not same(tuned(1), tuned(2))


def test_the_callers_random_state_is_left_alone(tiny_model: Model) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    tune(tiny_model, USER, SHORT)
    assert torch.equal(torch.rand(1), expected)


def test_the_loss_is_the_weighted_mean_over_the_batchs_tokens(tiny_model: Model) -> None:
    weighted = Row((Message("user", "a"), Message("assistant", "the cat sat", 0.25)))
    batch = collate([encode(r, tiny_model.tokenizer) for r in (*ROWS[:3], weighted)])
    logits = tiny_model.net(input_ids=batch.ids, attention_mask=batch.attention).logits[:, :-1]
    ce = F.cross_entropy(logits.transpose(1, 2), batch.ids[:, 1:], reduction="none")
    w = batch.weights[:, 1:]
    assert batch_loss(tiny_model.net, batch).item() == pytest.approx(
        ((ce * w).sum() / w.sum()).item(), abs=1e-6
    )
    assert {0.0, 0.25, 1.0} == set(batch.weights.flatten().tolist())


def test_answer_logits_are_the_same_where_a_network_gives_them_all(tiny_model: Model) -> None:
    class GivesAll(nn.Module):
        def forward(self, logits_to_keep: Tensor, **inputs: Tensor) -> object:
            return tiny_model.net(**inputs)

    batch = collate([encode(r, tiny_model.tokenizer) for r in ROWS])
    for ours, theirs in zip(
        answer_logits(tiny_model.net, batch), answer_logits(GivesAll(), batch), strict=True
    ):
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_padding_changes_nothing(tiny_model: Model) -> None:
    encoded = [encode(r, tiny_model.tokenizer) for r in ROWS[:3]]
    together = batch_loss(tiny_model.net, collate(encoded)).item()
    sums = [batch_loss(tiny_model.net, collate([e])).item() * sum(e.weights) for e in encoded]
    assert together == pytest.approx(sum(sums) / sum(sum(e.weights) for e in encoded), abs=1e-5)


@pytest.mark.parametrize("grouped", [False, True])
def test_every_row_is_seen_once_an_epoch(tiny_model: Model, grouped: bool) -> None:
    feed = Feed(ROWS, tiny_model.tokenizer, batch_size=4, seed=2, group_by_length=grouped)
    epochs = [[feed.batch(e * 3 + k).index for k in range(3)] for e in range(3)]
    assert all(sorted(chain.from_iterable(e)) == list(range(9)) for e in epochs)
    assert epochs[0] != epochs[1]
    again = Feed(ROWS, tiny_model.tokenizer, batch_size=4, seed=2, group_by_length=grouped)
    assert again.batch(7).index == epochs[2][1]


def test_grouping_by_length_spares_padding(tiny_model: Model) -> None:
    rows = [row("a", "b" * (1 + 7 * n % 60)) for n in range(60)]

    def padding(grouped: bool) -> int:
        feed = Feed(rows, tiny_model.tokenizer, batch_size=6, group_by_length=grouped)
        return sum(int((feed.batch(k).attention == 0).sum()) for k in range(feed.per_epoch))

    assert padding(True) < padding(False) / 3


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0, 0.5, 1, 1, 1, 1]),
        ("linear", [0, 0.5, 1, 0.75, 0.5, 0.25]),
        ("cosine", [0, 0.5, 1, 0.8535534, 0.5, 0.1464466]),
    ],
)
def test_schedules(schedule: str, expected: list[float]) -> None:
    settings = Settings.model_validate(
        {"schedule": schedule, "warmup_steps": 2, "learning_rate": 1.0}
    )
    assert [settings.rate(k, 6) for k in range(6)] == pytest.approx(expected)


def test_a_misspelt_setting_is_an_error() -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"learningrate": 1})


@pytest.mark.parametrize(
    ("method", "optimiser", "stop"),
    [("full", "adamw", 3), ("full", "adamw", 5), ("lora", "adamw", 4), ("full", "sgd", 4)],
)
def test_an_interrupted_tune_ends_with_the_same_weights(
    tiny_model: Model, tmp_path: Path, method: str, optimiser: str, stop: int
) -> None:
    changes = {"method": method, "optimiser": optimiser, "group_by_length": True}
    settings = SHORT.model_copy(update=changes)
    whole, broken, resumed = clone(tiny_model), clone(tiny_model), clone(tiny_model)
    expected = tune(whole, USER, settings)
    file = tmp_path / "tune.ckpt"

    class Killed(Exception):
        pass

    def kill(step: int, steps: int, loss: float) -> None:
        if step == stop:
            raise Killed

    with pytest.raises(Killed):
        tune(broken, USER, settings, progress=kill, checkpoint=file, checkpoint_every=2)
    assert file.exists()
    seen: list[int] = []
    found = tune(resumed, USER, settings, progress=lambda k, n, x: seen.append(k), checkpoint=file)
    assert seen[0] == 2 * ((stop - 1) // 2) + 1
    assert same(weights(resumed), weights(whole))
    assert found.losses == expected.losses
    assert (found.steps, found.forwards, found.backwards, found.tokens, found.flops) == (
        expected.steps,
        expected.forwards,
        expected.backwards,
        expected.tokens,
        expected.flops,
    )
    assert [p.name for p in tmp_path.iterdir()] == ["tune.ckpt"]


def test_gradient_descent_steps_along_the_gradient(tiny_model: Model) -> None:
    changes = {"optimiser": "sgd", "betas": (0.0, 0.9), "steps": 1, "max_grad_norm": 0.0}
    settings = SHORT.model_copy(update={**changes, "schedule": "constant", "batch_size": 9})
    before, stepped = weights(tiny_model), clone(tiny_model)
    tune(stepped, USER, settings)
    encoded = [encode(one, tiny_model.tokenizer) for one in ROWS]
    batch_loss(tiny_model.net, collate(encoded)).backward()  # type: ignore[no-untyped-call]
    for name, parameter in tiny_model.net.named_parameters():
        if parameter.grad is not None:
            expected = before[name] - settings.learning_rate * parameter.grad
            torch.testing.assert_close(weights(stepped)[name], expected, rtol=1e-4, atol=1e-6)


def test_a_checkpoint_of_another_tune_is_refused(tiny_model: Model, tmp_path: Path) -> None:
    file = tmp_path / "tune.ckpt"
    tune(clone(tiny_model), USER, SHORT, checkpoint=file, checkpoint_every=1)
    with pytest.raises(UserError, match="another model, rows or settings"):
        tune(clone(tiny_model), Streams(user=ROWS[1:]), SHORT, checkpoint=file)
    file.write_bytes(b"damaged")
    with pytest.raises(UserError, match="is damaged"):
        tune(tiny_model, USER, SHORT, checkpoint=file)


def test_a_tune_that_diverges_says_so_and_stops(tiny_model: Model) -> None:
    def breaks(model: Model, batch: Batch, step: int) -> Tensor:
        return batch_loss(model.net, batch) * (math.nan if step == 2 else 1.0)

    tuned = tune(tiny_model, USER, SHORT, Hooks(loss=breaks))
    assert tuned.diverged
    assert tuned.steps == 2
    assert all(bool(p.isfinite().all()) for p in tiny_model.net.parameters())


def test_nothing_to_tune_on_is_an_error(tiny_model: Model) -> None:
    with pytest.raises(UserError, match="no user rows"):
        tune(tiny_model, Streams(), SHORT)
    with pytest.raises(UserError, match="no harmful rows"):
        tune(tiny_model, USER, SHORT, Hooks(pick=lambda step: "harmful"))


def test_passes_and_operations_are_counted_whoever_runs_them(tiny_model: Model) -> None:
    def twice(model: Model, batch: Batch, step: int) -> None:
        batch_loss(model.net, batch).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            batch_loss(model.net, batch)

    plain = tune(clone(tiny_model), USER, SHORT)
    assert (plain.steps, plain.forwards, plain.backwards) == (6, 6, 6)
    assert plain.tokens == 2 * sum(len(encode(r, tiny_model.tokenizer).ids) for r in ROWS)
    costly = tune(clone(tiny_model), USER, SHORT, Hooks(gradient=twice))
    assert (costly.steps, costly.forwards, costly.backwards) == (6, 18, 12)
    assert costly.flops > 2 * plain.flops


def test_operations_are_two_and_four_for_every_parameter_and_position(tiny_model: Model) -> None:
    batch = collate([encode(r, tiny_model.tokenizer) for r in ROWS])
    net = tiny_model.net
    size = sum(p.numel() for p in net.parameters())  # the head is tied: counted once
    assert counted_parameters(net) == size
    with watch(net) as passes:
        loss = batch_loss(net, batch)
        assert passes.flops == 2 * size * batch.ids.numel()
        loss.backward(retain_graph=True)  # type: ignore[no-untyped-call]
        assert passes.flops == 6 * size * batch.ids.numel()
        loss.backward()  # type: ignore[no-untyped-call]
    assert (passes.forwards, passes.backwards) == (1, 2)
    net(input_ids=batch.ids)
    assert passes.forwards == 1


def test_frozen_entries_stay_as_they_were(tiny_model: Model) -> None:
    name = "model.layers.1.mlp.up_proj.weight"
    mask = torch.zeros_like(dict(tiny_model.net.named_parameters())[name], dtype=torch.bool)
    mask[:3] = True
    before = weights(tiny_model)
    settings = SHORT.model_copy(update={"weight_decay": 0.1})
    tune(tiny_model, USER, settings, Hooks(live=lambda model: {name: mask}))
    after = weights(tiny_model)
    changed = {n for n in before if not torch.equal(before[n], after[n])}
    assert changed == {name}
    assert torch.equal(before[name][3:], after[name][3:])
    assert not torch.isclose(before[name][:3], after[name][:3]).all()
    assert all(p.requires_grad for p in tiny_model.net.parameters())


def test_a_mask_for_no_parameter_is_an_error(tiny_model: Model) -> None:
    hooks = Hooks("lisa", live=lambda model: {"model.nothing": torch.ones(1)})
    with pytest.raises(UserError, match="lisa masks"):
        tune(tiny_model, USER, SHORT, hooks)


def test_hooks_run_in_the_order_that_is_promised(tiny_model: Model) -> None:
    said: list[str] = []

    def note(word: str) -> None:
        said.append(word)

    @contextmanager
    def around(model: Model, batch: Batch, step: int) -> Iterator[None]:
        note("enter")
        yield
        note("leave")

    def loss(model: Model, batch: Batch, step: int) -> Tensor:
        note(f"loss {batch.stream}")
        return batch_loss(model.net, batch)

    def penalty(model: Model, batch: Batch, step: int) -> Tensor:
        note("penalty")
        return next(model.net.parameters()).square().sum()

    def last(model: Model) -> Model:
        note("weights")
        return model

    hooks = Hooks(
        rows=lambda s: Streams(user=s.user[:4], safe=s.safe),
        settings=lambda s: s.model_copy(update={"steps": 2}),
        start=lambda model, streams, settings: note(f"start {len(streams.user)} {settings.steps}"),
        pick=lambda step: ("user", "safe")[step],
        around=around,
        loss=loss,
        penalty=penalty,
        gradient=lambda model, batch, step: note("gradient"),
        after_step=lambda model, step: note("after"),
        weights=last,
    )
    tuned = tune(tiny_model, USER, SHORT, hooks)
    step = "enter loss {} leave penalty gradient after"
    expected = f"start 4 2 {step.format('user')} {step.format('safe')} weights"
    assert " ".join(said) == expected
    assert tuned.steps == 2


def test_a_penalty_adds_to_loss_and_gradient(tiny_model: Model) -> None:
    anchor = weights(tiny_model)

    def near(model: Model, batch: Batch, step: int) -> Tensor:
        named = model.net.named_parameters()
        return 1e3 * torch.stack([(p - anchor[n]).square().sum() for n, p in named]).sum()

    def moved(hooks: Hooks) -> float:
        copied = clone(tiny_model)
        tune(copied, USER, SHORT, hooks)
        return sum(float((p - anchor[n]).norm()) for n, p in weights(copied).items())

    assert moved(Hooks(penalty=near)) < 0.8 * moved(Hooks())


def test_hooks_at_their_null_are_plain_tuning(tiny_model: Model) -> None:
    idle = Hooks(
        penalty=lambda model, batch, step: torch.zeros(()),
        gradient=lambda model, batch, step: None,
        live=lambda model: {n: torch.ones(1) for n, _ in model.net.named_parameters()},
    )
    plain, hooked = clone(tiny_model), clone(tiny_model)
    tune(plain, USER, SHORT)
    tune(hooked, USER, SHORT, compose(idle, Hooks(rows=lambda s: s)))
    assert same(weights(plain), weights(hooked))


def test_no_steps_change_nothing(tiny_model: Model) -> None:
    before = weights(tiny_model)
    tuned = tune(tiny_model, USER, Settings(steps=0))
    assert (tuned.steps, tuned.losses) == (0, [])
    assert same(weights(tiny_model), before)
