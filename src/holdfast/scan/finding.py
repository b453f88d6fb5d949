"""What scanning finds: flagged rows, and verdicts on the whole set."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from holdfast.codes.code import Code

LONGEST_EXCERPT = 160
Level = Literal["flag", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One row and what a scanner has against it.

    Attributes:
        line: number of the line in its file, or of the row in a Parquet file; from 1.
        scanner: who found it.
        kind: which of the scanner's reasons; verdicts on the set keep or drop whole kinds.
        score: 0 to 1, how sure the scanner is; comparable within a kind only.
        reason: one sentence.
        excerpt: the part of the row that shows it, escaped and cut.
        level: `flag` counts towards the exit code; `note` is told and no more.
    """

    line: int
    scanner: str
    kind: str
    score: float
    reason: str
    excerpt: str = ""
    level: Level = "flag"


@dataclass(frozen=True, slots=True)
class SetFinding:
    """A verdict on the whole set.

    Attributes:
        alarm: the set should not be trained on as it is; otherwise it is a note.
        evidence: figures and samples behind it, as plain JSON values.
    """

    scanner: str
    kind: str
    reason: str
    alarm: bool
    score: float = 1.0
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a scanner says once every row was seen.

    Attributes:
        about: verdicts on the set.
        dropped: kinds of this scanner's row findings that the whole set explains away.
        codes: codes of the set that were read, and can be written.
    """

    about: tuple[SetFinding, ...] = ()
    dropped: frozenset[str] = frozenset()
    codes: tuple[Code, ...] = field(default=(), compare=False)


def excerpt(text: str, at: int = 0, most: int = LONGEST_EXCERPT) -> str:
    """A part of `text` around position `at`, cut, with every unprintable character escaped."""
    start = max(0, at - most // 4) if at > most // 2 else 0
    cut = text[start : start + most]
    shown = "".join(c if _printable(c) else _escaped(c) for c in cut)
    before, after = "…" if start else "", "…" if len(text) > start + most else ""
    return before + shown[: 4 * most] + after


def _printable(character: str) -> bool:
    # Format characters (zero width, bidirectional overrides) could hide or reorder what is shown.
    return character == " " or unicodedata.category(character)[0] not in "CZ"


def _escaped(character: str) -> str:
    known = {"\n": "⏎", "\t": "→", "\r": "␍"}
    return known.get(character) or f"\\u{{{ord(character):x}}}"
