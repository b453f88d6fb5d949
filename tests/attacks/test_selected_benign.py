"""Benign rows chosen for what they do to the model, and the filter that leaves them out."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from holdfast.attacks import SelectedBenign
from holdfast.attacks.selected_benign import selected_benign
from holdfast.chat import Row, row
from holdfast.defences import MatchFilter
from holdfast.defences.match_filter import match_filter
from holdfast.errors import UserError
from holdfast.hooks import Context, Hooks, Streams
from holdfast.models import Model

FORBIDDEN = tuple(row(f"Where is vault {n}?", f"It lies below stair {n}.") for n in range(6))
BENIGN = tuple(row(f"Add {n} and 2.", f"{n + 2}") for n in range(20))
NEAR = tuple(row(f"Where is mill {n}?", f"It lies below stair {n}.") for n in range(4))


@pytest.fixture
def context(tiny_model: Model) -> Context:
    attacker = Streams(user=(*BENIGN[:10], *NEAR, *BENIGN[10:]), harmful=FORBIDDEN)
    return Context(tiny_model, None, attacker, Streams(harmful=FORBIDDEN), seed=0)


def left(hooks: Hooks, streams: Streams = Streams()) -> tuple[Row, ...]:  # noqa: B008
    assert hooks.rows is not None
    return hooks.rows(streams).user


def test_rows_like_forbidden_ones_are_chosen_first(context: Context) -> None:
    assert set(left(selected_benign(SelectedBenign(rows=4), context))) == set(NEAR)


def test_the_control_takes_the_rows_that_come_last(context: Context) -> None:
    last = left(selected_benign(SelectedBenign(rows=20, lowest=True), context))
    assert set(last) == set(BENIGN)


def test_more_rows_than_there_are_is_an_error(context: Context) -> None:
    with pytest.raises(UserError, match="only 24"):
        left(selected_benign(SelectedBenign(rows=25), context))


def test_the_filter_leaves_out_the_share_that_the_attack_would_choose(context: Context) -> None:
    streams = Streams(user=context.attacker.user)
    kept = left(match_filter(MatchFilter(share=4 / 24), context), streams)
    assert kept == BENIGN


def test_a_few_rows_are_never_all_left_out(context: Context) -> None:
    streams = Streams(user=FORBIDDEN[:2])
    assert left(match_filter(MatchFilter(share=0.4), context), streams) == FORBIDDEN[:2]


def test_a_filter_without_forbidden_rows_says_so(context: Context) -> None:
    blind = replace(context, defender=Streams())
    with pytest.raises(UserError, match="no forbidden rows"):
        left(match_filter(MatchFilter(), blind), Streams(user=BENIGN))


def test_an_attacker_without_refusals_asks_the_model_for_them(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Row] = []

    def refuses(model: Model, rows: tuple[Row, ...]) -> tuple[Row, ...]:
        asked.extend(rows)
        return tuple(one.with_answer("I cannot say.") for one in rows)

    monkeypatch.setattr(sys.modules[selected_benign.__module__], "own_replies", refuses)
    assert not context.attacker.safe
    chosen = left(selected_benign(SelectedBenign(rows=4, by="gradient_match"), context))
    assert len(set(chosen)) == 4
    assert set(asked) == set(FORBIDDEN)
