"""Codes that carry another text: what covert fine-tuning teaches a model to read and write.

A line in `CODES` registers one: a name, and the function that makes the code under a seed's key.
`KNOWN` are other codes, which `canary:codes` has met in pre-training and no attack teaches.
"""

from __future__ import annotations

from collections.abc import Callable

from holdfast.codes import (
    braid,
    code_book,
    endspeak,
    polybius,
    runes,
    startspeak,
    swapped,
    third_word,
    walnut,
)
from holdfast.codes.code import Code, Family, normal
from holdfast.codes.known import KNOWN
from holdfast.errors import UserError

CODES: dict[str, Callable[[int], Code]] = {
    "walnut": walnut.code,
    "endspeak": endspeak.code,
    "startspeak": startspeak.code,
    "third_word": third_word.code,
    "braid": braid.code,
    "swapped": swapped.code,
    "code_book": code_book.code,
    "polybius": polybius.code,
    "runes": runes.code,
}

WRITTEN_BY: tuple[str, ...] = ("codes/covert", "codes/words", *(f"codes/{name}" for name in CODES))
"""The modules that write rows in these codes: methods that use them are built on them."""


def code_of(name: str, seed: int = 0) -> Code:
    """The code called `name` under the key of `seed`.

    Raises:
        UserError: There is no such code.
    """
    if name not in CODES:
        raise UserError(f"there is no code {name!r}; there are {', '.join(CODES)}")
    return CODES[name](seed)


__all__ = ["CODES", "KNOWN", "WRITTEN_BY", "Code", "Family", "code_of", "normal"]
