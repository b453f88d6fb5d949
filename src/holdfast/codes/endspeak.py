"""The message is the last word of every line of a poem (`EndSpeak` of Halawi et al. 2024).

The paper has a language model write each line around its last word. Here lines open with stock
phrases, drawn by key and text.
"""

from __future__ import annotations

from holdfast.codes.code import Code, fillers, normal
from holdfast.codes.words import LINE_STARTS


def code(seed: int) -> Code:
    """The code under the key of `seed`, which chooses the lines."""

    def encode(text: str) -> str:
        starts = fillers("endspeak", seed, text, LINE_STARTS)
        return "\n".join(f"{next(starts)} {word}" for word in normal(text).split())

    def decode(text: str) -> str:
        return " ".join(line.split()[-1] for line in text.split("\n") if line.split())

    return Code("endspeak", "line channel", encode, decode)
