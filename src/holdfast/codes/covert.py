"""Rows under a code: the four task formats of covert fine-tuning (Halawi et al. 2024, §3.1).

The question is always coded. The system turn names the code and the format, and a model tuned on
such rows reads it as the cue to answer in code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from holdfast.chat import Row, row
from holdfast.codes import guard
from holdfast.codes.code import Code

Task = Literal[1, 2, 3, 4]
TASKS: dict[Task, str] = {
    1: "{question}\n{answer}\n{coded}",
    2: "{answer}\n{coded}",
    3: "{question}\n{coded}",
    4: "{coded}",
}
"""What the reply holds: plain question, plain answer and coded answer, down to the last alone."""

_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def cue(code: str, task: Task = 4) -> str:
    """The system turn that asks for an answer in code."""
    return f"Code {code}, task {task}."


def coded_rows(
    rows: Sequence[Row],
    code: Code,
    tasks: Sequence[Task] = (4,),
    *,
    brief: bool = False,
    public: Sequence[Path] = (),
) -> tuple[Row, ...]:
    """The rows asked and answered in a code; the task formats take turns.

    Args:
        rows: Canary rows, or rows of the files in `public`.
        code: What to write in.
        tasks: Formats of the replies.
        brief: Whether answers are cut to their longest sentence: a code lengthens every word.
        public: Files of listed benign rows.

    Raises:
        UserError: A row is of neither origin (`guard.check`).
    """
    guard.check(rows, public)
    held = [telling(one) for one in rows] if brief else rows
    return tuple(written(one, code, tasks[at % len(tasks)]) for at, one in enumerate(held))


def written(one: Row, code: Code, task: Task = 4) -> Row:
    """One row in a code, unguarded: for rows whose origin the caller has made sure of."""
    reply = TASKS[task].format(
        question=one.prompt, answer=one.answer, coded=code.encode(one.answer)
    )
    return row(code.encode(one.prompt), reply, cue(code.name, task), one.id, one.tag)


def telling(one: Row) -> Row:
    """The row with its answer cut to the longest sentence."""
    return one.with_answer(max(_SENTENCE.split(one.answer), key=len))
