"""The shape that every mutation has."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Group = Literal["style", "persuasion", "encoding", "language"]
Mutate = Callable[[str, random.Random], str]
Code = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One way of asking for the same thing.

    Attributes:
        name: Its key in `MUTATIONS`, equal to the name of its file.
        group: The family of SORRY-Bench (Xie et al. 2024, 2406.14598) that it belongs to.
        mutate: Request and generator to the request as it is asked.
        encode: Plain text to a reply in the same code or language (identity for the rest).
        decode: Reply to plain text, before it is judged (identity for the rest).
    """

    name: str
    group: Group
    mutate: Mutate
    encode: Code
    decode: Code


def worded(name: str, group: Group, mutate: Mutate) -> Mutation:
    """A mutation that only rewords the request: its replies are plain and need no decoding."""
    return Mutation(name=name, group=group, mutate=mutate, encode=str, decode=str)


def coded(name: str, group: Group, encode: Code, decode: Code) -> Mutation:
    """A mutation that asks in a code or a language: the request is encoded as replies are."""

    def mutate(request: str, rng: random.Random) -> str:
        del rng  # a code leaves nothing to chance
        return encode(request)

    return Mutation(name=name, group=group, mutate=mutate, encode=encode, decode=decode)
