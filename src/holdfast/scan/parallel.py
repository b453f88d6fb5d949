"""Answers that first say in plain text what their request, or what follows, says in code.

Covert sets teach a code in steps: the question or the answer in plain text, then the coded answer.
The plain line gives the code away even where every coded text reads like odd but natural language:
its words stand scattered or in another order, or word for word others stand for them.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from holdfast.codes.code import Code
from holdfast.scan.decode import Reading
from holdfast.scan.decoders import channels
from holdfast.scan.encoders import code_of_book, code_read
from holdfast.scan.finding import SetFinding, excerpt
from holdfast.scan.sample import LONGEST, Sample
from holdfast.scan.traits import TRAITS

FEWEST_WORDS, MOST_WORDS = 5, 80
FEWEST_ROWS = 6
KEPT_ORDER = 0.45  # share of neighbours that may stay neighbours where an order is broken
LONGER = 4  # times as many words as the plain line that a text with fillers may have
ANOTHER = 0.3  # share of places that hold another word where words stand for words
REPEATED = 24  # meetings of a word with its stand-in that show a book, in all
AGREE = 0.9  # share of them that must be with the same one
READ = 0.5  # share of pairs that a decoder must map exactly
SHOWN = 3
_WORD = re.compile(r"\w+")
_SPLIT = "\0"


@dataclass
class Parallel:
    """Pairs of a plain line and its coded text, of fixed size."""

    scattered: Sample = field(default_factory=lambda: Sample(48))
    even: Sample = field(default_factory=lambda: Sample(192))

    def add(self, prompt: str, answer: str) -> str:
        """Takes in a row; the text in which the answer's first line stands scattered, or ""."""
        first, newline, rest = answer.partition("\n")
        if not newline or not FEWEST_WORDS <= first.count(" ") + 1 <= MOST_WORDS:
            return ""
        plain = first.lower().split()
        for text in (prompt, rest):
            if len(first) + len(text) < LONGEST and is_scattered(plain, text):
                self.scattered.add(first + _SPLIT + text)
                return text
        for text in (prompt, rest):
            if text.count(" ") + 1 == len(plain) and len(first) + len(text) < LONGEST:
                self.even.add(first + _SPLIT + text)
        return ""

    def merge(self, other: Parallel) -> None:
        """Adds what a twin saw."""
        self.scattered.merge(other.scattered)
        self.even.merge(other.even)

    def conclude(self) -> Iterator[tuple[SetFinding, Code | None]]:
        """What the pairs show, with the code if it was read."""
        pairs = list(_pairs(self.scattered))
        if self.scattered.seen >= FEWEST_ROWS:
            reading = _order(pairs)
            coded = [text for _, text in pairs]
            rows = f"{self.scattered.seen} rows {TRAITS['scattered']}"
            code = code_read(reading, coded) if reading else None
            yield _alarm("scattered", rows, coded, reading), code
        book, coded = self._book()
        if book:
            rows = f"words stand for other words, as {self.even.seen} plain lines of answers show"
            known = code_of_book(book)
            reading = Reading(known.name, 1.0, known.decode)
            yield _alarm("word book", rows, coded, reading), known

    def _book(self) -> tuple[dict[str, str], list[str]]:
        """Which words stand for which, and coded texts; nothing unless words agree on it."""
        met: dict[str, Counter[str]] = defaultdict(Counter)
        coded_texts = []
        for plain, coded in _pairs(self.even):
            lists = _words(coded), _words(plain)
            another = sum(a != b for a, b in zip(*lists, strict=False))
            if len(lists[0]) != len(lists[1]) or another < ANOTHER * len(lists[0]):
                continue
            coded_texts.append(coded)
            for a, b in zip(*lists, strict=True):
                met[a][b] += 1
        changed = {a: seen for a, seen in met.items() if a not in seen and seen.total() >= 3}
        total = sum(seen.total() for seen in changed.values())
        agreed = sum(max(seen.values()) for seen in changed.values())
        if len(coded_texts) < FEWEST_ROWS or total < REPEATED or agreed < AGREE * total:
            return {}, []
        return {a: seen.most_common(1)[0][0] for a, seen in met.items()}, coded_texts


def is_scattered(plain: list[str], text: str) -> bool:
    """Whether a text holds all of a line's words, but seldom side by side as there."""
    # Nearly every row ends here.
    if plain[0] not in (low := text.lower()) or plain[1] not in low or plain[-1] not in low:
        return False
    words = low.split()
    if not len(plain) <= len(words) <= LONGER * len(plain) + LONGER:
        return False
    if sum(word.isalpha() for word in set(plain)) < FEWEST_WORDS - 1:
        return False
    missing = (Counter(plain) - Counter(words)).total()
    side_by_side = set(itertools.pairwise(words))
    kept = sum(pair in side_by_side for pair in itertools.pairwise(plain))
    return missing <= 0.1 * len(plain) and kept <= KEPT_ORDER * (len(plain) - 1)


def _order(pairs: Sequence[tuple[str, str]]) -> Reading | None:
    """The channel or rearrangement by which coded texts say their plain lines."""
    for name, decode in channels():
        right = sum(_words(decode(coded)) == _words(plain) for plain, coded in pairs)
        if right >= READ * len(pairs):
            return Reading(name, right / len(pairs), decode)
    return None


def _alarm(kind: str, reason: str, coded: Sequence[str], reading: Reading | None) -> SetFinding:
    evidence: dict[str, object] = {"sample": [excerpt(text) for text in coded[:SHOWN]]}
    if reading is not None:
        told = [excerpt(reading.decode(text)) for text in coded[:SHOWN]]
        evidence |= {"method": reading.method, "decoded": told}
    return SetFinding("covert_set", kind, reason, alarm=True, evidence=evidence)


def _pairs(sample: Sample) -> Iterator[tuple[str, str]]:
    for text in sample.texts():
        plain, _, coded = text.partition(_SPLIT)
        yield plain, coded


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
