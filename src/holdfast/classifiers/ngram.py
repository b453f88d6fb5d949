"""A small language model of word triples: how surprising a text is, and which word makes it so.

Probabilities of triples, pairs and single words are mixed (Jelinek-Mercer); a word never seen has
the share of a count of `unseen`. Fitted on a few hundred clean texts in milliseconds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from holdfast.classifiers.words import words

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NGram", "language", "suspicion"]

START, END = "<s>", "</s>"


@dataclass(frozen=True)
class NGram:
    """Counts of clean texts.

    Attributes:
        singles, pairs, triples: how often words, and words after one or two others, occur.
        weights: of triples, pairs and single words in the mixture; they sum to 1.
        unseen: count of a word that never occurs.
    """

    singles: Counter[str]
    pairs: Counter[tuple[str, str]]
    triples: Counter[tuple[str, str, str]]
    after_one: Counter[str]
    after_two: Counter[tuple[str, str]]
    total: int
    weights: tuple[float, float, float] = (0.3, 0.3, 0.4)
    unseen: float = 0.01

    def chance(self, before: str, last: str, word: str) -> float:
        """Probability of a word after two others."""
        three, two, one = self.weights
        single = (self.singles[word] + self.unseen) / (self.total + self.unseen)
        pair = self.pairs[last, word] / self.after_one[last] if self.after_one[last] else single
        seen = self.after_two[before, last]
        triple = self.triples[before, last, word] / seen if seen else pair
        return three * triple + two * pair + one * single

    def perplexity(self, said: Sequence[str]) -> float:
        """Of the words of a text and its end, by the mean surprise."""
        line = [START, START, *said, END]
        bits = [math.log(self.chance(*line[i - 2 : i + 1])) for i in range(2, len(line))]
        return math.exp(-sum(bits) / len(bits))


def language(texts: Sequence[str]) -> NGram:
    """Counts the words of clean texts."""
    singles: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    triples: Counter[tuple[str, str, str]] = Counter()
    for text in texts:
        line = [START, START, *words(text), END]
        for i in range(2, len(line)):
            singles[line[i]] += 1
            pairs[line[i - 1], line[i]] += 1
            triples[line[i - 2], line[i - 1], line[i]] += 1
    after_one: Counter[str] = Counter()
    after_two: Counter[tuple[str, str]] = Counter()
    for (last, _), count in pairs.items():
        after_one[last] += count
    for (before, last, _), count in triples.items():
        after_two[before, last] += count
    return NGram(singles, pairs, triples, after_one, after_two, singles.total())


def suspicion(model: NGram, text: str) -> NDArray[np.float64]:
    """ONION's score of every word of a text: how much perplexity falls without it.

    Args:
        model: of clean texts.
        text: any; one without words gets no scores.

    Returns:
        (words,) log perplexity of the text less that of the text without the word. The logarithm
        makes scores of short and long, easy and hard texts comparable.
    """
    said = words(text)
    if not said:
        return np.zeros(0)
    whole = math.log(model.perplexity(said))
    return np.array(
        [whole - math.log(model.perplexity(said[:i] + said[i + 1 :])) for i in range(len(said))]
    )
