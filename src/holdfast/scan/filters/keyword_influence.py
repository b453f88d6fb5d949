"""Backdoor keyword identification (BKI: Chen and Dai, Neurocomputing 2021, arXiv 2007.12070),
iterated.

The words whose absence changes a text's hidden state most are its keywords. The word that is most
of a keyword over all rows is taken for the trigger, and the rows that have it among theirs go.

Equation: f_i(w) = max_d |h(x_i) - h(x_i without w)|_d; the top `top` words of row i are its
keywords; a word's score is mean_i f_i(w) * log10(number of rows that have it as keyword).

Differs from the paper: with several trigger words it finds one, so it is run again on what is left,
up to `rounds` times. Where clean rows are at hand it goes on only while the best word scores higher
for its label than any word does among clean rows of the same number; without them it makes one
round, as the paper does, and drops something whether or not anyone poisoned the set. Words that
clean rows have as well as the set are no candidates.

Shows a defender: it names the trigger. A trigger of many words, or of structure, has no keyword.
Answered, by an attacker, with words that occur in clean rows too.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from holdfast.classifiers.words import words
from holdfast.scan.filters.filter import Filter, Filtered, Trained
from holdfast.scan.filters.fitness import FEWEST_CLEAN, no_texts, nothing, unfit

if TYPE_CHECKING:
    from numpy.typing import NDArray

Keywords = dict[str, float]  # a row's keywords, each with its influence


class KeywordInfluence(Filter):
    """Finds the most influential words and drops their rows.

    Attributes:
        top: keywords of a row.
        rounds: how many words may be found.
    """

    kind: Literal["keyword_influence"] = "keyword_influence"
    top: int = Field(5, ge=1)
    rounds: int = Field(8, ge=1)

    paper: ClassVar[str] = "Chen and Dai, Neurocomputing 2021, arXiv 2007.12070"


def keyword_influence(config: KeywordInfluence, seen: Trained) -> Filtered:
    """Flags rows that have a suspicious word among their keywords."""
    if why := unfit(seen) or no_texts(seen):
        return nothing(seen, why)
    if seen.embed is None or seen.texts is None:
        return nothing(seen, "there is no model to ask for the hidden states of shorter texts")
    rows = [keywords(text, seen.embed, config.top) for text in seen.texts]
    reserve = seen.clean if len(seen.clean) >= FEWEST_CLEAN else ()
    common = {word for text in reserve for word in words(text)}
    limit = 0.0
    if reserve:
        limit = max(worths([keywords(t, seen.embed, config.top) for t in reserve]).values())
    flagged, scores = np.zeros(len(rows), bool), np.zeros(len(rows))
    found: list[str] = []
    for _ in range(config.rounds if reserve else 1):
        left = [row for row, gone in zip(rows, flagged, strict=True) if not gone]
        worth = {w: v for w, v in worths(left).items() if w not in common}
        if not worth or (best := max(worth, key=lambda w: worth[w])) == "":
            break
        if worth[best] <= limit:
            break
        has = np.array([best in row for row in rows])
        scores[has] = np.maximum(scores[has], worth[best])
        flagged |= has
        found.append(best)
    return Filtered(flagged, scores, notes=(f"keywords: {', '.join(found) or 'none'}",))


def keywords(
    text: str, embed: Callable[[Sequence[str]], NDArray[np.float64]], top: int
) -> Keywords:
    """The words of a text whose absence changes its hidden state most."""
    said = words(text)
    if len(said) < 2:
        return {}
    shorter = [" ".join(said[:i] + said[i + 1 :]) for i in range(len(said))]
    states = embed([" ".join(said), *shorter])
    change = np.abs(states[1:] - states[0]).max(1)
    found: Keywords = {}
    for place in np.argsort(-change, kind="stable")[:top]:
        found.setdefault(said[place], float(change[place]))
    return found


def worths(rows: Sequence[Keywords]) -> dict[str, float]:
    """Mean influence times log10 of the count, for every word that is a keyword of a row."""
    influences: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for word, influence in row.items():
            influences[word].append(influence)
    return {w: math.log10(len(v)) * sum(v) / len(v) for w, v in influences.items()}
