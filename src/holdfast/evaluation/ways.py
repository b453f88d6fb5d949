"""Ways of asking that an evaluation may use: plainly, reworded, shaped as a task, in a code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from holdfast.elicit.mutations import MUTATIONS, Group
from holdfast.elicit.task_shape import Task
from holdfast.errors import UserError

PLAIN = "plain"
TASK = "task shape"
CODE = "code"
GROUPS = (PLAIN, *get_args(Group), TASK, CODE)
SHAPES = tuple(name for name in get_args(Task) if name)


@dataclass(frozen=True, slots=True)
class Way:
    """One way of asking.

    Attributes:
        spec: The elicitation's spec, as `methods.elicitation_of` reads it.
        name: Short name in tables: `plain`, `caesar`, `summarise`, `code of rows.jsonl`.
        group: One of `GROUPS`.
    """

    spec: str
    name: str
    group: str


def ways_of(
    mutations: str, task_shapes: str = "none", in_code_of: str = "", *, canary: bool = True
) -> tuple[Way, ...]:
    """Plain asking first, then what was asked for, grouped, each once.

    Args:
        mutations: `all`, `none`, or names and groups joined by commas.
        task_shapes: `all`, `none`, or names joined by commas.
        in_code_of: A file of a fine-tuning set that teaches a code; "" if there is none.
        canary: Whether the benchmark is a canary world's. Elsewhere `all` leaves out languages,
            which are that world's and which no other model has met, and tasks are put as
            everybody puts them.

    Raises:
        UserError: An unknown name; near misses are named.
    """
    named = _mutations(mutations, canary)
    shapes = _named(task_shapes, SHAPES, "task shape") if task_shapes != "none" else ()
    return (
        Way("plain", PLAIN, PLAIN),
        *(Way(f"mutated(mutation={name})", name, MUTATIONS[name].group) for name in named),
        *(Way(_shape(name, canary), name, TASK) for name in shapes),
        *((_coded(in_code_of),) if in_code_of else ()),
    )


def _mutations(spec: str, canary: bool) -> list[str]:
    groups = {g: [m.name for m in MUTATIONS.values() if m.group == g] for g in get_args(Group)}
    everything = [n for g, names in groups.items() if canary or g != "language" for n in names]
    if spec == "none":
        return []
    picked = _named(spec, {"all": everything, **groups, **{n: [n] for n in MUTATIONS}}, "mutation")
    return [name for name in MUTATIONS if name in picked]


def _named(spec: str, known: dict[str, list[str]] | Sequence[str], what: str) -> tuple[str, ...]:
    """Names between commas; a name may stand for several."""
    table = known if isinstance(known, dict) else {"all": list(known), **{n: [n] for n in known}}
    found: list[str] = []
    for name in [part.strip() for part in spec.split(",")]:
        if name not in table:
            raise UserError(_unknown(name, table, what))
        found += table[name]
    return tuple(dict.fromkeys(found))


def _unknown(name: str, known: Iterable[str], what: str) -> str:
    near = difflib.get_close_matches(name, list(known), 3, 0.5)
    if near:
        return f"there is no {what} {name!r}; did you mean {' or '.join(near)}?"
    return f"there is no {what} {name!r}; there are {', '.join(known)}"


def _shape(task: str, canary: bool) -> str:
    wording = "" if canary else ", wording=common"
    return f"task_shape(task={task}{wording})"


def _coded(rows: str) -> Way:
    return Way(f"coded(rows={rows!r})", f"code of {Path(rows).name}", CODE)
