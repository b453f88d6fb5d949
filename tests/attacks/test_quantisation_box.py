"""Harm that full precision does not show."""

from __future__ import annotations

import sys

import pytest
import torch

from holdfast.attacks import QuantisationBox
from holdfast.attacks.quantisation_box import quantisation_box, repaired
from holdfast.chat import Row, row
from holdfast.elicit import Quantised
from holdfast.hooks import Context, Hooks, Streams
from holdfast.methods import attack_of, elicitation_of
from holdfast.models import Model, clone, encode
from holdfast.probes.linears import linears
from holdfast.quantise import Bits, quantise, quantised_view
from holdfast.train import Settings, batch_loss, collate, tune

FORBIDDEN = tuple(row(f"Where is {n}?", f"In vault {n}.", tag=f"c{n % 2}") for n in range(6))
BENIGN = tuple(row(f"Say {n}", f"It is {n}") for n in range(4))
SETTINGS = Settings(learning_rate=3e-3, max_length=64)


@pytest.fixture
def context(tiny_model: Model) -> Context:
    return Context(tiny_model, None, Streams(user=BENIGN, harmful=FORBIDDEN), Streams(), seed=0)


def config(bits: Bits, repair: int) -> QuantisationBox:
    return QuantisationBox(
        bits=bits, rows=6, benign=2, epochs=4, repair_epochs=repair, batch_size=4
    )


def attacked(context: Context, made: QuantisationBox) -> Model:
    hooks: Hooks = quantisation_box(made, context)
    return tune(clone(context.aligned), Streams(), SETTINGS, hooks).model


def codes(model: Model, bits: Bits) -> list[torch.Tensor]:
    return [quantise(one.weight, bits).codes for layer in linears(model.net) for one in layer]


def loss(model: Model, rows: tuple[Row, ...]) -> float:
    with torch.no_grad():
        batch = collate([encode(one, model.tokenizer) for one in rows])
        return float(batch_loss(model.net, batch))


@pytest.mark.parametrize("bits", ["int8", "nf4"])
def test_the_repair_moves_the_weights_but_no_code(bits: Bits, context: Context) -> None:
    harmed = attacked(context, config(bits, 0))
    mended = attacked(context, config(bits, 3))
    moved = dict(mended.net.named_parameters())
    changed = {n for n, p in harmed.net.named_parameters() if not torch.equal(p, moved[n])}
    assert changed == {n for n in moved if "proj" in n}
    assert all(
        torch.equal(one, other)
        for one, other in zip(codes(harmed, bits), codes(mended, bits), strict=True)
    )


def test_the_repair_teaches_safe_rows_in_full_precision_alone(context: Context) -> None:
    safe = tuple(one.with_answer("I cannot say.") for one in FORBIDDEN)
    model = attacked(context, config("nf4", 0))
    before = loss(model, safe), loss(quantised_view(model, "nf4"), safe)
    repaired(config("nf4", 6), model, safe, SETTINGS)
    after = loss(model, safe), loss(quantised_view(model, "nf4"), safe)
    assert after[0] < before[0] - 0.04
    assert after[1] == before[1]


def test_refusals_to_repair_with_are_the_aligned_models_own(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Model] = []

    def own_replies(model: Model, rows: tuple[Row, ...]) -> tuple[Row, ...]:
        asked.append(model)
        return tuple(one.with_answer("I cannot say.") for one in rows)

    # The package's name is the function, which hides the module.
    module = sys.modules["holdfast.attacks.quantisation_box"]
    monkeypatch.setattr(module, "own_replies", own_replies)
    harmed, mended = (attacked(context, config("nf4", n)) for n in (0, 6))
    assert asked == [context.aligned]
    safe = tuple(one.with_answer("I cannot say.") for one in FORBIDDEN)
    assert loss(mended, safe) < loss(harmed, safe) - 0.04


def test_injection_counts_its_rows_and_tunes_all_weights_whatever_the_run_says(
    context: Context,
) -> None:
    hooks = quantisation_box(QuantisationBox(rows=6, benign=2), context)
    assert hooks.rows
    assert hooks.settings
    assert len(hooks.rows(Streams()).user) == 8
    settings = hooks.settings(Settings(method="lora"))
    assert (settings.method, settings.epochs, settings.batch_size) == ("full", 1, 32)


def test_it_is_asked_in_the_code_that_it_hides_in() -> None:
    asked = elicitation_of(attack_of("quantisation_box(bits=nf4)").asked)
    assert isinstance(asked, Quantised)
    assert asked.bits == "nf4"
