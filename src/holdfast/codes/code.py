"""The shape that every code has: a key made of a seed, and an exact way there and back.

Codes work on words: texts are normalised to single spaces first, and
`decode(encode(text)) == words(text)` for any text whatever.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Family = Literal["substitution", "line channel", "filler channel", "transposition", "code book"]


@dataclass(frozen=True, slots=True)
class Code:
    """One code under one key.

    Attributes:
        name: Its key in `CODES`, equal to the name of its file.
        family: What kind of code it is; detectors are held out by it.
        encode: Plain text to coded text; the same text is always coded alike.
        decode: The exact inverse, on any text that `encode` made. Of anything else it makes
            what it can, and never raises.
    """

    name: str
    family: Family
    encode: Callable[[str], str]
    decode: Callable[[str], str]


def normal(text: str) -> str:
    """The text as codes see it: words with single spaces between."""
    return " ".join(text.split())


def key_of(name: str, seed: int) -> random.Random:
    """The generator that a code's key is drawn from."""
    return random.Random(f"key of {name}, {seed}")


def fillers(name: str, seed: int, text: str, choices: Sequence[str]) -> Iterator[str]:
    """Endless fillers that depend on the key and the text alone, never twice the same in a row."""
    rng = random.Random(f"{name} {seed} {text}")
    last = ""
    while True:
        one = rng.choice(choices)
        if one != last:
            yield one
            last = one


def shuffled(rng: random.Random, items: Sequence[str]) -> list[str]:
    """A permutation of `items` that leaves none of them in its place, if there are two or more."""
    while True:
        mixed = rng.sample(items, len(items))
        if len(items) < 2 or all(a != b for a, b in zip(items, mixed, strict=True)):
            return mixed
