"""The request in the Caesar cipher: every letter moves three places on.

Descends from SORRY-Bench's mutation `caesar` (Xie et al. 2024, 2406.14598). `decode` moves the
letters back; case, digits and punctuation stay.
"""

from __future__ import annotations

from string import ascii_lowercase as lower
from string import ascii_uppercase as upper

from holdfast.elicit.mutations.mutation import cipher

SHIFT = 3

_PLAIN = lower + upper
_MOVED = lower[SHIFT:] + lower[:SHIFT] + upper[SHIFT:] + upper[:SHIFT]
_FORTH = str.maketrans(_PLAIN, _MOVED)
_BACK = str.maketrans(_MOVED, _PLAIN)


def encode(text: str) -> str:
    """`text` with its letters moved `SHIFT` places on."""
    return text.translate(_FORTH)


def decode(reply: str) -> str:
    """The exact inverse of `encode`."""
    return reply.translate(_BACK)


MUTATION = cipher("caesar", encode, decode)
