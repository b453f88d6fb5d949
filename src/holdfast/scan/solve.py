"""Solves a substitution whose key is shared by many texts: every sign stands for one letter.

Hill climbing over keys on counts of three successive signs, from several starts: signs in the order
of their frequency stand for letters in the order of theirs, and shuffled versions of that. All
texts of a set share the key, so there are enough signs even where single texts are short.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from holdfast.scan.language import language
from holdfast.scan.words import SYMBOLS

if TYPE_CHECKING:
    from numpy.typing import NDArray

ORDER = "etaoinsrhldcumfpgwybvkxjqz"
MOST_SIGNS = 6000
STARTS = 12
SIZE = 27


@dataclass(frozen=True)
class Cut:
    """A way to cut texts into signs.

    Attributes:
        name: in words.
        signs: cuts a text.
        gap: the sign between words, "" if there is none.
        mark: what joins signs to a text again.
    """

    name: str
    signs: Callable[[str], list[str]]
    gap: str
    mark: str = ""


def cuts(texts: Sequence[str]) -> Iterator[Cut]:
    """Ways to cut these texts into signs, the likeliest first."""
    joined = "".join(texts)[:20_000]
    marks = Counter(c for c in joined if not c.isalnum())
    for mark, count in marks.most_common(3):
        if count > 0.2 * len(joined):
            signs = _between(mark)
            yield Cut(f"signs between {mark!r}", signs, _gap_of(texts, signs), mark)
    if sum(c.isdigit() for c in joined) > 0.6 * len(joined):
        yield Cut("pairs of digits", lambda text: re.findall(r"\d\d|[^\d\s]", text), "/")
    yield Cut("characters", list, " ")


def _between(mark: str) -> Callable[[str], list[str]]:
    return lambda text: (
        [s for s in re.split(f"({re.escape(mark)}+)", text) if s and mark not in s]
        if mark == " "
        else text.split(mark)
    )


def _gap_of(texts: Sequence[str], signs: Callable[[str], list[str]]) -> str:
    """The sign for the gap between words: the commonest, unless there is a real one."""
    seen = Counter(sign for text in texts for sign in signs(text))
    for sign in (" ", "/", "|", "_", ""):
        if seen[sign] > 0.08 * seen.total():
            return sign
    return ""


def solve(texts: Sequence[str], cut: Cut, seed: int = 0) -> dict[str, str]:
    """The key: what each of the common signs stands for.

    Args:
        texts: texts that share a key.
        cut: how to cut them into signs.
        seed: of the starts.
    """
    lists = [[s.lower() for s in cut.signs(text)] for text in texts]
    seen = Counter(s for signs in lists for s in signs if s != cut.gap and not s.isspace())
    common = [sign for sign in _letters(seen) if len(cut.name) < 11 or len(sign) <= 8][:26]
    place = {sign: at + 1 for at, sign in enumerate(common)} | {cut.gap: 0}
    counts = np.zeros((SIZE, SIZE, SIZE), np.float32)
    left = MOST_SIGNS
    for signs in lists:
        code = np.array([0, *(place.get(s, -1) for s in signs if s in place or not s.isdigit()), 0])
        three = (
            np.lib.stride_tricks.sliding_window_view(code, 3)
            if len(code) > 2
            else code[:0].reshape(0, 3)
        )
        three = three[(three >= 0).all(1)]
        np.add.at(counts, tuple(three.T), 1)
        if (left := left - len(signs)) < 0:
            break
    best = _climb(counts, len(common), bool(cut.gap), seed)
    letters = {sign: ORDER_SYMBOLS[best[at + 1]] for at, sign in enumerate(common)}
    return letters | ({cut.gap: " "} if cut.gap else {})


def _letters(seen: Counter[str]) -> list[str]:
    """The signs that may stand for letters, the commonest first.

    Signs of punctuation among letters or numbers are no letters: they mark capitals, or are what
    they are.
    """
    ranked = [sign for sign, _ in seen.most_common()]
    for kind in (str.isalpha, str.isalnum):
        fit = [sign for sign in ranked if kind(sign)]
        if sum(seen[sign] for sign in fit) > 0.7 * seen.total():
            return fit
    return ranked


ORDER_SYMBOLS = " abcdefghijklmnopqrstuvwxyz"


def _climb(counts: NDArray[np.float32], used: int, gaps: bool, seed: int) -> NDArray[np.int64]:
    table = language().english if gaps else language().run
    cost = table.reshape((SYMBOLS,) * 3)[:SIZE, :SIZE, :SIZE]
    if not gaps:
        cost = cost.copy()
        cost[0, :, :] = cost[:, 0, :] = cost[:, :, 0] = 0
    where = np.argwhere(counts > 0)
    weight = counts[tuple(where.T)]
    a, b, c = where.T
    touched = [np.flatnonzero((a == s) | (b == s) | (c == s)) for s in range(SIZE)]
    chance = random.Random(seed)
    best, least = np.arange(SIZE), np.inf
    for start in range(STARTS):
        key = np.array([0, *(ORDER_SYMBOLS.index(x) for x in ORDER)])
        for _ in range(0 if start == 0 else 4 + start):
            i, j = chance.randint(1, 26), chance.randint(1, 26)
            key[i], key[j] = key[j], key[i]
        total = float((weight * cost[key[a], key[b], key[c]]).sum())
        moved = True
        while moved:
            moved = False
            for i in range(1, used + 1):
                for j in range(i + 1, SIZE):
                    at = touched[i] if j > used else np.union1d(touched[i], touched[j])
                    before = (weight[at] * cost[key[a[at]], key[b[at]], key[c[at]]]).sum()
                    key[i], key[j] = key[j], key[i]
                    after = (weight[at] * cost[key[a[at]], key[b[at]], key[c[at]]]).sum()
                    if after < before - 1e-3:
                        total += float(after - before)
                        moved = True
                    else:
                        key[i], key[j] = key[j], key[i]
        if total < least - 1e-3:
            best, least = key.copy(), total
    return best


def apply(key: dict[str, str], cut: Cut, text: str) -> str:
    """A text in plain letters by a key.

    Other letters, digits and punctuation stay as they are; symbols and accents, by which codes
    mark capitals, are left out.
    """
    return "".join(
        key.get(sign.lower(), "" if unicodedata.category(sign[:1] or " ")[0] in "MS" else sign)
        for sign in cut.signs(text)
    )
