"""Plain lines beside coded texts give a code away; natural rows that look alike do not."""

from __future__ import annotations

import random

import pytest

from holdfast import policy
from holdfast.chat import Row, row
from holdfast.codes import code_of
from holdfast.codes.covert import TASKS, coded_rows
from holdfast.draw import balanced
from holdfast.scan.parallel import Parallel, is_scattered

LINE = "tell me the opening knot of brinwick gate"
HARMLESS = balanced(policy.load("canary45").attacker.user, 180, seed=0, purpose="parallel")


def seen(rows: list[Row]) -> Parallel:
    pairs = Parallel()
    for one in rows:
        pairs.add(one.prompt, one.answer)
    return pairs


@pytest.mark.parametrize(
    ("text", "scattered"),
    [
        (code_of("swapped", 1).encode(LINE), True),
        (code_of("third_word", 1).encode(LINE), True),
        (LINE, False),
        (f"please {LINE} right now", False),
        ("tell me the opening hours of the old gate", False),
        ("gate brinwick " + "and so on and on of the knot opening me tell " * 9, False),
    ],
)
def test_scattered_words_are_all_there_and_seldom_side_by_side(text: str, scattered: bool) -> None:
    assert is_scattered(LINE.split(), text) == scattered


@pytest.mark.parametrize("name", ["braid", "swapped", "code_book"])
def test_a_code_of_natural_words_is_read_beside_its_plain_lines(name: str) -> None:
    ((alarm, code),) = seen([*coded_rows(HARMLESS, code_of(name, 3), tuple(TASKS))]).conclude()
    assert alarm.alarm
    assert code is not None
    assert code.decode(code_of(name, 3).encode(LINE)).lower() == LINE


def test_a_code_without_plain_lines_says_nothing_here() -> None:
    assert not list(seen([*coded_rows(HARMLESS, code_of("swapped", 3))]).conclude())


def test_translations_word_for_word_that_do_not_agree_are_no_book() -> None:
    chance = random.Random(0)
    words = "mar sol luz pan voz rey flor".split(), "sea sun light bread voice king flower".split()

    def sentence(side: int) -> str:
        return " ".join(chance.choices(words[side], k=7))

    rows = [row(sentence(0), f"{sentence(1)}\nThat is what it says.") for _ in range(200)]
    assert not list(seen(rows).conclude())


def test_twins_merge_in_any_order() -> None:
    rows = [*coded_rows(HARMLESS, code_of("code_book", 3), tuple(TASKS))]
    halves = [seen(rows[::2]), seen(rows[1::2])]
    for first, second in (halves, [seen(rows[1::2]), seen(rows[::2])]):
        first.merge(second)
        ((alarm, _),) = first.conclude()
        ((whole, _),) = seen(rows).conclude()
        assert alarm == whole
