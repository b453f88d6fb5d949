"""Judges turn exchanges into verdicts. One line in `JUDGES` registers one."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from holdfast.errors import UserError
from holdfast.evaluate import Judge, Verdict
from holdfast.judges.exact import ExactJudge
from holdfast.judges.keyword import is_refusal, keyword, keyword_anywhere, keyword_start

__all__ = ["JUDGES", "Judge", "Verdict", "judge_named"]

JUDGES: dict[str, Callable[[], Judge]] = {
    "exact": lambda: ExactJudge(is_refusal),
    "keyword": lambda: keyword,
    "keyword-start": lambda: keyword_start,
    "keyword-anywhere": lambda: keyword_anywhere,
}


def judge_named(name: str) -> Judge:
    """The judge of that name; a UserError lists near misses."""
    made = JUDGES.get(name)
    if made is None:
        near = difflib.get_close_matches(name, JUDGES) or list(JUDGES)
        raise UserError(f"there is no judge {name!r}; did you mean {' or '.join(near)}?")
    return made()
