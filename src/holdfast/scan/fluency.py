"""How English a text reads: what decides whether a decoder found the plain text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from holdfast.scan.batch import texts_of
from holdfast.scan.language import language
from holdfast.scan.measure import measure
from holdfast.scan.words import symbols_of, words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLUENT = 4.4  # bits a letter; English has 3 to 4, ciphers 6 and more
FLUENT_RUN = 4.1  # the same where gaps are lost; random letters have 6 and more
FEWEST_LETTERS = 8


def surprise(texts: Sequence[str]) -> NDArray[np.float64]:
    """Bits a letter of every text as English; infinite where there are too few letters."""
    laid = texts_of(texts)
    symbols = symbols_of(laid)
    letter = (symbols >= 1) & (symbols <= 26)
    count = laid.counts(letter)
    total = laid.sums(np.where(letter, language().surprise(symbols, "english"), 0))
    enough = (count >= FEWEST_LETTERS) & (count >= 0.3 * laid.lengths)
    return np.where(enough, total / np.maximum(count, 1), np.inf)


def run_surprise(letters: Sequence[str]) -> NDArray[np.float64]:
    """The same for texts of letters alone."""
    laid = texts_of(letters)
    symbols = symbols_of(laid)
    letter = (symbols >= 1) & (symbols <= 26)
    count = laid.counts(letter)
    total = laid.sums(np.where(letter, language().surprise(symbols, "run"), 0))
    return np.where(count >= FEWEST_LETTERS, total / np.maximum(count, 1), np.inf)


def fluent_share(texts: Sequence[str]) -> float:
    """The share of texts that read as English."""
    return float(np.mean(surprise(texts) <= FLUENT)) if texts else 0.0


def belonging(texts: Sequence[str]) -> int:
    """How many neighbouring words of these texts clearly belong together."""
    laid = texts_of(texts)
    return int(measure(laid, words_of(laid)).liked[:, 0].sum())
