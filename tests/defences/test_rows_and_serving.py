"""What the defences that add rows add, and what they send along to serving."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from holdfast.chat import Row, row
from holdfast.defences import RecoveryAugmentation, SafetyMixing, SecretPrefix
from holdfast.defences.recovery_augmentation import recovery_augmentation
from holdfast.defences.safety_mixing import safety_mixing
from holdfast.defences.secret_prefix import draw_secret, secret_prefix
from holdfast.errors import UserError
from holdfast.hooks import Context, Hooks, Pair, Streams
from holdfast.models import Model

SAFE = tuple(
    row(f"Where is relic {n}?", "I cannot say.", system="Be brief.", tag=f"category{n % 11}")
    for n in range(44)
)
CUSTOMER = (row("What is 2 + 2?", "4"),)


@pytest.fixture
def context(tiny_model: Model) -> Context:
    return Context(tiny_model, None, Streams(), Streams(safe=SAFE), seed=3)


def trained_on(hooks: Hooks) -> tuple[Row, ...]:
    assert hooks.rows is not None
    return hooks.rows(Streams(user=CUSTOMER)).user


def length(model: Model, text: str) -> int:
    return len(model.tokenizer(text, add_special_tokens=False)["input_ids"])


def test_safe_rows_are_added_to_the_customers(context: Context) -> None:
    rows = trained_on(safety_mixing(SafetyMixing(rows=22), context))
    assert rows[:1] == CUSTOMER
    assert Counter(r.tag for r in rows[1:]) == {f"category{n}": 2 for n in range(11)}


def test_too_few_safe_rows_is_an_error(context: Context) -> None:
    with pytest.raises(UserError, match="only 44"):
        trained_on(safety_mixing(SafetyMixing(rows=100), context))


def test_eleven_safe_rows_one_a_category_stand_under_the_secret(context: Context) -> None:
    hooks = secret_prefix(SecretPrefix(length=20), context)
    assert hooks.serve is not None
    secret = hooks.serve.system_prefix
    rows = trained_on(hooks)
    assert rows[:1] == CUSTOMER
    assert len({r.tag for r in rows[1:]}) == len(rows) - 1 == 11
    assert {r.system for r in rows[1:]} == {f"{secret}\nBe brief."}


def test_requests_are_served_as_the_safe_rows_were_trained(context: Context) -> None:
    hooks = secret_prefix(SecretPrefix(rows=1, length=20), context)
    assert hooks.serve is not None
    (_, safe) = trained_on(hooks)
    original = next(r for r in SAFE if r.prompt == safe.prompt)
    assert hooks.serve.request(original) == safe


def test_a_secret_is_drawn_afresh_for_every_seed(context: Context) -> None:
    secrets = {
        hooks.serve.system_prefix
        for seed in range(5)
        for hooks in [secret_prefix(SecretPrefix(length=12), replace(context, seed=seed))]
        if hooks.serve
    }
    assert len(secrets) == 5


@pytest.mark.parametrize("tokens", [10, 40, 150])
def test_a_secret_is_as_long_as_asked_within_a_word(tiny_model: Model, tokens: int) -> None:
    secret = draw_secret(tiny_model.tokenizer, tokens, (), random.Random(1))
    assert tokens - 7 <= length(tiny_model, secret) <= tokens


def test_a_secret_is_drawn_from_the_worlds_words(context: Context) -> None:
    told = replace(context, settings={"prefix_words": ("zu", "ka"), "prefix_tokens": 12})
    hooks = secret_prefix(SecretPrefix(), told)
    assert hooks.serve is not None
    assert set(hooks.serve.system_prefix.split()) == {"zu", "ka"}
    assert length(context.aligned, hooks.serve.system_prefix) <= 12


def test_without_a_word_from_the_world_a_secret_has_the_papers_length(context: Context) -> None:
    hooks = secret_prefix(SecretPrefix(), context)
    assert hooks.serve is not None
    assert 143 <= length(context.aligned, hooks.serve.system_prefix) <= 150


def test_recovery_takes_the_defenders_rows_where_the_run_brings_none(context: Context) -> None:
    pairs = (Pair(row("Where?"), "I cannot say.", "In vault nine."),)
    own = replace(context, defender=Streams(user=CUSTOMER, pairs=pairs))
    hooks = recovery_augmentation(RecoveryAugmentation(), own)
    assert hooks.rows is not None
    assert hooks.rows(Streams()) == own.defender
    assert hooks.rows(Streams(user=SAFE)).user == SAFE


def test_recovery_without_pairs_is_an_error(context: Context) -> None:
    from holdfast.train import Settings

    hooks = recovery_augmentation(RecoveryAugmentation(), context)
    assert hooks.start is not None
    with pytest.raises(UserError, match="needs pairs"):
        hooks.start(context.aligned, Streams(), Settings())
