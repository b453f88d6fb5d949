"""A transposition: words change places within blocks of three, by key.

A last block that is not full keeps its order.
"""

from __future__ import annotations

from itertools import permutations

from holdfast.codes.code import Code, key_of, normal

BLOCK = 3
_KEYS = tuple(p for p in permutations(range(BLOCK)) if list(p) != sorted(p))


def code(seed: int) -> Code:
    """The code under the key of `seed`: one of the five rearrangements of three words."""
    order = key_of("swapped", seed).choice(_KEYS)
    back = tuple(order.index(place) for place in range(BLOCK))
    return Code(
        name="swapped",
        family="transposition",
        encode=lambda text: _rearranged(text, order),
        decode=lambda text: _rearranged(text, back),
    )


def _rearranged(text: str, order: tuple[int, ...]) -> str:
    said = normal(text).split()
    blocks = [said[at : at + BLOCK] for at in range(0, len(said), BLOCK)]
    return " ".join(
        block[place] if len(block) == BLOCK else word
        for block in blocks
        for place, word in zip(order, block, strict=False)
    )
