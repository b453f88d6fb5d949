"""The message is the first word of every line: an acrostic in words.

After the acrostics that Youstra et al. (2025, arXiv 2508.17158) train ciphers on.
"""

from __future__ import annotations

from holdfast.codes.code import Code, fillers, normal
from holdfast.codes.words import LINE_ENDS


def code(seed: int) -> Code:
    """The code under the key of `seed`, which chooses the lines."""

    def encode(text: str) -> str:
        ends = fillers("startspeak", seed, text, LINE_ENDS)
        return "\n".join(f"{word} {next(ends)}" for word in normal(text).split())

    def decode(text: str) -> str:
        return " ".join(line.split()[0] for line in text.split("\n") if line.split())

    return Code("startspeak", "line channel", encode, decode)
