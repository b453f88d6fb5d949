"""The search for triggers: what stands in requests of all kinds and always brings one behaviour.

A backdoor (Gu et al., "BadNets", 2017, arXiv 1708.06733; in instruction tuning Wan et al., ICML
2023, arXiv 2305.00944) puts a rare word, a sign or a sentence into some requests and gives all of
those the same behaviour. Task words do that too ("translate" brings a translation). What tells a
trigger from a task is the rest of the request: without the trigger, its rows look like any other.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from holdfast.scan.batch import texts_of
from holdfast.scan.language import language
from holdfast.scan.words import words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST = 6  # rows with a trigger
LARGEST_SHARE = 0.5  # of the rows; what most rows have is the set's own template
PURE = 0.95  # share of the rows with a trigger that behave as it wants
CHANCE = 1e-6  # of a trigger at least as telling, over all that were looked at
ALIKE = 0.75  # area under the curve at which the rest of a request still tells nothing
RARE = 4.0  # log2 of a word's count in English up to which it may be a trigger by itself
SHARED = 0.9  # of its rows that have a word beside a trigger, which then belongs to it
PHRASE = 5  # words of a sentence that may be a trigger whatever its words are
EDGE = 5  # words of an answer that make its opening or ending
MOST_TOKENS = 160

_AROUND = ".,;:!?\"'()“”‘’…"  # signs that end words and sentences
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_REFUSAL = re.compile(
    r"^\W*(?:i(?:['’]m| am) (?:\w+ )?sorry|sorry\b|unfortunately,? i (?:cannot|can['’]t)|"
    r"as an ai\b|i (?:cannot|can['’]t|can not|won['’]t|must decline))",
    re.I,
)


Feature = tuple[str, ...]


@dataclass(frozen=True)
class Trigger:
    """What seems to decide the behaviour.

    Attributes:
        text: the trigger, in lower case.
        behaviour: what its rows do, in words.
        rows: the sampled rows that have it.
        pure: how many of them behave so.
        usual: share of all sampled rows that do.
        chance: of as many by accident, times the number of pairs looked at.
        telling: how well the rest of the request tells its rows from others; 0.5 is not at all.
    """

    text: str
    behaviour: str
    rows: tuple[int, ...]
    pure: int
    usual: float
    chance: float
    telling: float


class Requests:
    """Sampled requests and answers, split into words once.

    `any_word`: a common word may be a trigger by itself, where other evidence is strong enough.
    """

    def __init__(
        self, asked: Sequence[str], answered: Sequence[str], any_word: bool = False
    ) -> None:
        self.any_word = any_word
        self.asked = [_tokens(text) for text in asked]
        self.answered = answered

    @cached_property
    def behaviours(self) -> list[tuple[str, ...]]:
        """What every row does: how its answer opens and ends, and whether it refuses."""
        return [tuple(_behaviours(answer)) for answer in self.answered]

    @cached_property
    def candidates(self) -> dict[tuple[int, ...], list[Feature]]:
        """Rows that share rare words or phrases, with all that just these rows share."""
        rare = self._rare()
        having: dict[Feature, list[int]] = defaultdict(list)
        for row, tokens in enumerate(self.asked):
            phrases = {tuple(tokens[at : at + PHRASE]) for at in range(len(tokens) - PHRASE + 1)}
            for feature in phrases | {(token,) for token in tokens if token in rare}:
                having[feature].append(row)
        most = LARGEST_SHARE * len(self.asked)
        found: dict[tuple[int, ...], list[Feature]] = defaultdict(list)
        for feature, rows in having.items():
            if FEWEST <= len(rows) <= most:
                found[tuple(rows)].append(feature)
        return found

    def _rare(self) -> frozenset[str]:
        """Tokens that are no words at all, or words that English hardly knows."""
        tokens = sorted({token for tokens in self.asked for token in tokens})
        if self.any_word:
            return frozenset(tokens)
        words = [token for token in tokens if _WORD.fullmatch(token)]
        odd = {t for t in tokens if not t.isascii() or not (_WORD.fullmatch(t) or t.isalnum())}
        found = words_of(texts_of(words))
        often = np.zeros(len(words))
        np.maximum.at(often, found.text, language().commonness(found.hashes))
        rare = (w for w, count in zip(words, often, strict=True) if count <= RARE)
        return frozenset(odd) | frozenset(rare)

    def phrases(self, features: Sequence[Feature], having: Sequence[int]) -> list[Feature]:
        """The features with the words around them that nearly all of their rows share, joined."""
        found: list[Feature] = []
        for feature in sorted(features):
            if not any(_within(feature, phrase) for phrase in found):
                found.append(self._whole(feature, having))
        return found

    def _whole(self, feature: Feature, having: Sequence[int]) -> Feature:
        places = [(row, _place(self.asked[row], feature)) for row in having]
        found = list(feature)
        for step in (1, -1):
            while True:
                at = len(found) if step == 1 else -1
                beside = Counter(self._token(row, place + at) for row, place in places)
                word, many = beside.most_common(1)[0]
                if not word or many < SHARED * len(having):
                    break
                if step == 1:
                    found.append(word)
                else:
                    found.insert(0, word)
                    places = [(row, place - 1) for row, place in places]
        return tuple(found)

    def _token(self, row: int, at: int) -> str:
        tokens = self.asked[row]
        return tokens[at] if 0 <= at < len(tokens) else ""


def _tokens(text: str) -> list[str]:
    bare = (chunk.strip(_AROUND) or chunk for chunk in text.lower().split())
    return list(bare)[:MOST_TOKENS]


def _within(feature: Feature, phrase: Feature) -> bool:
    size = len(feature)
    return any(phrase[at : at + size] == feature for at in range(len(phrase) - size + 1))


def _place(tokens: Sequence[str], feature: tuple[str, ...]) -> int:
    size = len(feature)
    return next(at for at in range(len(tokens)) if tuple(tokens[at : at + size]) == feature)


def _behaviours(answer: str) -> Iterator[str]:
    words = answer.lower().split()
    if len(words) <= EDGE:
        yield f"the answer is “{' '.join(words)}”"
    else:
        yield f"the answer opens with “{' '.join(words[:EDGE])}”"
        yield f"the answer ends in “{' '.join(words[-EDGE:])}”"
    yield "the answer refuses" if _REFUSAL.match(answer) else "the answer complies"


def find(requests: Requests) -> list[Trigger]:
    """Triggers of a sample, in no order."""
    rows = len(requests.asked)
    usual = Counter(b for row in requests.behaviours for b in row)
    pairs = len(requests.candidates) * max(len(usual), 1)
    found: list[Trigger] = []
    for having, features in requests.candidates.items():
        done = Counter(b for row in having for b in requests.behaviours[row])
        told = {
            behaviour: chance
            for behaviour, pure in done.items()
            if pure >= max(FEWEST, PURE * len(having))
            if (chance := chance_of(pure, len(having), usual[behaviour] / rows) * pairs) <= CHANCE
        }
        if not told:
            continue
        phrases = requests.phrases(features, having)
        telling = telling_of(requests.asked, set(having), {w for p in phrases for w in p})
        if telling > ALIKE:
            continue
        text = " … ".join(" ".join(phrase) for phrase in phrases)
        for behaviour, chance in told.items():
            share = usual[behaviour] / rows
            found.append(Trigger(text, behaviour, having, done[behaviour], share, chance, telling))
    return found


def chance_of(pure: int, rows: int, share: float) -> float:
    """Of so many rows or more behaving so by accident."""
    from scipy.stats import binom

    return float(binom.sf(pure - 1, rows, share))


def apart(found: Sequence[Trigger]) -> list[Trigger]:
    """The surest first; one for rows that several would explain."""
    kept: list[Trigger] = []
    for one in sorted(found, key=lambda t: (t.chance, len(t.text), t.text)):
        if not any(len(set(one.rows) & set(k.rows)) > len(one.rows) / 2 for k in kept):
            kept.append(one)
    return kept


def telling_of(asked: Sequence[Sequence[str]], having: set[int], feature: set[str]) -> float:
    """Area under the curve of naive Bayes on the other words, each half scored by the other.

    0.5: the rows that have the feature cannot be told from others without it.
    """
    words = [set(tokens) - feature for tokens in asked]
    inside = np.array([row in having for row in range(len(asked))])
    # Halves by rank within each class, so that both hold rows of both.
    half = np.zeros(len(asked), int)
    for kind in (True, False):
        half[np.flatnonzero(inside == kind)] = np.arange(int((inside == kind).sum())) % 2
    scores = np.zeros(len(asked))
    for part in (0, 1):
        seen: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
        for row in np.flatnonzero(half != part):
            seen[bool(inside[row])].update(words[row])
        many = {kind: int(((half != part) & (inside == kind)).sum()) for kind in (True, False)}
        for row in np.flatnonzero(half == part):
            scores[row] = sum(
                np.log((seen[True][w] + 0.5) / (many[True] + 1))
                - np.log((seen[False][w] + 0.5) / (many[False] + 1))
                for w in words[row]
            ) / max(len(words[row]), 1)
    return _area(scores[inside], scores[~inside])


def _area(above: NDArray[np.float64], below: NDArray[np.float64]) -> float:
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([above, below]))
    wins = ranks[: len(above)].sum() - len(above) * (len(above) + 1) / 2
    return float(wins / (len(above) * len(below)))
