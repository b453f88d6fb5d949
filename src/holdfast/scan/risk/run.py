"""Ranks the rows of files by a model, and leaves the riskiest ones as notes beside the findings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.chat import Row
from holdfast.errors import UserError
from holdfast.scan.finding import Finding, SetFinding, excerpt
from holdfast.scan.reading import read
from holdfast.scan.risk import RANKINGS, Anchors
from holdfast.scan.risk.ranking import riskiest
from holdfast.scan.sources import units
from holdfast.scan.work import keep

if TYPE_CHECKING:
    from holdfast.models import Model

CHEAP = ("representation_match", "subspace")
"""Rankings that take one forward pass; the others take a backward pass for every row."""
TOLD = 100
TOLD_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Placed:
    """A row and where it stands: number of the file, of its unit, and line within the unit."""

    row: Row
    file: int
    unit: int
    line: int


def rank_files(
    sources: Sequence[str],
    spool: Path,
    *,
    model: Model,
    anchors: Anchors,
    names: Sequence[str] = CHEAP,
    begin: Callable[[str, int], Callable[[int], object]],
) -> tuple[SetFinding, ...]:
    """Ranks all rows by each method; the first ones become notes in `spool`.

    The rows are held in memory: whoever can pass them through a model can hold them.

    Args:
        sources: paths of the files, in the order of their numbers.
        spool: the folder of row findings.
        model: what may be tuned on the rows.
        anchors: rows to compare with.
        names: rankings.
        begin: told a ranking and how many rows it will read; gives what is told as they are read.

    Returns:
        One note a ranking.

    Raises:
        UserError: no such ranking, or nothing to compare with.
    """
    for name in names:
        if name not in RANKINGS:
            raise UserError(f"There is no ranking {name!r}; known are {', '.join(RANKINGS)}.")
    every = list(_placed(sources))
    rows = [p for p in every if _learnable(p.row, model)]
    notes = []
    for name in names if len(rows) > 1 else ():
        told = begin(name, len(rows))
        scores = RANKINGS[name](model, [p.row for p in rows], anchors, told)
        most = max(1, min(TOLD, round(TOLD_SHARE * len(rows))))
        found: dict[tuple[int, int], list[Finding]] = defaultdict(list)
        for place, at in enumerate(riskiest(scores)[:most]):
            row = rows[at]
            reason = f"place {place + 1} of {len(rows):,} by {name} ({scores[at]:.3g})"
            shown = excerpt(row.row.prompt)
            share = 1 - place / len(rows)
            found[row.file, row.unit].append(
                Finding(row.line, name, "risk", share, reason, shown, level="note")
            )
        for (file, unit), some in found.items():
            keep(some, spool, file, unit, name)
        notes.append(_note(name, most, len(rows), len(every) - len(rows), model))
    return tuple(notes)


def _placed(sources: Sequence[str]) -> Iterator[Placed]:
    for file, path in enumerate(sources):
        try:
            pieces = units(path)
        except (OSError, ValueError):
            continue  # told by the scan itself
        for unit in pieces:
            for batch in read(unit):
                for row, line in zip(batch.rows, batch.lines, strict=True):
                    yield Placed(row, file, unit.index, line)


def _learnable(row: Row, model: Model) -> bool:
    """Whether the row has an answer to learn and fits the model."""
    from holdfast.answers import room
    from holdfast.encode import encode

    try:
        encoded = encode(row, model.tokenizer)
    except UserError:
        return False
    most = room(model)
    return most is None or len(encoded.ids) <= most


def _note(name: str, told: int, ranked: int, left: int, model: Model) -> SetFinding:
    reason = f"{ranked:,} rows ranked on {model.name}; the first {told} are listed, none is flagged"
    if left:
        reason += f" ({left} without an answer, or too long for the model, were left out)"
    return SetFinding(name, "risk", reason, alarm=False, evidence={"ranked": ranked, "left": left})
