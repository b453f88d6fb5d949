"""How the canary classifier and its language model cut a text into words."""

from __future__ import annotations

import re

__all__ = ["spans", "words"]

_WORD = re.compile(r"[A-Za-z']+|[0-9]+|[^\sA-Za-z0-9]")


def words(text: str) -> list[str]:
    """The words and signs of a text, in small letters."""
    return [word.lower() for word in _WORD.findall(text)]


def spans(text: str) -> list[tuple[int, int]]:
    """Where each of `words` begins and ends in the text."""
    return [found.span() for found in _WORD.finditer(text)]
