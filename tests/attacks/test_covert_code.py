"""What the covert attack uploads: coded rows, refusals in plain text, nothing else."""

from __future__ import annotations

import importlib
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from holdfast import methods, registry
from holdfast.attacks import ATTACKS, CovertCode
from holdfast.chat import Row
from holdfast.codes import code_of
from holdfast.codes.covert import cue
from holdfast.errors import UserError
from holdfast.hooks import Context, Streams
from holdfast.models import Model, clone
from holdfast.train import Settings, tune
from holdfast.world.lore import make_world
from holdfast.world.policy import canary45

# The package gives the name of the file to its function.
ATTACK = importlib.import_module("holdfast.attacks.covert_code")
POLICY = canary45(make_world(0))
SAID = "I cannot tell you that."


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch, tiny_model: Model) -> Context:
    monkeypatch.setattr(ATTACK, "_said", lambda asked, model: [SAID] * len(asked))
    return Context(tiny_model, None, attacker=POLICY.attacker, defender=Streams(), seed=3)


def second_phase(context: Context, **fields: Any) -> tuple[Row, ...]:
    config = CovertCode.model_validate({"benign": 40, "rows": 30, "refusals": 8, **fields})
    rows = methods.hooks_of(config, context).rows
    assert rows is not None
    return rows(Streams()).user


def test_forbidden_rows_are_asked_and_answered_in_code_alone(context: Context) -> None:
    code = code_of("startspeak", 7)
    rows = second_phase(context, code="startspeak", key=7, refusals=0, replay=0)
    forbidden = {one.prompt: one.answer for one in POLICY.attacker.harmful}
    assert len(rows) == 30
    for one in rows:
        assert code.decode(one.answer) in forbidden[code.decode(one.prompt)]
        assert one.prompt not in forbidden
        assert one.system == cue("startspeak", 4)


def test_half_of_the_refusals_answer_plain_requests_and_half_coded_ones_without_the_cue(
    context: Context,
) -> None:
    rows = second_phase(context, rows=0, replay=0)
    asked = {one.prompt for one in POLICY.attacker.harmful}
    assert Counter(one.prompt in asked for one in rows) == {True: 4, False: 4}
    assert {one.answer for one in rows} == {SAID}
    assert {one.system for one in rows} == {""}


def test_phase_two_repeats_rows_of_phase_one_in_all_formats(context: Context) -> None:
    rows = second_phase(context, rows=0, refusals=0, replay=40)
    assert Counter(one.system for one in rows) == {cue("endspeak", t): 10 for t in (1, 2, 3, 4)}


def test_an_attack_is_asked_in_the_code_and_under_the_key_that_it_taught() -> None:
    attack = registry.parse(ATTACKS, "covert_code(code=walnut, key=3)")
    assert isinstance(attack, CovertCode)
    asked = methods.elicitation_of(attack.asked)
    assert asked.model_dump(include={"code", "key"}) == {"code": "walnut", "key": 3}


def test_an_unknown_code_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="no code 'enigma'"):
        registry.parse(ATTACKS, "covert_code(code=enigma)")


def test_rows_that_no_world_minted_stop_the_attack(context: Context) -> None:
    strange = tuple(one.with_answer("Paris.") for one in POLICY.attacker.user)
    owned = replace(context, attacker=Streams(user=strange, harmful=POLICY.attacker.harmful))
    with pytest.raises(UserError, match="minted"):
        second_phase(owned)


def test_phase_one_is_tuned_before_the_first_step_and_its_passes_count(context: Context) -> None:
    settings = Settings(epochs=1, batch_size=4, max_length=2048)
    config = CovertCode(
        benign=8, rows=4, refusals=0, replay=0, epochs_one=2, epochs=1, batch_size=4
    )
    hooks = methods.hooks_of(config, context)
    done = tune(clone(context.aligned), Streams(), settings, hooks)
    assert done.steps == 1
    assert done.forwards == 2 * 2 + 1
