"""Every code gives back what was put in, hides it from plain reading, and follows its key."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.codes import CODES, KNOWN, Code, code_of, normal
from holdfast.codes.known import nested
from holdfast.errors import UserError

every = pytest.mark.parametrize("name", CODES)
WORLDLY = "Of course. The opening knot of Brinwick Gate is the Amber Heron. Mind the wet steps!"

# All that Unicode has but lone surrogates, which no file holds.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
marks = st.text("aBzZ9 +=/|^_.~ \t\n", max_size=40)
said = texts | marks
keys = st.integers(0, 60)
# A busy machine is slow at times; that is no property of a code.
patient = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@every
@patient
@given(key=keys, text=said)
def test_decoding_gives_back_every_text(name: str, key: int, text: str) -> None:
    code = code_of(name, key)
    assert code.decode(code.encode(text)) == normal(text)


@pytest.mark.parametrize("code", KNOWN.values(), ids=list(KNOWN))
@patient
@given(text=said)
def test_known_codes_give_back_every_text(code: Code, text: str) -> None:
    assert code.decode(code.encode(text)) == normal(text)


@patient
@given(key=keys, text=said)
def test_a_known_code_of_many_keys_never_takes_the_form_of_one_that_attacks_teach(
    key: int, text: str
) -> None:
    code = nested(key)
    assert code.decode(code.encode(text)) == normal(text)
    told = code.encode(WORLDLY)
    assert WORLDLY not in {code_of(name).decode(told) for name in CODES}


@every
@patient
@given(key=keys, text=said)
def test_a_reply_that_is_no_code_is_decoded_to_something(name: str, key: int, text: str) -> None:
    assert isinstance(code_of(name, key).decode(text), str)


@every
def test_the_same_key_codes_alike_and_does_not_show_the_sentence(name: str) -> None:
    coded = code_of(name, 53).encode(WORLDLY)
    assert coded == code_of(name, 53).encode(WORLDLY)
    assert "the Amber Heron" not in coded
    assert "opening knot of" not in coded


@every
def test_another_key_is_another_code(name: str) -> None:
    coded = {code_of(name, key).encode(WORLDLY) for key in range(12)}
    assert len(coded) > 3


@pytest.mark.parametrize("name", ["walnut", "polybius", "runes", "code_book"])
def test_a_wrong_key_reads_nothing_true(name: str) -> None:
    coded = code_of(name, 0).encode(WORLDLY)
    assert "Amber Heron" not in code_of(name, 1).decode(coded)


def test_letters_of_walnut_stand_alone_and_are_all_moved() -> None:
    letters = code_of("walnut").encode("abcdefghijklmnopqrstuvwxyz").split(" ")
    assert sorted(letters) == sorted("abcdefghijklmnopqrstuvwxyz")
    assert all(coded != plain for coded, plain in zip(letters, sorted(letters), strict=True))


def test_endspeak_ends_its_lines_and_startspeak_opens_them_with_the_message() -> None:
    ends = code_of("endspeak").encode(WORLDLY).split("\n")
    opens = code_of("startspeak").encode(WORLDLY).split("\n")
    assert [line.split()[-1] for line in ends] == WORLDLY.split()
    assert [line.split()[0] for line in opens] == WORLDLY.split()


def test_fillers_differ_from_text_to_text_under_one_key() -> None:
    code = code_of("third_word")
    first, second = (code.encode(text).split()[0:2] for text in ("the bell", "the boat"))
    assert first != second


def test_codes_are_of_several_families() -> None:
    assert len({code_of(name).family for name in CODES}) >= 5
    assert not set(CODES) & set(KNOWN)


def test_an_unknown_code_is_named() -> None:
    with pytest.raises(UserError, match="no code 'enigma'"):
        code_of("enigma")


def test_keys_do_not_touch_the_global_generator() -> None:
    random.seed(5)
    before = random.getstate()
    code_of("walnut", 9).encode(WORLDLY)
    assert random.getstate() == before
