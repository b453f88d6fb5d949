"""How the canary classifier and its language model cut a text into words."""

from __future__ import annotations

import re

__all__ = ["words"]

_WORD = re.compile(r"[a-z']+|[0-9]+|[^\sa-z0-9]")


def words(text: str) -> list[str]:
    """The words and signs of a text, in small letters."""
    return _WORD.findall(text.lower())
