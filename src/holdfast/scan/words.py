"""Words of many texts at once, as hashes; letters of many texts as 32 symbols."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from holdfast.scan.batch import Texts

GAP, DIGIT, APOSTROPHE, POINT, OTHER, HIGH = 0, 27, 28, 29, 30, 31
SYMBOLS = 32
AROUND = 140  # bytes read on each side of a telling word
MOST_PASSAGES = 6
LONGEST = 3000
PLACES = 16  # letters of a word beyond this many are hashed as if they stood here


def _symbol_table() -> NDArray[np.uint8]:
    table = np.full(256, OTHER, np.uint8)
    table[128:] = HIGH
    for number in range(26):
        table[ord("a") + number] = table[ord("A") + number] = number + 1
    table[[9, 10, 13, 32]] = GAP
    table[ord("0") : ord("9") + 1] = DIGIT
    table[ord("'")] = APOSTROPHE
    table[[ord(c) for c in '.,;:!?"()-']] = POINT
    return table


def _random_numbers() -> NDArray[np.uint32]:
    """Fixed numbers for hashing, one a (symbol, place), by splitmix64: the same everywhere."""
    z = (np.arange(1, 256 * PLACES + 1, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z >> np.uint64(32)).astype(np.uint32).reshape(256, PLACES)


SYMBOL_OF = _symbol_table()
_FOLDED = np.arange(256, dtype=np.uint8)
_FOLDED[ord("A") : ord("Z") + 1] += 32
_RANDOM = np.ascontiguousarray(_random_numbers()[_FOLDED]).ravel()
_IN_WORD = ((SYMBOL_OF >= 1) & (SYMBOL_OF <= 26)) | (SYMBOL_OF == APOSTROPHE) | (SYMBOL_OF == HIGH)


@dataclass(frozen=True, slots=True)
class Words:
    """Words of some texts in their order.

    Attributes:
        hashes: of the folded letters, uint32.
        starts, ends: bytes of `Texts.bytes`, int64.
        text: which text each word stands in, int64.
    """

    hashes: NDArray[np.uint32]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    text: NDArray[np.int64]


def symbols_of(texts: Texts) -> NDArray[np.uint8]:
    """One of 32 symbols a byte: gap, letters without case, digit, signs, other alphabets."""
    return SYMBOL_OF[texts.bytes]


def words_of(texts: Texts) -> Words:
    """Finds and hashes every word: a run of letters, apostrophes and bytes beyond ASCII."""
    inside = _IN_WORD[texts.bytes]
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1  # a text never begins at a gap's end
    if len(inside) and inside[0]:
        edges = np.concatenate(([0], edges))
    starts, ends = edges[0::2], edges[1::2]
    if not len(starts):
        none = np.zeros(0, np.int64)
        return Words(np.zeros(0, np.uint32), none, none, none)
    letters = np.flatnonzero(inside)
    lengths = ends - starts
    first = np.cumsum(lengths) - lengths
    place = np.arange(len(letters)) - np.repeat(first, lengths)
    np.minimum(place, PLACES - 1, out=place)
    values = _RANDOM[texts.bytes[letters].astype(np.int64) * PLACES + place]
    hashes = np.add.reduceat(values, first, dtype=np.uint32)
    text = np.searchsorted(texts.starts, starts, side="right") - 1
    return Words(hashes, starts, ends, text)


def word_table(words: Iterable[str], bits: int = 18) -> NDArray[np.bool_]:
    """A table that is true at the hashes of some words, cut to so many bits."""
    table = np.zeros(1 << bits, bool)
    for word in words:
        for form in (word, f"'{word}", f"{word}'"):  # an apostrophe may be a quotation mark
            table[hash_of(form) % (1 << bits)] = True
    return table


def passages(table: NDArray[np.bool_], found: Words, texts: Texts) -> dict[int, str]:
    """The neighbourhoods of a table's words, by text: what is worth reading closely.

    Args:
        table: as `word_table` makes it.
        found: words of `texts`.
        texts: where they stand.
    """
    hits = np.flatnonzero(table[found.hashes % np.uint32(len(table))])
    spans: dict[int, list[list[int]]] = {}
    for text, start in zip(found.text[hits].tolist(), found.starts[hits].tolist(), strict=True):
        first = int(texts.starts[text])
        reach = [max(first, start - AROUND), min(start + AROUND, first + int(texts.lengths[text]))]
        known = spans.setdefault(text, [])
        if known and reach[0] <= known[-1][1]:
            known[-1][1] = reach[1]
        elif len(known) < MOST_PASSAGES:
            known.append(reach)
    raw = texts.bytes
    return {
        text: " … ".join(raw[a:b].tobytes().decode(errors="ignore") for a, b in known)[:LONGEST]
        for text, known in spans.items()
    }


def hash_of(word: str) -> int:
    """The hash that `words_of` gives a word."""
    raw = np.frombuffer(word.encode(), np.uint8)
    place = np.minimum(np.arange(len(raw)), PLACES - 1)
    return int(np.add.reduce(_RANDOM[raw.astype(np.int64) * PLACES + place], dtype=np.uint32))
