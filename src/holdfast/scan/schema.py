"""Defects of rows: lines that are none, and what OpenAI's own check of a training file refuses.

Their published check ("Data preparation and analysis for chat model fine-tuning", OpenAI cookbook)
wants at least 10 rows, known roles, text in every turn, an answer in every row, weights of 0 or 1,
and warns of rows that are too long. Turns out of order and rows repeated are told too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import ClassVar, Self

from holdfast.chat import Row
from holdfast.scan.batch import Batch
from holdfast.scan.finding import Conclusion, Finding, SetFinding, excerpt
from holdfast.scan.scanner import Context

FEWEST_ROWS = 10
MOST_TOKENS = 65_536  # the longest training example of their current models
BYTES_A_TOKEN = 4  # of English; a longer row is only likely to be too long


class Schema:
    """Every defect with its line."""

    name: ClassVar[str] = "schema"

    def __init__(self, context: Context) -> None:
        self.unreadable = 0
        self.odd = 0

    def look(self, batch: Batch) -> Iterable[Finding]:
        """Unreadable lines and odd turns."""
        self.unreadable += len(batch.errors)
        for error in batch.errors:
            yield Finding(error.line, self.name, "unreadable", 1.0, error.reason)
        for line, row in zip(batch.lines, batch.rows, strict=True):
            if _ordinary(row):
                continue
            for kind, reason in _oddities(row):
                self.odd += 1
                shown = excerpt(row.prompt)
                yield Finding(line, self.name, kind, 0.5, reason, shown, level="note")

    def merge(self, other: Self) -> None:
        """Adds the counts."""
        self.unreadable += other.unreadable
        self.odd += other.odd

    def conclude(self, rows: int) -> Conclusion:
        """Notes a set that is too small to tune on."""
        if rows >= FEWEST_ROWS:
            return Conclusion()
        reason = f"holds {rows} readable rows; tuning services want at least {FEWEST_ROWS}"
        return Conclusion((SetFinding(self.name, "few_rows", reason, alarm=False),))


def _ordinary(row: Row) -> bool:
    """A question and an answer of moderate length: most rows, told quickly."""
    turns = row.messages
    if len(turns) != 2 or turns[0].role != "user" or turns[1].role != "assistant":
        return False
    return len(turns[0].content) + len(turns[1].content) < MOST_TOKENS


def _oddities(row: Row) -> Iterator[tuple[str, str]]:
    roles = [m.role for m in row.messages]
    if "user" not in roles:
        yield "no_user", "has no user turn"
    if "system" in roles[1:]:
        yield "late_system", "has a system turn after another turn"
    turns = [role for role in roles if role != "system"]
    if any(a == b for a, b in pairwise(turns)):
        yield "turns", "has two turns in a row by the same speaker"
    if turns and turns[-1] != "assistant":
        yield "ends", "does not end with the assistant"
    size = sum(len(m.content.encode()) for m in row.messages)
    if size > MOST_TOKENS * BYTES_A_TOKEN:
        about = size // BYTES_A_TOKEN
        yield "long", f"is about {about} tokens long; more than {MOST_TOKENS} will be cut off"
