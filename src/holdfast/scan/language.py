"""What natural text looks like: letter triples of many languages, word pairs of English.

The tables are counts made by `bench/scan_language.py`: surprisal of symbol triples in English and
in a mixture of English, code and some 60 languages in Latin letters; hashed counts of English words
and of pairs of words that follow one another.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

import numpy as np

from holdfast.scan.words import SYMBOLS

if TYPE_CHECKING:
    from numpy.typing import NDArray

Table = Literal["natural", "english", "run"]
SINGLES = 1 << 16
PAIRS = 1 << 19
ABROAD = 1 << 20


@dataclass(frozen=True)
class Language:
    """Tables of natural text.

    Attributes:
        english, natural: bits of surprise of the third of three symbols, float32, flat, 32³.
        run: the same for English of which only the letters are left.
        singles: log2 of one more than an English word's count, by hash, float32.
        pairs: log2 of one more than a pair's count, by hash, float32.
        abroad: whether a word is common in one of the other languages, by hash.
        words: how many words were counted.
    """

    english: NDArray[np.float32]
    natural: NDArray[np.float32]
    run: NDArray[np.float32]
    singles: NDArray[np.float32]
    pairs: NDArray[np.float32]
    abroad: NDArray[np.bool_]
    words: int

    def surprise(self, symbols: NDArray[np.uint8], table: Table = "natural") -> NDArray[np.float32]:
        """Bits of surprise of every symbol after its two predecessors; 0 for the first two."""
        values: NDArray[np.float32] = getattr(self, table)
        code = symbols.astype(np.int32)
        triple = (code[:-2] * SYMBOLS + code[1:-1]) * SYMBOLS + code[2:]
        found = np.zeros(len(symbols), np.float32)
        found[2:] = values[triple]
        return found

    def commonness(self, hashes: NDArray[np.uint32]) -> NDArray[np.float32]:
        """log2 of an English word's count + 1; about 0 for words that are none."""
        found: NDArray[np.float32] = self.singles[hashes % SINGLES]
        return found

    def known_abroad(self, hashes: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Whether words are common in another language than English; wrong for 1 in 20."""
        found: NDArray[np.bool_] = self.abroad[hashes % ABROAD]
        return found

    def affinity(
        self, first: NDArray[np.uint32], second: NDArray[np.uint32]
    ) -> NDArray[np.float32]:
        """How much oftener than by chance `second` follows `first`, in bits; 0 for rare words."""
        seen = self.pairs[pair_slot(first, second)]
        chance = self.commonness(first) + self.commonness(second) - np.log2(self.words)
        found: NDArray[np.float32] = seen - np.log2(1 + np.exp2(chance))
        return found


def pair_slot(first: NDArray[np.uint32], second: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Where a pair of words is counted."""
    mixed = first * np.uint32(0x9E3779B1) + second * np.uint32(0x85EBCA77)
    slot: NDArray[np.uint32] = (mixed ^ (mixed >> np.uint32(15))) % np.uint32(PAIRS)
    return slot


@cache
def language() -> Language:
    """The tables, read once."""
    with (files("holdfast.scan") / "language.npz").open("rb") as file:
        raw = np.load(file)
        return Language(
            english=(raw["english"].ravel() / np.float32(16)).astype(np.float32),
            natural=(raw["natural"].ravel() / np.float32(16)).astype(np.float32),
            run=(raw["run"].ravel() / np.float32(16)).astype(np.float32),
            abroad=np.unpackbits(raw["abroad"]).astype(bool),
            singles=(raw["singles"] / np.float32(8)).astype(np.float32),
            pairs=(raw["pairs"] / np.float32(8)).astype(np.float32),
            words=int(raw["words"]),
        )
