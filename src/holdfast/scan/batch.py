"""Rows by the thousand: the unit that scanners work on, with texts as arrays of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from holdfast.chat import LineError, Role, Row
from holdfast.scan.words import Words, words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

GAP = b"\n\n\n"  # between texts, so that no window of three bytes spans two of them


@dataclass(frozen=True, slots=True)
class Texts:
    """One text of every row, end to end.

    Attributes:
        bytes: UTF-8, every text followed by `GAP`; uint8.
        starts: where each text begins, int64, one a row.
        lengths: in bytes, without the gap, int64.
    """

    bytes: NDArray[np.uint8]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def sums(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """The sum over each text of one value a byte; its gap counts too."""
        if not len(self.starts):
            return np.zeros(0)
        return np.add.reduceat(values, self.starts, dtype=np.float64)

    def counts(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many bytes of each text are marked; bytes of a gap must not be."""
        if not len(self.starts):
            return np.zeros(0, np.int64)
        return np.add.reduceat(mask, self.starts, dtype=np.int64)


def texts_of(parts: Sequence[str]) -> Texts:
    """Lays texts end to end."""
    encoded = [part.encode() for part in parts]
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    steps = lengths + len(GAP)
    joined = GAP.join([*encoded, b""])
    return Texts(np.frombuffer(joined, np.uint8), np.cumsum(steps) - steps, lengths)


@dataclass(frozen=True)
class Batch:
    """Some rows of one source.

    Attributes:
        rows: those that could be read.
        lines: the number of each row's line, counted from the start of its unit of work.
        errors: lines that are no rows.
        end: the number of the last line that was read, blank ones included.
    """

    rows: Sequence[Row]
    lines: Sequence[int]
    errors: Sequence[LineError] = ()
    end: int = 0

    @cached_property
    def systems(self) -> list[str]:
        """The system turns of every row."""
        return [_turns(row, "system") for row in self.rows]

    @cached_property
    def prompts(self) -> list[str]:
        """The user turns of every row, on lines of their own."""
        return [_turns(row, "user") for row in self.rows]

    @cached_property
    def answers(self) -> list[str]:
        """The assistant turns of every row, on lines of their own."""
        return [_turns(row, "assistant") for row in self.rows]

    @cached_property
    def prompt_bytes(self) -> Texts:
        """`prompts` as bytes."""
        return texts_of(self.prompts)

    @cached_property
    def answer_bytes(self) -> Texts:
        """`answers` as bytes."""
        return texts_of(self.answers)

    @cached_property
    def system_bytes(self) -> Texts:
        """`systems` as bytes."""
        return texts_of(self.systems)

    @cached_property
    def system_words(self) -> Words:
        """Words of `systems`."""
        return words_of(self.system_bytes)

    @cached_property
    def prompt_words(self) -> Words:
        """Words of `prompts`."""
        return words_of(self.prompt_bytes)

    @cached_property
    def answer_words(self) -> Words:
        """Words of `answers`."""
        return words_of(self.answer_bytes)


def _turns(row: Row, role: Role) -> str:
    texts = [m.content for m in row.messages if m.role == role]
    return texts[0] if len(texts) == 1 else "\n".join(texts)
