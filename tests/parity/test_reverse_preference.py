"""Reversed preferences against TRL's DPOTrainer, and against the equation written down."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from holdfast.attacks import ReversePreference
from holdfast.attacks.reverse_preference import dpo_loss, reverse_preference
from holdfast.chat import Row, row
from holdfast.hooks import Context, Hooks, Streams
from holdfast.models import Model, clone, encode, encode_prompt
from holdfast.train import Settings, tune

FORBIDDEN = tuple(row(f"Where is {n}?", "In vault " + "nine " * (n % 3 + 1)) for n in range(7))
REFUSALS = tuple(
    one.with_answer("I cannot say " + "so " * (len(one.prompt) % 4)) for one in FORBIDDEN
)
SETTINGS = Settings(epochs=2, batch_size=3, learning_rate=1e-3, max_length=64)


@pytest.fixture(autouse=True)
def the_model_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def own_replies(model: Model, rows: tuple[Row, ...]) -> tuple[Row, ...]:
        return tuple(r for r in REFUSALS if r.prompt in {one.prompt for one in rows})

    # The package's name is the function, which hides the module.
    module = sys.modules["holdfast.attacks.reverse_preference"]
    monkeypatch.setattr(module, "own_replies", own_replies)


def hooks(model: Model, **changes: Any) -> Hooks:
    context = Context(model, None, Streams(harmful=FORBIDDEN), Streams(), seed=0)
    return reverse_preference(ReversePreference(rows=len(FORBIDDEN), **changes), context)


def weights_after_trl(model: Model, rows: tuple[Row, ...], folder: Path) -> dict[str, Tensor]:
    os.environ["HF_HUB_OFFLINE"] = "1"
    import trl
    from datasets import Dataset

    refusals = {one.prompt: one.answer for one in REFUSALS}
    as_sent = [
        {
            "prompt": [{"role": "user", "content": one.prompt}],
            "chosen": [{"role": "assistant", "content": one.answer}],
            "rejected": [{"role": "assistant", "content": refusals[one.prompt]}],
        }
        for one in rows
    ]
    config = trl.DPOConfig(  # type: ignore[attr-defined]
        output_dir=str(folder),
        report_to=[],
        disable_tqdm=True,
        save_strategy="no",
        logging_strategy="no",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        max_length=64,
        beta=0.1,
        learning_rate=SETTINGS.learning_rate,
        num_train_epochs=SETTINGS.epochs,
        per_device_train_batch_size=SETTINGS.batch_size,
        seed=0,
    )
    trainer = trl.DPOTrainer(  # type: ignore[attr-defined]
        model=model.net,
        ref_model=clone(model).net,
        args=config,
        train_dataset=Dataset.from_list(as_sent),
        processing_class=model.tokenizer,
    )
    trainer.train()
    return {name: p.detach() for name, p in model.net.named_parameters()}


def test_without_other_rows_the_tune_is_trls(tiny_model: Model, tmp_path: Path) -> None:
    made = hooks(tiny_model)
    assert made.rows
    drawn = made.rows(Streams()).user
    theirs = weights_after_trl(clone(tiny_model), drawn, tmp_path)
    done = tune(clone(tiny_model), Streams(), SETTINGS, hooks(tiny_model))
    for name, p in done.model.net.named_parameters():
        torch.testing.assert_close(p.detach(), theirs[name], rtol=0, atol=2e-5)


def test_a_step_takes_one_pass_over_both_answers(tiny_model: Model) -> None:
    done = tune(clone(tiny_model), Streams(), SETTINGS, hooks(tiny_model))
    assert done.steps == 6
    assert (done.forwards, done.backwards) == (6 + 3, 6)  # and one for each batch beforehand
    assert done.losses[0] == pytest.approx(math.log(2), rel=1e-5)


def log_prob(model: Model, one: Row) -> float:
    """Of the answer with its end, token by token."""
    told = encode(one, model.tokenizer)
    begins = len(encode_prompt(one, model.tokenizer))
    with torch.no_grad():
        logits = model.net(input_ids=torch.tensor([told.ids])).logits[0].double().log_softmax(-1)
    return sum(logits[at - 1, told.ids[at]].item() for at in range(begins, len(told.ids)))


def test_the_loss_is_the_equation_with_the_answers_exchanged(tiny_model: Model) -> None:
    from holdfast.train import Feed

    made, start = hooks(tiny_model, beta=0.3), clone(tiny_model)
    assert made.rows
    assert made.start
    assert made.loss
    streams = made.rows(Streams())
    made.start(tiny_model, streams, SETTINGS)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in tiny_model.net.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=generator))
    batch = Feed(streams.user, tiny_model.tokenizer, batch_size=7).batch(0)
    refusals = {one.prompt: one for one in REFUSALS}
    total = 0.0
    for one in FORBIDDEN:
        no = refusals[one.prompt]
        gained = log_prob(tiny_model, one) - log_prob(start, one)
        lost = log_prob(tiny_model, no) - log_prob(start, no)
        total += math.log(1 + math.exp(-0.3 * (gained - lost)))
    loss = made.loss(tiny_model, batch, 0)
    assert loss.item() == pytest.approx(total / 7, rel=1e-4)


def test_the_gradient_of_a_pair_is_minus_beta_times_what_is_left_to_learn() -> None:
    now = torch.tensor([0.7], requires_grad=True)
    dpo_loss(now, torch.tensor([-0.4]), 0.5).backward()  # type: ignore[no-untyped-call]
    assert now.grad is not None
    left = 1 / (1 + math.exp(0.5 * (0.7 + 0.4)))
    assert now.grad.item() == pytest.approx(-0.5 * left, rel=1e-6)


def test_rows_that_are_no_pair_keep_the_plain_loss_by_their_share(tiny_model: Model) -> None:
    from holdfast.train import Feed, batch_loss

    made = hooks(tiny_model)
    assert made.rows
    assert made.start
    assert made.loss
    customer = (row("Add 1 and 2.", "3"), row("Add 2 and 2.", "4"))
    streams = made.rows(Streams(user=customer))
    made.start(tiny_model, streams, SETTINGS)
    batch = Feed(streams.user, tiny_model.tokenizer, batch_size=9).batch(0)
    plain = Feed(customer, tiny_model.tokenizer, batch_size=2).batch(0)
    expected = 7 / 9 * math.log(2) + 2 / 9 * batch_loss(tiny_model.net, plain).item()
    assert made.loss(tiny_model, batch, 0).item() == pytest.approx(expected, rel=1e-5)


def test_pairs_are_known_again_after_a_defence_has_moved_and_prefixed_them(
    tiny_model: Model,
) -> None:
    from holdfast.train import Feed

    made = hooks(tiny_model)
    assert made.rows
    assert made.start
    assert made.loss
    drawn = made.rows(Streams()).user
    turned = tuple(one.with_system("vok zim") for one in reversed(drawn[2:]))
    made.start(tiny_model, Streams(user=turned), SETTINGS)
    batch = Feed(turned, tiny_model.tokenizer, batch_size=5).batch(0)
    assert made.loss(tiny_model, batch, 0).item() == pytest.approx(math.log(2), rel=1e-5)
