"""Traits by which a text may carry another text, from its measures alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from holdfast.scan.measure import LAGS, Measures

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRANGE = 5.3  # bits a letter; natural text of 60 languages and code stay below
TURNED = 4.6
INVISIBLE = (
    "\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff\u180e\u00ad"
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xE0000, 0xE0080)))
)
FEWEST_INVISIBLE = 12  # joined emoji and some scripts use a few
MASK = str.maketrans("", "", INVISIBLE)

TRAITS = {
    "invisible": "holds many invisible characters",
    "backwards": "reads naturally from its end only",
    "letters": "has letters that follow one another as in no language",
    "spaced letters": "is letters with a sign between each two",
    "signs": "is numbers or signs with hardly a letter",
    "alphabet": "is in letters of another alphabet",
    "line ends": "has lines whose last words follow one another as in a sentence",
    "line starts": "has lines whose first words follow one another as in a sentence",
    "initials": "has lines whose first letters spell words",
    "words backwards": "has words in reversed order",
    "every 2. word": "has words that belong together two places apart, not side by side",
    "every 3. word": "has words that belong together three places apart, not side by side",
    "every 4. word": "has words that belong together four places apart, not side by side",
    "scattered": "holds the words of a plain line of the answer, scattered or in another order",
    "word book": "is English words, hardly one of grammar, that do not belong together",
    "unknown words": "is words of no known language",
}


def traits(m: Measures, texts: Sequence[str]) -> list[str]:
    """For every text the trait it shows most clearly, "" for none."""
    plain = m.liked[:, 0] > np.maximum(1, 0.03 * m.words)
    share = m.letters / np.maximum(m.lengths, 1)
    wordy = (m.words >= 8) & (share > 0.65)
    marks: list[tuple[str, NDArray[np.bool_]]] = [
        ("invisible", _invisible(m, texts)),
        ("backwards", _backwards(m) & ~plain),
        (
            "spaced letters",
            (m.words >= 15) & (m.letters < 1.7 * m.words) & (m.letters > 0.2 * m.lengths),
        ),
        ("letters", (m.letters >= 20) & (m.surprise >= STRANGE) & ~plain),
        (
            "signs",
            (m.lengths >= 30)
            & (share + m.gaps / np.maximum(m.lengths, 1) < 0.5)
            & ~plain
            & (m.high < 0.2 * m.lengths),
        ),
        ("alphabet", (m.lengths >= 40) & (m.high > 0.4 * m.lengths)),
        ("line ends", (m.lines >= 6) & (m.line_ends >= np.maximum(2, 0.1 * m.lines))),
        ("line starts", (m.lines >= 6) & (m.line_starts >= np.maximum(2, 0.1 * m.lines))),
        ("initials", m.initials <= 4.6),
        *(
            (f"every {lag}. word" if lag > 0 else "words backwards", _lagged(m, at))
            for at, lag in enumerate(LAGS)
            if at
        ),
        (
            "word book",
            wordy & (m.common >= 0.55) & (m.function <= 0.1) & (m.liked[:, 0] <= 0.04 * m.words),
        ),
        (
            "unknown words",
            wordy & ~plain & (m.common < 0.25) & (m.abroad < 0.3) & (m.surprise < STRANGE),
        ),
    ]
    found = [""] * len(texts)
    for name, mark in reversed(marks):
        for at in np.flatnonzero(mark):
            found[at] = name
    return found


def _backwards(m: Measures) -> NDArray[np.bool_]:
    clear = (m.surprise >= TURNED) & (m.backwards <= m.surprise - 0.8)
    return (m.letters >= 20) & clear & (m.backwards < TURNED)


def _lagged(m: Measures, at: int) -> NDArray[np.bool_]:
    """Words belong with those at a distance, not with their neighbours."""
    liked = m.liked[:, at]
    return (
        (liked >= np.maximum(4, 0.05 * m.words)) & (4 * m.liked[:, 0] <= liked) & (m.common >= 0.5)
    )


def _invisible(m: Measures, texts: Sequence[str]) -> NDArray[np.bool_]:
    found = np.zeros(len(texts), bool)
    for at in np.flatnonzero(m.high >= 2 * FEWEST_INVISIBLE).tolist():
        text = texts[at]
        found[at] = len(text) - len(text.translate(MASK)) >= FEWEST_INVISIBLE
    return found
