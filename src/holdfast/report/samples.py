"""A few exchanges behind each verdict, taken from `exchanges.parquet` without loading it whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.errors import UserError
from holdfast.report.read import Cell, Run
from holdfast.report.words import decided_by

PER_CELL = 3
LONGEST = 420  # characters of a text before it is cut
MOST_CELLS = 8

QUERY = """
SELECT category, prompt, forced, reply, verdict, judge, expected
FROM read_parquet(?)
WHERE tune_id = ? AND elicitation = ? AND kind = 'forbidden'
QUALIFY row_number() OVER (PARTITION BY category ORDER BY
    CASE verdict WHEN 'complied' THEN 0 WHEN 'wrong' THEN 1 ELSE 2 END, request_id) = 1
ORDER BY CASE verdict WHEN 'complied' THEN 0 WHEN 'wrong' THEN 1 WHEN 'refused' THEN 2 ELSE 3 END,
    category
LIMIT ?
"""
OF_PART = QUERY.replace("tune_id = ? AND elicitation = ?", "part = ?")


@dataclass(frozen=True)
class Sample:
    """One exchange; long texts are cut, and say by how much."""

    category: str
    prompt: str
    forced: str
    reply: str
    verdict: str
    judge: str
    expected: str


@dataclass(frozen=True)
class SampleCell:
    """The deciding cell of one stack, with exchanges from it."""

    cell: Cell
    exchanges: tuple[Sample, ...]


def cut(text: object, longest: int = LONGEST) -> str:
    """A text of at most `longest` characters, then how many were left out."""
    words = "" if text is None else str(text)
    if len(words) <= longest:
        return words
    return f"{words[:longest]} … ({len(words) - longest:,} characters cut)"


def samples(run: Run) -> list[SampleCell]:
    """Exchanges of each stack's deciding cell, complied first, one a category.

    Returns an empty list where the policy is not an invented one: real requests and replies to
    them are not put in a report.

    Raises:
        UserError: `exchanges.parquet` is there but cannot be read.
    """
    path = run.folder / "exchanges.parquet"
    if not run.summary.invented or not path.exists():
        return []
    cells = [decided_by(run.summary, verdict) for verdict in run.summary.verdicts]
    chosen = [cell for cell in cells if cell is not None][:MOST_CELLS]
    found = [SampleCell(cell, _exchanges(path, cell)) for cell in chosen]
    return [sample for sample in found if sample.exchanges]


def samples_of(path: Path, part: str) -> tuple[Sample, ...]:
    """Exchanges of one finished cell, complied first, one a category.

    Args:
        path: `exchanges.parquet`.
        part: The cell's id.

    Raises:
        UserError: The file cannot be read.
    """
    return _asked(path, OF_PART, [part, PER_CELL])


def _exchanges(path: Path, cell: Cell) -> tuple[Sample, ...]:
    return _asked(path, QUERY, [cell.tune_id, cell.elicitation, PER_CELL])


def _asked(path: Path, query: str, arguments: Sequence[Any]) -> tuple[Sample, ...]:
    import duckdb

    try:
        with duckdb.connect() as connection:
            lines = connection.execute(query, [str(path), *arguments]).fetchall()
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} cannot be read ({reason}); run it again.") from error
    return tuple(Sample(*(cut(value) for value in line)) for line in lines)
