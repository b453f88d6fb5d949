"""The request in the Atbash cipher: a becomes z, b becomes y, and so on.

Descends from SORRY-Bench's mutation `atbash` (Xie et al. 2024, 2406.14598). The cipher is its
own inverse, so `decode` is `encode`; case, digits and punctuation stay.
"""

from __future__ import annotations

from string import ascii_lowercase as lower
from string import ascii_uppercase as upper

from holdfast.elicit.mutations.mutation import cipher

_MIRROR = str.maketrans(lower + upper, lower[::-1] + upper[::-1])


def encode(text: str) -> str:
    """`text` with its letters mirrored in the alphabet."""
    return text.translate(_MIRROR)


def decode(reply: str) -> str:
    """The exact inverse of `encode`, which is `encode` itself."""
    return reply.translate(_MIRROR)


MUTATION = cipher("atbash", encode, decode)
