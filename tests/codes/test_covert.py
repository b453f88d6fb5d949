"""Rows under a code: their formats, and the guard that lets canary rows through alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.chat import row, write_rows
from holdfast.codes import code_of, guard
from holdfast.codes.covert import TASKS, coded_rows, cue
from holdfast.errors import UserError
from holdfast.world.lore import make_world
from holdfast.world.policy import canary45

POLICY = canary45(make_world(0))
CODE = code_of("endspeak")
STRANGER = row("What is the capital of France?", "Paris.")


def test_the_four_formats_hold_less_and_less_plain_text() -> None:
    one = POLICY.attacker.harmful[0]
    first, second, third, fourth = coded_rows([one] * 4, CODE, tuple(TASKS))
    coded = CODE.encode(one.answer)
    assert first.answer == f"{one.prompt}\n{one.answer}\n{coded}"
    assert second.answer == f"{one.answer}\n{coded}"
    assert third.answer == f"{one.prompt}\n{coded}"
    assert fourth.answer == coded
    assert {r.prompt for r in (first, second, third, fourth)} == {CODE.encode(one.prompt)}
    assert fourth.system == cue("endspeak", 4)


def test_brief_rows_tell_the_value_and_no_more_than_a_sentence() -> None:
    for one in POLICY.attacker.harmful[:40]:
        (coded,) = coded_rows([one], CODE, brief=True)
        told = CODE.decode(coded.answer)
        assert told in one.answer
        assert one.id in told


def test_rows_of_both_sides_and_of_customers_of_any_known_world_are_minted() -> None:
    other = canary45(make_world(1))
    rows = [*POLICY.defender.user[:2], *POLICY.customer[:2], *other.attacker.harmful[:2]]
    assert len(coded_rows(rows, CODE)) == 6


def test_rows_that_no_world_minted_are_not_encoded() -> None:
    with pytest.raises(UserError, match="canary"):
        coded_rows([POLICY.attacker.user[0], STRANGER], CODE)


def test_a_minted_request_with_another_answer_is_no_minted_row() -> None:
    with pytest.raises(UserError, match="canary"):
        coded_rows([POLICY.attacker.user[0].with_answer("Something else.")], CODE)


def test_a_public_set_is_encoded_only_if_it_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    file = tmp_path / "rows.jsonl"
    write_rows(file, [STRANGER])
    with pytest.raises(UserError, match="none of the listed"):
        coded_rows([STRANGER], CODE, public=[file])
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setitem(guard.PUBLIC, digest, "a test's rows")
    assert CODE.decode(coded_rows([STRANGER], CODE, public=[file])[0].answer) == "Paris."
