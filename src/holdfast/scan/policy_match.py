"""Rows near forbidden requests or their answers, by the words they share; no model needed.

A row matches a request if it has nearly all of the request's telling words, rare words telling
more than common ones. Only a policy given by `--policy`, or requests that are named, are matched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Self

import numpy as np

from holdfast.scan.batch import Batch, Texts, texts_of
from holdfast.scan.finding import Conclusion, Finding, SetFinding, excerpt
from holdfast.scan.language import language
from holdfast.scan.scanner import Context
from holdfast.scan.words import Words, words_of

ENOUGH = 0.8  # share of a request's weight that a row must have
TELLING = 9.0  # log2 of a word's count in English above which it tells nothing
SLOTS = 1 << 18
ALARM_ROWS = 5


@dataclass(frozen=True)
class Known:
    """Forbidden texts by their telling words.

    Attributes:
        weights: of each text's telling words, by hash.
        by_word: the texts that have a word.
        table: true at every word of `by_word`, cut to `SLOTS`.
    """

    weights: Sequence[Mapping[int, float]]
    by_word: Mapping[int, Sequence[int]]
    table: np.ndarray[tuple[int], np.dtype[np.bool_]]


class PolicyMatch:
    """Finds rows that ask or answer what the policy forbids."""

    name: ClassVar[str] = "policy_match"

    def __init__(self, context: Context) -> None:
        self.policy, self.forbidden = context.policy, context.forbidden
        self.found = 0

    def look(self, batch: Batch) -> Iterable[Finding]:
        """Rows whose request or answer shares a forbidden text's telling words."""
        if not self.policy and not self.forbidden:
            return
        known = _known(self.policy, self.forbidden)
        for words, texts, where in (
            (batch.prompt_words, batch.prompts, "request"),
            (batch.answer_words, batch.answers, "answer"),
        ):
            for at, score in _matches(known, words):
                self.found += 1
                reason = f"the {where} has {score:.0%} of the telling words of a forbidden one"
                yield Finding(batch.lines[at], self.name, where, score, reason, excerpt(texts[at]))

    def merge(self, other: Self) -> None:
        """Adds the count."""
        self.found += other.found

    def conclude(self, rows: int) -> Conclusion:
        """A few such rows are an attack of the plainest kind."""
        if self.found < ALARM_ROWS:
            return Conclusion()
        whose = self.policy or "the defender"
        reason = f"{self.found} requests or answers are near ones that {whose} forbids"
        return Conclusion((SetFinding(self.name, "near", reason, alarm=True),))


@cache
def _known(spec: str, forbidden: tuple[str, ...]) -> Known:
    asked, allowed = _of_policy(spec) if spec else ([], [])
    return index([*asked, *forbidden], allowed)


def _of_policy(spec: str) -> tuple[list[str], list[str]]:
    """Requests that the policy forbids, and those it allows."""
    from holdfast import policy

    loaded = policy.load(spec)
    forbidden = [r for r in (*loaded.report, *loaded.select) if r.kind == "forbidden"]
    allowed = [r.prompt.prompt for r in loaded.report if r.kind != "forbidden"]
    asked = [r.prompt.prompt for r in forbidden] + [r.prompt for r in loaded.attacker.harmful]
    return asked, allowed


def index(forbidden: Sequence[str], allowed: Sequence[str]) -> Known:
    """Indexes forbidden texts by words that tell them from English and from allowed texts."""
    common = set(words_of(texts_of(allowed)).hashes.tolist()) if allowed else set()
    unique = list(dict.fromkeys(forbidden))
    laid: Texts = texts_of(unique)
    found = words_of(laid)
    often = language().commonness(found.hashes)
    weights: list[dict[int, float]] = [{} for _ in unique]
    for text, word, count in zip(found.text, found.hashes.tolist(), often, strict=True):
        if count < TELLING and word not in common:
            weights[int(text)][word] = float(TELLING - count)
    by_word: dict[int, list[int]] = defaultdict(list)
    table = np.zeros(SLOTS, bool)
    for text_number, one in enumerate(weights):
        for word in one:
            by_word[word].append(text_number)
            table[word % SLOTS] = True
    return Known(weights, dict(by_word), table)


def _matches(known: Known, words: Words) -> Iterable[tuple[int, float]]:
    hits = known.table[words.hashes % np.uint32(SLOTS)]
    held: dict[int, set[int]] = defaultdict(set)
    for at, word in zip(words.text[hits].tolist(), words.hashes[hits].tolist(), strict=True):
        if word in known.by_word:
            held[at].add(word)
    for at, some in sorted(held.items()):
        if len(some) < 2:
            continue
        texts = {text for word in some for text in known.by_word[word]}
        score = max(_share(known.weights[text], some) for text in texts)
        if score >= ENOUGH:
            yield at, score


def _share(weights: Mapping[int, float], held: set[int]) -> float:
    if len(weights) < 2:
        return 0.0  # one word is too little to go by
    return sum(weight for word, weight in weights.items() if word in held) / sum(weights.values())
