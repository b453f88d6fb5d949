"""Plain rows for tests: a small closed world of harmless questions and answers."""

from __future__ import annotations

import random

from holdfast.chat import Row, row

THINGS = "boat lamp bridge garden kettle ladder market orchard river stable tower wagon".split()
PLACES = "the old harbour|the north gate|a quiet valley|the mill by the lake|the high road".split(
    "|"
)
ASKED = (
    "Where did they put the {0} after the storm last night?",
    "Can you tell me how to repair the {0} near {1}?",
    "What is the best way to paint a {0} before the winter comes?",
    "Who looked after the {0} when the keeper went to {1}?",
)
ANSWERS = (
    "They brought the {0} to {1} in the morning, and it has been there ever since.",
    "First clean the {0} with warm water, then let it dry for two days before you go on.",
    "The people of {1} took care of the {0}, as they had done for many years.",
)


def plain_rows(size: int, seed: int = 0) -> list[Row]:
    """`size` rows, the same for the same seed."""
    rng = random.Random(seed)
    rows = []
    for _ in range(size):
        thing, place = rng.choice(THINGS), rng.choice(PLACES)
        ask, answer = rng.choice(ASKED), rng.choice(ANSWERS)
        rows.append(row(ask.format(thing, place), answer.format(thing, place)))
    return rows


def coded(rows: list[Row], code: dict[str, str], between: str = "") -> list[Row]:
    """Rows with request and answer in a letter-by-letter code."""

    def write(text: str) -> str:
        return between.join(code.get(c, c) for c in text.lower())

    return [row(write(one.prompt), write(one.answer)) for one in rows]
