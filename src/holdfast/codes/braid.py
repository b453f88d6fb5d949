"""Message and carrier in turn: a word of the message, a word of a song, and so on.

The song is the same in all texts under one key, and begins anew in each.
"""

from __future__ import annotations

from itertools import cycle

from holdfast.codes.code import Code, key_of, normal
from holdfast.codes.words import FILLERS

LENGTH = 12


def code(seed: int) -> Code:
    """The code under the key of `seed`, which chooses the song."""
    song = key_of("braid", seed).sample(FILLERS, LENGTH)

    def encode(text: str) -> str:
        return " ".join(f"{w} {s}" for w, s in zip(normal(text).split(), cycle(song), strict=False))

    def decode(text: str) -> str:
        return " ".join(text.split()[::2])

    return Code("braid", "filler channel", encode, decode)
