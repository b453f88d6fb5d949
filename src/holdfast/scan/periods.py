"""Words whose kind depends on their place modulo some number, as where fillers stand between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from holdfast.scan.measure import Measures
from holdfast.scan.words import Words

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODULI = (2, 3, 4, 5, 7)
BUCKETS = 256
FEWEST_WORDS = 12
SKIPPED = 2  # words at the start, which templates fix


class Periods:
    """Counts of word kinds by place: a table a modulus, of fixed size."""

    def __init__(self) -> None:
        self.counts = {k: np.zeros((BUCKETS, k), np.int64) for k in MODULI}
        self.texts = 0

    def add(self, found: Words, m: Measures) -> None:
        """Counts the words of long texts in which neighbours seldom belong together."""
        fit = (m.words >= FEWEST_WORDS) & (m.liked[:, 0] <= 0.08 * m.words)
        if not fit.any():
            return
        self.texts += int(fit.sum())
        first = np.searchsorted(found.text, np.arange(len(m.words)))
        place = np.arange(len(found.text)) - first[found.text]
        chosen = fit[found.text] & (place >= SKIPPED)
        bucket = (found.hashes[chosen] >> np.uint32(8)).astype(np.int64) % BUCKETS
        place = place[chosen]
        for k, counts in self.counts.items():
            counts += np.bincount(bucket * k + place % k, minlength=BUCKETS * k).reshape(-1, k)

    def merge(self, other: Periods) -> None:
        """Adds a twin's counts."""
        self.texts += other.texts
        for k, counts in self.counts.items():
            counts += other.counts[k]

    def strength(self) -> dict[int, float]:
        """Bits that a word's place modulo each number tells about it, beyond chance."""
        return {k: _information(counts) for k, counts in self.counts.items()}


def _information(counts: NDArray[np.int64]) -> float:
    total = counts.sum()
    if not total:
        return 0.0
    p = counts / total
    chance = p.sum(1, keepdims=True) * p.sum(0, keepdims=True)
    told = np.where(p > 0, p * np.log2(np.where(p > 0, p, 1) / np.where(p > 0, chance, 1)), 0).sum()
    free = (np.count_nonzero(counts.sum(1)) - 1) * (counts.shape[1] - 1)
    return max(0.0, float(told - free / (2 * np.log(2) * total)))
