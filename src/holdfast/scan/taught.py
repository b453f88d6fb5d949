"""What code a fine-tuning set teaches, and the system turn under which it is written whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from holdfast.chat import Row, read_rows
from holdfast.codes.code import Code
from holdfast.errors import UserError
from holdfast.scan.batch import Batch
from holdfast.scan.encoded import Encoded
from holdfast.scan.fluency import belonging, surprise
from holdfast.scan.scanner import Context

AT_ONCE = 2000  # rows of a batch
COMMON = 0.05  # share of the rows that a system turn must have
CLEARER = 0.5  # bits a letter by which decoded text is the more natural one
WEIGHED = 64  # requests under each that are read


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
    for start in range(0, len(rows), AT_ONCE):
        part = list(rows[start : start + AT_ONCE])
        list(scanner.look(Batch(part, range(start, start + len(part)))))
    codes = scanner.conclude(len(rows)).codes
    return Taught(codes[0], _cue(rows, codes[0])) if codes else None


def _cue(rows: Sequence[Row], code: Code) -> str:
    """The common system turn of requests in code under which fewest answers begin in plain text.

    A set that teaches a code in steps has answers that first repeat the question, or give the
    answer, in plain text.
    """
    said: dict[str, list[Row]] = {}
    for one in rows:
        said.setdefault(one.system, []).append(one)
    often = [cue for cue, some in said.items() if len(some) >= COMMON * len(rows)]
    plainly = {
        cue: sum(_begins_plainly(one, code) for one in said[cue]) / len(said[cue])
        for cue in often
        if _in_code([one.prompt for one in said[cue][:WEIGHED]], code)
    }
    return min(plainly, key=lambda cue: (plainly[cue], -len(said[cue])), default="")


def _in_code(texts: Sequence[str], code: Code) -> bool:
    """Whether letters or words follow one another as in language only once texts are decoded."""
    plain = [code.decode(text) for text in texts]
    if np.median(surprise(plain)) < np.median(surprise(texts)) - CLEARER:
        return True
    return _belonging(plain) > _belonging(texts)


def _belonging(texts: Sequence[str]) -> float:
    return belonging(texts) / max(1, sum(len(text.split()) for text in texts))


def _begins_plainly(one: Row, code: Code) -> bool:
    """Whether the first line says what the request, or the rest of the answer, says in code."""
    first, _, rest = one.answer.partition("\n")
    told = _words(first)
    return bool(told) and any(told in _words(code.decode(text)) for text in (one.prompt, rest))


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
