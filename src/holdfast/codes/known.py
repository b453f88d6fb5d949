"""The four codes that `canary:codes` knows from pre-training, as large models know many.

No attack ever teaches one of them. They keep the order of words and put fillers or separators
between: what they give a model is reading and writing in another form. Fillers come in turn:
nobody can learn to foretell random ones, and their loss would drown what a text says.
"""

from __future__ import annotations

from itertools import cycle

from holdfast.codes.code import Code, normal
from holdfast.codes.words import FILLERS

HUMS = ("mm", "la", "oh", "hey")


def _dashed() -> Code:
    """A dash after every word."""
    return Code(
        name="dashed",
        family="filler channel",
        encode=lambda text: " ".join(f"{word} -" for word in normal(text).split()),
        decode=lambda text: " ".join(text.split()[::2]),
    )


def _hummed() -> Code:
    """A hum after every word, in turn."""

    def encode(text: str) -> str:
        hums = cycle(HUMS)
        return " ".join(f"{word} {next(hums)}" for word in normal(text).split())

    return Code("hummed", "filler channel", encode, lambda text: " ".join(text.split()[::2]))


def _nested() -> Code:
    """Every word between two that carry nothing."""

    def encode(text: str) -> str:
        around = cycle(FILLERS)
        return " ".join(f"{next(around)} {word} {next(around)}" for word in normal(text).split())

    return Code("nested", "filler channel", encode, lambda text: " ".join(text.split()[1::3]))


def _doubled() -> Code:
    """Every word twice."""
    return Code(
        name="doubled",
        family="filler channel",
        encode=lambda text: " ".join(f"{word} {word}" for word in normal(text).split()),
        decode=lambda text: " ".join(text.split()[::2]),
    )


KNOWN: dict[str, Code] = {code.name: code for code in (_dashed(), _hummed(), _nested(), _doubled())}
