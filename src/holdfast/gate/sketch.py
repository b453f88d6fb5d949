"""Near-copies of files: a few hashes of a file's rows say how much two files have in common.

The smallest hashes of a set are a sample that any two sets draw alike (Broder, "On the resemblance
and containment of documents", 1997).
"""

from __future__ import annotations

import hashlib
import heapq
import json
import re
from collections.abc import Sequence

MOST = 64  # row hashes that are kept of a file
_NO_WORD = re.compile(r"[\W_]+")
_SPACED = bytes(n if n > 127 or chr(n).isalnum() else ord(" ") for n in range(256))


class Sketch:
    """The smallest row hashes of a file, row by row."""

    def __init__(self) -> None:
        self._smallest: set[int] = set()

    def add(self, row: dict[str, object]) -> None:
        """One more row."""
        self._smallest.add(_hash(row))
        if len(self._smallest) > 4 * MOST:
            self._smallest = set(self.hashes)

    @property
    def hashes(self) -> list[int]:
        """The sketch, as it is stored."""
        return heapq.nsmallest(MOST, self._smallest)


def shared(one: Sequence[int], other: Sequence[int]) -> float:
    """Share of rows that two files have in common, from the smallest hashes of their union."""
    union = sorted({*one, *other})[: max(len(one), len(other), 1)]
    both = set(one) & set(other)
    return sum(h in both for h in union) / len(union) if union else 0.0


def _hash(row: dict[str, object]) -> int:
    """Of a row's words, whatever its punctuation, spacing and order of keys."""
    text = json.dumps(row.get("messages", row), sort_keys=True, ensure_ascii=False).lower()
    if text.isascii():  # much faster, and most rows are
        words = text.encode().translate(_SPACED).split()
    else:
        words = _NO_WORD.sub(" ", text).encode().split()
    return int.from_bytes(hashlib.blake2b(b" ".join(words), digest_size=6).digest(), "big")
