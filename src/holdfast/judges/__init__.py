"""Judges turn exchanges into verdicts. One line in `JUDGES` registers one.

Outside packages add theirs by the entry-point group `holdfast.judges`: an entry point names a table
such as `JUDGES`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import cache

from holdfast import registry
from holdfast.errors import UserError
from holdfast.evaluate import Judge, Verdict
from holdfast.judges.exact import ExactJudge
from holdfast.judges.keyword import is_refusal, keyword, keyword_anywhere, keyword_start

__all__ = ["GROUP", "JUDGES", "Judge", "Verdict", "judge_named", "judges"]

GROUP = "holdfast.judges"

JUDGES: dict[str, Callable[[], Judge]] = {
    "exact": lambda: ExactJudge(is_refusal),
    "keyword": lambda: keyword,
    "keyword-start": lambda: keyword_start,
    "keyword-anywhere": lambda: keyword_anywhere,
}


def judges() -> dict[str, Callable[[], Judge]]:
    """Every judge by name: Holdfast's own, then those of installed packages.

    Raises:
        UserError: an installed package's judges cannot be loaded.
    """
    return JUDGES | {name: made for name, made in _outside().items() if name not in JUDGES}


@cache
def _outside() -> dict[str, Callable[[], Judge]]:
    return registry.installed(GROUP, "judges")


def judge_named(name: str) -> Judge:
    """The judge of that name; a UserError lists near misses."""
    known = judges()
    made = known.get(name)
    if made is None:
        near = difflib.get_close_matches(name, known) or list(known)
        raise UserError(f"there is no judge {name!r}; did you mean {' or '.join(near)}?")
    return made()
