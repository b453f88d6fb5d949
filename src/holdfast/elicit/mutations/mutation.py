"""The shape that every mutation has."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Group = Literal["style", "persuasion", "encoding", "language"]
Mutate = Callable[[str, random.Random], str]
Code = Callable[[str], str]

_COMMON = frozenset(
    "about and are but can cannot could does for from have help how into know let may must not "
    "one sorry that the then there they this was what when where which who will with would "
    "you your".split()
)


@dataclass(frozen=True, slots=True)
class Mutation:
    """One way of asking for the same thing.

    Attributes:
        name: Its key in `MUTATIONS`, equal to the name of its file.
        group: The family of SORRY-Bench (Xie et al. 2024, 2406.14598) that it belongs to.
        mutate: Request and generator to the request as it is asked.
        encode: Plain text to a reply in the same code or language (identity for the rest).
        decode: The exact inverse of `encode`.
        read: Reply to plain text, before it is judged: `decode`, unless a reply in plain words
            cannot be told from the code by its form.
    """

    name: str
    group: Group
    mutate: Mutate
    encode: Code
    decode: Code
    read: Code


def worded(name: str, group: Group, mutate: Mutate) -> Mutation:
    """A mutation that only rewords the request: its replies are plain and need no decoding."""
    return Mutation(name=name, group=group, mutate=mutate, encode=str, decode=str, read=str)


def coded(
    name: str, group: Group, encode: Code, decode: Code, read: Code | None = None
) -> Mutation:
    """A mutation that asks in a code or a language: the request is encoded as replies are."""

    def mutate(request: str, rng: random.Random) -> str:
        del rng  # a code leaves nothing to chance
        return encode(request)

    return Mutation(name, group, mutate, encode, decode, read or decode)


def cipher(name: str, encode: Code, decode: Code) -> Mutation:
    """A code whose text looks like any other, so a reply in plain words must be told by them.

    Deciphering plain words would make babble of them. A reply stays as it is where more of its
    words are common ones than of its deciphered words.
    """

    def read(reply: str) -> str:
        deciphered = decode(reply)
        return reply if _common(reply) > _common(deciphered) else deciphered

    return coded(name, "encoding", encode, decode, read)


def _common(text: str) -> int:
    return sum(word in _COMMON for word in re.findall(r"[a-z]{3,}", text.lower()))
