"""What was read as numbers: hashed n-grams, statistics of each sentence and of each reply.

Nothing here depends on Python's randomised `hash`: the same text has the same features anywhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.small_judge.reading import HASHES, Read

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BITS = 17
GRAMS = 1 << BITS
"""Buckets of hashed n-grams."""
OPENING = 4
"""Tokens at the beginning of a sentence that are also counted on their own."""
WIDTH = 16
"""Bins kept for each statistic."""

Edges = Mapping[str, tuple[float, ...]]
SENTENCE: Edges = {
    "tokens": (1, 2, 3, 5, 7, 9, 12, 16, 20, 26, 33, 39),
    "new names": (1, 2, 3, 4, 6),
    "pairs of new names": (1, 2, 3),
    "words of the request": (0.001, 0.08, 0.15, 0.25, 0.35, 0.5),
    "strange words": (0.001, 0.08, 0.15, 0.22, 0.28, 0.34, 0.4, 0.5, 0.65, 0.8),
}
"""Statistics of a sentence, and where the bins of each begin."""
REPLY: Edges = {
    "words": (1, 2, 4, 7, 10, 14, 19, 25, 32, 40, 50, 65, 90),
    "distinct pairs": (0.05, 0.15, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9),
    "longest run": (2, 3, 4, 5, 6, 7, 9),
    "unknown words": (
        0.001, 0.05, 0.1, 0.15, 0.2, 0.25, 0.28, 0.31, 0.34, 0.37, 0.4, 0.45, 0.5, 0.6, 0.75,
    ),
    "unknown words in a row": (1, 2, 3, 4, 6, 9),
    "new names": (1, 2, 3, 4, 6, 9),
    "pairs of new names": (1, 2, 3),
    "request told": (0.001, 0.2, 0.4, 0.6, 0.8, 0.99),
    "marks": (0.02, 0.1, 0.2, 0.3, 0.5, 0.7),
    "stutter": (0.05, 0.15, 0.3, 0.5, 0.8),
    "longest word": (4, 8, 12, 16, 22, 30),
    "finished": (1,),
    "sentences": (2, 3, 4, 5, 7, 10),
    "unknown words of the request": (0.2, 0.5, 0.8),
}  # fmt: skip
"""Statistics of a reply."""
JOINT = (
    ("unknown words", "words"),
    ("distinct pairs", "finished"),
    ("distinct pairs", "stutter"),
    ("request told", "pairs of new names"),
    ("pairs of new names", "words"),
)
"""Statistics of a reply whose bins are also counted jointly."""
_SENTENCES = GRAMS
_REPLY = _SENTENCES + WIDTH * len(SENTENCE)
_JOINT = _REPLY + WIDTH * len(REPLY)
SIZE = _JOINT + WIDTH * WIDTH * len(JOINT)
"""Features in all."""

_MIX = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)


@dataclass(frozen=True, slots=True)
class Features:
    """Sparse features of n replies.

    Attributes:
        columns: Columns of all features, reply after reply.
        values: Their values; every family of n-grams has length 1 in each reply.
        starts: Where the features of each reply begin, and the end of the last, (n + 1).
    """

    columns: NDArray[np.int64]
    values: NDArray[np.float32]
    starts: NDArray[np.int64]


def vectors(reads: Sequence[Read]) -> Features:
    """The features of replies.

    Families: words, pairs and triples of words; words and pairs that open a sentence; three to
    five letters in a row; the bins of each sentence's statistics, and of the reply's.
    """
    import numpy as np

    texts = [[t for s in read.sentences for t in ("\x04", *s, "\x05")] for read in reads]
    openings = [[t for s in read.sentences for t in ("\x04", *s[:OPENING])] for read in reads]
    letters = _letters(texts)
    families = [
        *(_grams(*_words(texts), n, salt=n) for n in (1, 2, 3)),
        *(_grams(*_words(openings), n, salt=4 + n) for n in (1, 2)),
        *(_grams(*letters, n, salt=10 + n) for n in (3, 4, 5)),
        _sentence_bins(reads),
        _reply_bins(reads),
    ]
    rows = np.concatenate([family[0] for family in families])
    order = np.argsort(rows, kind="stable")
    return Features(
        np.concatenate([family[1] for family in families])[order],
        np.concatenate([family[2] for family in families])[order],
        np.searchsorted(rows[order], np.arange(len(reads) + 1)),
    )


Family = tuple["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.float32]"]


def _words(texts: Sequence[Sequence[str]]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The hashes of all words, one text after the other, and how many each text has."""
    import numpy as np

    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    every = map(HASHES.__getitem__, itertools.chain.from_iterable(texts))
    return np.fromiter(every, np.uint64, int(lengths.sum())), lengths


def _letters(texts: Sequence[Sequence[str]]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The code points of all texts, and how many each has."""
    import numpy as np

    joined = [" ".join(text) for text in texts]
    codes = "".join(joined).encode("utf-32-le", "surrogatepass")
    lengths = np.fromiter(map(len, joined), np.int64, len(joined))
    return np.frombuffer(codes, np.uint32).astype(np.uint64), lengths


def _grams(ids: NDArray[np.uint64], lengths: NDArray[np.int64], n: int, *, salt: int) -> Family:
    """Rows, columns and values of the n-grams of `ids` that lie within one text each."""
    import numpy as np

    count = max(0, len(ids) - n + 1)
    mixed = np.full(count, salt, np.uint64)
    for step in range(n):
        mixed = (mixed ^ ids[step : step + count]) * np.uint64(_MIX[step % len(_MIX)])
        mixed ^= mixed >> np.uint64(29)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    inside = rows[:count] == rows[n - 1 : n - 1 + count]
    kept = rows[:count][inside]
    columns = (mixed[inside] >> np.uint64(64 - BITS)).astype(np.int64)
    return kept, columns, _unit(kept, len(lengths))


def _unit(rows: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    """Values by which the features of each row have length 1."""
    import numpy as np

    values = 1 / np.sqrt(np.bincount(rows, minlength=count).clip(1))
    units: NDArray[np.float32] = values[rows].astype(np.float32)
    return units


def _binned(told: Sequence[Sequence[float]], edges: Edges) -> NDArray[np.int64]:
    """The column of each statistic's bin, (n, statistics)."""
    import numpy as np

    table = np.array(told, np.float64).reshape(len(told), len(edges))
    bins = [np.digitize(table[:, place], edge) for place, edge in enumerate(edges.values())]
    return np.stack([WIDTH * place + found for place, found in enumerate(bins)], 1).astype(np.int64)


def _sentence_bins(reads: Sequence[Read]) -> Family:
    import numpy as np

    counts = [len(read.details) for read in reads]
    bins = _SENTENCES + _binned([detail for read in reads for detail in read.details], SENTENCE)
    rows = np.repeat(np.repeat(np.arange(len(reads)), counts), bins.shape[1])
    return rows, bins.ravel(), _unit(rows, len(reads))


def _reply_bins(reads: Sequence[Read]) -> Family:
    import numpy as np

    alone = _binned([read.statistics for read in reads], REPLY)
    names = list(REPLY)
    joint = [
        _JOINT
        + WIDTH * WIDTH * place
        + WIDTH * (alone[:, names.index(one)] % WIDTH)
        + alone[:, names.index(other)] % WIDTH
        for place, (one, other) in enumerate(JOINT)
    ]
    columns = np.concatenate([_REPLY + alone, np.stack(joint, 1)], 1)
    rows = np.repeat(np.arange(len(reads)), columns.shape[1])
    return rows, columns.ravel(), np.full(columns.size, 0.5, np.float32)
