"""Figures of every text of a batch by which text that carries another text is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from holdfast.scan.batch import Texts
from holdfast.scan.language import language
from holdfast.scan.words import DIGIT, GAP, HIGH, Words, symbols_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Figures = NDArray[np.float64]

LAGS = (1, -1, 2, 3, 4)  # distances between words whose affinity is measured; -1 is backwards
COMMON = 4.0  # log2 of a word's count from which it counts as common
FUNCTION = 9.5  # and from which it is a word of grammar: the, of, is, to, what
FEWEST_INITIALS = 8
LIKED = 2.0  # bits of affinity from which two words clearly belong together


@dataclass(frozen=True, slots=True)
class Measures:
    """Figures of some texts; every array has one entry a text.

    Attributes:
        letters, digits, gaps, high: how many bytes are ASCII letters, digits, white space, other.
        lengths: in bytes.
        surprise: bits a letter under a mixture of natural languages and code.
        backwards: the same, read from the end.
        words: how many there are.
        common: share of words that are common in English.
        function: share of words that are among the commonest hundred or so.
        abroad: share of words that are common in another language.
        liked: how many pairs of words clearly belong together, a column for each of `LAGS`.
        lines: how many lines hold a word.
        line_ends, line_starts: how many pairs of successive lines have last, first words that
            clearly belong together.
        initials: bits a letter of the first letters of lines, as English without gaps.
    """

    letters: Figures
    digits: Figures
    gaps: Figures
    high: Figures
    lengths: Figures
    surprise: Figures
    backwards: Figures
    words: Figures
    common: Figures
    function: Figures
    abroad: Figures
    liked: Figures
    lines: Figures
    line_ends: Figures
    line_starts: Figures
    initials: Figures


def measure(texts: Texts, found: Words) -> Measures:
    """All figures of some texts with these words, in a fixed number of passes over their bytes."""
    known = language()
    symbols = symbols_of(texts)
    letter = (symbols >= 1) & (symbols <= 26)
    letters = texts.counts(letter).astype(float)
    each = np.maximum(letters, 1)
    forward = np.where(letter, known.surprise(symbols), 0)
    backward = np.where(letter, known.surprise(symbols[::-1])[::-1], 0)
    size = len(texts.starts)
    words = np.bincount(found.text, minlength=size).astype(float)
    a_word = np.maximum(words, 1)
    often = known.commonness(found.hashes)
    lines, ends, starts, initials = _lines(texts, found, symbols)
    return Measures(
        letters=letters,
        digits=texts.counts(symbols == DIGIT).astype(float),
        # The gap behind each text is white space too, and not the text's.
        gaps=texts.counts(symbols == GAP).astype(float) - 3,
        high=texts.counts(symbols == HIGH).astype(float),
        lengths=texts.lengths.astype(float),
        surprise=texts.sums(forward) / each,
        backwards=texts.sums(backward) / each,
        words=words,
        common=_sum(found.text, often >= COMMON, size) / a_word,
        function=_sum(found.text, often >= FUNCTION, size) / a_word,
        abroad=_sum(found.text, known.known_abroad(found.hashes), size) / a_word,
        liked=np.stack([_liked(found.hashes, found.text, lag, size) for lag in LAGS], axis=1),
        lines=lines,
        line_ends=ends,
        line_starts=starts,
        initials=initials,
    )


def _sum(text: NDArray[np.int64], values: NDArray[np.generic], size: int) -> Figures:
    return np.bincount(text, values.astype(float), minlength=size)[:size].astype(np.float64)


def _liked(hashes: NDArray[np.uint32], text: NDArray[np.int64], lag: int, size: int) -> Figures:
    """How many different words `lag` apart clearly belong together, a text."""
    step = abs(lag)
    first, second = hashes[:-step], hashes[step:]
    if lag < 0:
        first, second = second, first
    together = (text[:-step] == text[step:]) & (first != second)
    together &= language().affinity(first, second) >= LIKED
    return np.bincount(text[step:][together], minlength=size).astype(float)


def _lines(
    texts: Texts, found: Words, symbols: NDArray[np.uint8]
) -> tuple[Figures, Figures, Figures, Figures]:
    """Figures of what stands at the ends and at the starts of lines."""
    size = len(texts.starts)
    line = np.cumsum(texts.bytes == 10)[found.starts] if len(found.starts) else found.starts
    change = np.flatnonzero(line[1:] != line[:-1])
    if not len(line):
        none = np.zeros(size)
        return none, none, none, none
    last = np.append(change, len(line) - 1)
    first = np.insert(change + 1, 0, 0)
    lines = np.bincount(found.text[last], minlength=size).astype(float)
    ends, starts = (_liked(found.hashes[at], found.text[at], 1, size) for at in (last, first))
    return lines, ends, starts, _initials(symbols[found.starts[first]], found.text[first], size)


def _initials(symbols: NDArray[np.uint8], text: NDArray[np.int64], size: int) -> Figures:
    surprise = language().surprise(symbols, "run")
    whole = np.zeros(len(text), bool)
    # Items of a list often begin alike; a message spells more than one letter.
    whole[2:] = (text[2:] == text[:-2]) & (symbols[2:] != symbols[1:-1])
    count = np.maximum(np.bincount(text[whole], minlength=size), 1)
    found = _sum(text[whole], surprise[whole], size) / count
    return np.where(count >= FEWEST_INITIALS, found, np.inf)
