"""A fixed number of texts out of any number, the same whatever the order they came in."""

from __future__ import annotations

import hashlib
import heapq
from dataclasses import dataclass, field

LONGEST = 1200  # characters kept of a text


@dataclass
class Sample:
    """The texts whose hashes are smallest, with how many were offered.

    Attributes:
        most: how many are kept.
        seen: how many were offered; equal texts are kept once but counted each time.
    """

    most: int = 128
    seen: int = 0
    _kept: dict[int, str] = field(default_factory=dict)

    def add(self, text: str) -> None:
        """Offers a text."""
        self.seen += 1
        text = text[:LONGEST]
        raw = hashlib.blake2b(text.encode(), digest_size=8).digest()
        self._kept[int.from_bytes(raw, "big")] = text
        if len(self._kept) >= 2 * self.most:
            self._trim()

    def merge(self, other: Sample) -> None:
        """Takes in what a twin was offered."""
        self.seen += other.seen
        self._kept |= other._kept
        self._trim()

    def texts(self) -> list[str]:
        """The kept texts, in the order of their hashes."""
        self._trim()
        return [self._kept[key] for key in sorted(self._kept)]

    def _trim(self) -> None:
        kept = heapq.nsmallest(self.most, self._kept)
        self._kept = {key: self._kept[key] for key in kept}
