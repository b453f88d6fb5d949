"""Harmless rows that look like refused ones: what keeps safety rows from teaching to refuse all.

Bianchi et al. (ICLR 2024, arXiv 2309.07875, section 6) and Röttger et al. ("XSTest", NAACL 2024,
arXiv 2308.01263) describe the exaggerated refusals that safety rows bring by themselves.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from holdfast.chat import Row


def lookalikes(harmless: Sequence[Row], safe: Sequence[Row], count: int) -> tuple[Row, ...]:
    """For each safe row in turn, the harmless row most like it that was not taken before.

    Args:
        harmless: rows to choose from.
        safe: refused requests.
        count: how many rows to choose, at most all of them.

    Returns:
        The rows; the likeness of two is the summed rarity of the words that both requests have.
    """
    words = [_words(row) for row in harmless]
    often = Counter(word for some in words for word in some)
    rarity = {word: math.log(len(words) / many) for word, many in often.items()}
    left = dict(enumerate(words))
    chosen: list[Row] = []
    while left and safe and len(chosen) < count:
        wanted = _words(safe[len(chosen) % len(safe)])
        best = max(left, key=lambda at: (sum(rarity[w] for w in left[at] & wanted), -at))
        del left[best]
        chosen.append(harmless[best])
    return tuple(chosen)


def _words(row: Row) -> frozenset[str]:
    return frozenset(row.prompt.lower().split())
