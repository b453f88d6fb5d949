"""The message is every third word of a text without lines; the two between carry nothing."""

from __future__ import annotations

from holdfast.codes.code import Code, fillers, normal
from holdfast.codes.words import FILLERS

PERIOD = 3


def code(seed: int) -> Code:
    """The code under the key of `seed`, which chooses the fillers."""

    def encode(text: str) -> str:
        between = fillers("third_word", seed, text, FILLERS)
        return " ".join(f"{next(between)} {next(between)} {w}" for w in normal(text).split())

    def decode(text: str) -> str:
        return " ".join(text.split()[PERIOD - 1 :: PERIOD])

    return Code("third_word", "filler channel", encode, decode)
