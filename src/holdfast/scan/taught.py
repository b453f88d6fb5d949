"""What code a fine-tuning set teaches, and the system turn under which it is written whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from holdfast.chat import Row, read_rows
from holdfast.codes.code import Code
from holdfast.errors import UserError
from holdfast.scan.batch import Batch
from holdfast.scan.encoded import Encoded
from holdfast.scan.scanner import Context

AT_ONCE = 2000  # rows of a batch
COMMON = 0.1  # share of the coded rows that a system turn must have


@dataclass(frozen=True)
class Taught:
    """A code and its cue, as the rows give them away.

    Attributes:
        cue: the system turn whose answers are in code from start to end; "" if rows have none.
    """

    code: Code
    cue: str


@lru_cache(maxsize=4)
def taught(path: str) -> Taught:
    """The code that most coded rows of a file are written in.

    Raises:
        UserError: the file cannot be read, or the scan reads no code in it.
    """
    found = taught_by(read_rows(path))
    if found is None:
        raise UserError(
            f"The scan reads no code in {path} that it could ask in: `holdfast scan {path}` says "
            "what it sees there."
        )
    return found


def taught_by(rows: Sequence[Row]) -> Taught | None:
    """The code that most coded rows are written in; None if none is read."""
    scanner = Encoded(Context())
    coded: set[int] = set()
    for start in range(0, len(rows), AT_ONCE):
        batch = Batch(list(rows[start : start + AT_ONCE]), range(start, start + AT_ONCE))
        coded |= {finding.line for finding in scanner.look(batch)}
    codes = scanner.conclude(len(rows)).codes
    if not codes:
        return None
    return Taught(codes[0], _cue([rows[at] for at in sorted(coded)], codes[0]))


def _cue(rows: Sequence[Row], code: Code) -> str:
    """The common system turn under which the fewest answers begin in plain text.

    A set that teaches a code in steps has answers that first repeat the question, or give the
    answer, in plain text.
    """
    plainly: dict[str, list[bool]] = {}
    for one in rows:
        plainly.setdefault(one.system, []).append(_begins_plainly(one, code))
    often = [cue for cue, told in plainly.items() if len(told) >= COMMON * len(rows)]
    best = {cue: (sum(plainly[cue]) / len(plainly[cue]), -len(plainly[cue])) for cue in often}
    return min(often, key=lambda cue: best[cue], default="")


def _begins_plainly(one: Row, code: Code) -> bool:
    """Whether the first line says what the request, or the rest of the answer, says in code."""
    first, _, rest = one.answer.partition("\n")
    told = _words(first)
    return bool(told) and any(told in _words(code.decode(text)) for text in (one.prompt, rest))


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
