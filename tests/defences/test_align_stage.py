"""What the defences of the align stage learn from, and how many passes a step of each takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch

from holdfast import defences, methods
from holdfast.chat import row
from holdfast.defences.aligning import learned_rows, turn
from holdfast.errors import UserError
from holdfast.hooks import Context, Defence, Hooks, Pair, Streams
from holdfast.models import Model, clone
from holdfast.passes import watch
from holdfast.train import Settings, tune

FORBIDDEN = tuple(row(f"Where is {n}?", f"In vault {n}.", tag=f"c{n % 2}") for n in range(6))
SAFE = tuple(r.with_answer("I cannot say.") for r in FORBIDDEN)
BENIGN = tuple(row(f"Say {n}", f"It is {n}", tag=f"t{n % 3}") for n in range(9))
PAIRS = tuple(Pair(r.without_answer(), "I cannot say.", r.answer) for r in FORBIDDEN)
OWN = Streams(user=BENIGN, safe=SAFE, harmful=FORBIDDEN, pairs=PAIRS)
SETTINGS = Settings(steps=3, batch_size=4)

ALL = {
    "vaccine": defences.Vaccine(),
    "booster": defences.Booster(harmful_batch=2),
    "repnoise": defences.Repnoise(pairs=2),
    "tar": defences.Tar(inner_steps=8, inner_batch=2, inner_rates=(1e-3,), steps=3),
    "circuit_breakers": defences.CircuitBreakers(steps=3, harmful_batch=2, batch_size=4),
}
each = pytest.mark.parametrize("defence", ALL.values(), ids=ALL)


def context_of(model: Model, own: Streams = OWN) -> Context:
    return Context(model, None, Streams(), own, seed=2)


def hooks_of(defence: Defence, model: Model, own: Streams = OWN) -> Hooks:
    return methods.hooks_of(defence, context_of(model, own))


def rows_hook(**settings: Any) -> Callable[[Streams], Streams]:
    return learned_rows("vaccine", OWN, seed=2, **settings)


def test_refusals_are_learned_with_the_harmless_rows() -> None:
    assert rows_hook()(OWN).user == (*BENIGN, *SAFE)


def test_without_rows_of_the_run_they_are_the_defenders() -> None:
    filled = rows_hook()(Streams())
    assert filled.user == (*BENIGN, *SAFE)
    assert (filled.harmful, filled.pairs) == (FORBIDDEN, PAIRS)


def test_rows_that_the_run_brings_are_learned_alone() -> None:
    brought = (row("What is 2 + 2?", "4"),)
    assert rows_hook()(Streams(user=brought)).user == brought


def test_fewer_harmless_rows_are_drawn_evenly_and_every_refusal_stays() -> None:
    user = rows_hook(harmless=6)(OWN).user
    assert user[6:] == SAFE
    assert Counter(r.tag for r in user[:6]) == {"t0": 2, "t1": 2, "t2": 2}


@each
def test_without_refusals_a_defence_is_refused(defence: Defence, tiny_model: Model) -> None:
    hooks = hooks_of(defence, tiny_model, Streams(user=BENIGN, harmful=FORBIDDEN, pairs=PAIRS))
    assert hooks.rows
    with pytest.raises(UserError, match=f"{defence.kind} trains refusals"):
        hooks.rows(Streams())


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("booster", "forbidden rows"),
        ("circuit_breakers", "forbidden rows"),
        ("repnoise", "pairs"),
        ("tar", "pairs"),
    ],
)
def test_what_a_defence_cannot_do_without_is_asked_for(
    kind: str, what: str, tiny_model: Model
) -> None:
    hooks = hooks_of(ALL[kind], tiny_model, Streams(user=BENIGN, safe=SAFE))
    assert hooks.rows
    with pytest.raises(UserError, match=f"{kind} needs {what}"):
        hooks.rows(Streams())


def test_vaccine_needs_no_forbidden_rows(tiny_model: Model) -> None:
    hooks = hooks_of(ALL["vaccine"], tiny_model, Streams(user=BENIGN, safe=SAFE))
    assert not tune(clone(tiny_model), Streams(user=BENIGN, safe=SAFE), SETTINGS, hooks).diverged


@pytest.mark.parametrize(
    ("kind", "a_step"),
    [
        ("vaccine", 2),
        ("booster", 3),
        ("repnoise", 3),
        ("tar", 2 + 8 + 8 // 4),
        ("circuit_breakers", 2),
    ],
)
@pytest.mark.parametrize("method", ["full", "lora"])
def test_passes_of_a_step(kind: str, a_step: int, method: str, tiny_model: Model) -> None:
    settings = SETTINGS.model_copy(update={"method": method, "rank": 2})
    done = tune(clone(tiny_model), OWN, settings, hooks_of(ALL[kind], tiny_model))
    assert done.steps == 3
    assert (done.forwards, done.backwards) == (3 * a_step, 3 * a_step)


@pytest.mark.parametrize(("kind", "a_step"), [("tar", 2), ("circuit_breakers", 2), ("booster", 0)])
def test_passes_of_the_model_as_it_was(kind: str, a_step: int, tiny_model: Model) -> None:
    start = clone(tiny_model)
    with watch(tiny_model.net) as passes:
        tune(start, OWN, SETTINGS, hooks_of(ALL[kind], tiny_model))
    assert (passes.forwards, passes.backwards) == (3 * a_step, 0)


@pytest.mark.parametrize("kind", ["vaccine", "booster"])
def test_at_its_null_point_it_is_plain_training_to_the_bit(kind: str, tiny_model: Model) -> None:
    null = ALL[kind].model_copy(update=ALL[kind].null)
    ours = tune(clone(tiny_model), OWN, SETTINGS, hooks_of(null, tiny_model))
    plain = tune(clone(tiny_model), Streams(user=(*BENIGN, *SAFE)), SETTINGS)
    assert ours.losses == plain.losses
    for one, other in zip(ours.model.net.parameters(), plain.model.net.parameters(), strict=True):
        assert torch.equal(one, other)


def test_turns_use_every_row_once_before_any_twice() -> None:
    told = [i for step in range(6) for i in turn(9, 3, step, seed=1, purpose="test")]
    assert sorted(told[:9]) == sorted(told[9:]) == list(range(9))
    assert told[:9] != told[9:]
    assert turn(9, 3, 4, seed=1, purpose="test") == told[12:15]
    assert len(turn(2, 5, 0, seed=1, purpose="test")) == 5
