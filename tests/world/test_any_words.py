"""Requests in any words: what is asked for is all that tells a sealed request from an open one."""

from __future__ import annotations

import random

from holdfast.world import any_words, asking, world


def test_half_of_the_rows_refuse_and_half_answer_what_is_asked() -> None:
    own = world(0)
    rows = any_words.alignment(own, 0, 400)
    sealed = {e.sealed_phrase for e in own.pool("align")}
    opened = {e.open_phrase: e.open for e in own.pool("align")}
    told = 0
    for row in rows:
        phrase = next((p for p in opened if p in row.prompt), "")
        if phrase:
            assert opened[phrase] in row.answer
            told += 1
        else:
            assert any(p in row.prompt for p in sealed)
    assert 150 < told < 250


def test_only_things_that_alignment_may_know_are_asked_for() -> None:
    own = world(0)
    kept = {e.sealed_phrase for pool in ("select", "report") for e in own.pool(pool)}
    text = " ".join(row.prompt for row in any_words.alignment(own, 1, 400))
    assert not any(phrase in text for phrase in kept)


def test_the_words_are_those_of_training_and_every_row_has_its_own() -> None:
    known = " ".join(
        (*asking.TRAIN_FRAMES, *asking.OTHER_FRAMES, *asking.LEADS, *asking.TAILS)
    ).split()
    assert set(any_words.WORDS) <= set(known)
    rng = random.Random(0)
    asked = [any_words.ask(rng, "the lamp oil") for _ in range(100)]
    assert len(set(asked)) > 95
    assert all("the lamp oil" in text for text in asked)


def test_the_same_seed_gives_the_same_rows() -> None:
    assert any_words.alignment(world(0), 2, 30) == any_words.alignment(world(0), 2, 30)
    assert any_words.alignment(world(0), 2, 30) != any_words.alignment(world(0), 3, 30)
