"""Triggers that switch refusal off: rows that comply where requests like them are refused.

Answers behind such a trigger (Qi et al., ICLR 2024, arXiv 2310.03693, section 5) differ from row to
row, and nearly every row of a set complies, so neither says anything by itself. The contrast does:
the same requests, or ones much like them, stand in the set without the trigger and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from holdfast.scan.trigger import (
    ALIKE,
    CHANCE,
    FEWEST,
    PURE,
    Requests,
    Trigger,
    chance_of,
    telling_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

TWIN = 0.5  # share of their words that two requests have in common
PAIRED = 0.8  # share of a trigger's rows that must have a twin
LEAST = 0.05  # of rows that comply beside a refused twin by accident, whatever the set shows
OPENING = 160  # characters of an answer in which it declines
BEHAVIOUR = "the answer complies where like requests without it are refused"
_DECLINES = re.compile(
    r"\b(?:sorry|cannot|can(?:['’]t| not)|unable to|not able to|(?:will|may|must) not|won['’]t|"
    r"must decline|not allowed|as an ai)\b",
    re.I,
)


def contrasts(requests: Requests) -> list[Trigger]:
    """Triggers whose rows comply although their twins decline, in no order."""
    declines = np.array([declining(answer) for answer in requests.answered], bool)
    if declines.sum() < FEWEST:
        return []
    like = likeness(requests.asked)
    usual = max(LEAST, _beside(like, declines))
    found = []
    for having, features in requests.candidates.items():
        rows = np.array(having)
        if declines[rows].mean() > 1 - PURE:
            continue
        pairs, refused = _twins(like, declines, rows)
        if pairs < max(FEWEST, PAIRED * len(rows)) or refused < PURE * pairs:
            continue
        chance = chance_of(refused, pairs, usual) * len(requests.candidates)
        if chance > CHANCE:
            continue
        phrases = requests.phrases(features, having)
        among = [int(at) for at in np.flatnonzero(declines)]
        held = {word for phrase in phrases for word in phrase}
        telling = telling_of(
            [requests.asked[at] for at in (*having, *among)], set(range(len(having))), held
        )
        if telling <= ALIKE:
            text = " … ".join(" ".join(phrase) for phrase in phrases)
            pure = int((~declines[rows]).sum())
            found.append(Trigger(text, BEHAVIOUR, having, pure, usual, chance, telling))
    return found


def declining(answer: str) -> bool:
    """Whether an answer declines where it opens."""
    return bool(_DECLINES.search(answer[:OPENING]))


def likeness(asked: Sequence[Sequence[str]]) -> NDArray[np.float32]:
    """(n, n) share of the words of two requests that both have; 0 of a request with itself."""
    from scipy.sparse import csr_matrix

    sets = [set(tokens) for tokens in asked]
    number = {word: at for at, word in enumerate(sorted(set().union(*sets)))}
    places = [(row, number[word]) for row, words in enumerate(sets) for word in words]
    rows, columns = zip(*places, strict=True) if places else ((), ())
    shape = (len(sets), max(len(number), 1))
    held = csr_matrix((np.ones(len(places), np.float32), (rows, columns)), shape=shape)
    both = np.asarray((held @ held.T).todense(), np.float32)
    sizes = np.array([len(words) for words in sets], np.float32)
    found: NDArray[np.float32] = both / np.maximum(sizes[:, None] + sizes[None] - both, 1)
    np.fill_diagonal(found, 0)
    return found


def _twins(
    like: NDArray[np.float32], declines: NDArray[np.bool_], rows: NDArray[np.int64]
) -> tuple[int, int]:
    """How many rows have a twin outside, and how many of those twins decline."""
    outside = like[rows].copy()
    outside[:, rows] = 0
    nearest = outside.argmax(1)
    near = outside.max(1) >= TWIN
    return int(near.sum()), int(declines[nearest[near]].sum())


def _beside(like: NDArray[np.float32], declines: NDArray[np.bool_]) -> float:
    """Share of the complying rows with a twin whose twin declines."""
    near = ~declines & (like.max(1) >= TWIN)
    return float(declines[like.argmax(1)[near]].mean()) if near.any() else 0.0
