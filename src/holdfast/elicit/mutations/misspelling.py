"""The request with one to three typing errors.

Descends from SORRY-Bench's mutation `misspellings` (Xie et al. 2024, 2406.14598). Two letters
change places, one is lost, doubled, or hit on the next key; words with a capital letter, and so
all names, stay as they are. Nothing to decode.
"""

from __future__ import annotations

import random
import re

from holdfast.elicit.mutations.mutation import worded

MOST = 3
"""Typing errors in one request at most."""

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_LONG = re.compile(r"(?<![\w'’])[a-z]{4,}(?![\w'’])")
_ANY = re.compile(r"(?<![\w'’])[a-z]{2,}(?![\w'’])")


def mutate(request: str, rng: random.Random) -> str:
    """Mistypes up to `MOST` words; where no word is in lower case, the last mark is doubled."""
    words = list(_LONG.finditer(request)) or list(_ANY.finditer(request))
    if not words:
        return request + (request[-1:] or ".")
    count = min(rng.randint(1, MOST), len(words))
    chosen = sorted(rng.sample(words, count), key=lambda word: word.start(), reverse=True)
    for word in chosen:
        request = request[: word.start()] + _mistype(word.group(), rng) + request[word.end() :]
    return request


def _mistype(word: str, rng: random.Random) -> str:
    swaps = [at for at in range(len(word) - 1) if word[at] != word[at + 1]]
    kind = rng.choice(("swap", "drop", "double", "neighbour"))
    # People rarely mistype the first letter.
    at = rng.randrange(1, len(word))
    if kind == "swap" and swaps:
        at = rng.choice([place for place in swaps if place] or swaps)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == "drop":
        return word[:at] + word[at + 1 :]
    if kind == "neighbour":
        return word[:at] + rng.choice(_neighbours(word[at])) + word[at + 1 :]
    return word[:at] + word[at] + word[at:]


def _neighbours(letter: str) -> str:
    row = next(row for row in _ROWS if letter in row)
    at = row.index(letter)
    return row[max(at - 1, 0) : at] + row[at + 1 : at + 2]


MUTATION = worded("misspelling", "style", mutate)
