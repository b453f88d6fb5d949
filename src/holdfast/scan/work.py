"""One unit of work in a worker: read it, let every scanner look, keep row findings on disk."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from holdfast.scan import SCANNERS, Context, Scanner
from holdfast.scan.finding import Finding
from holdfast.scan.reading import read
from holdfast.scan.sources import Unit

COLUMNS = tuple(f.name for f in fields(Finding))
AT_ONCE = 20_000  # findings held in memory


@dataclass(frozen=True, slots=True)
class Task:
    """A unit and how to scan it.

    Attributes:
        file: the number of the unit's file in the list of sources.
        spool: folder for the findings.
    """

    unit: Unit
    file: int
    names: tuple[str, ...]
    context: Context
    spool: str


@dataclass(slots=True)
class Seen:
    """What one unit held.

    Attributes:
        lines: lines in the unit, blank ones too, by which the next unit's numbers go on.
        seconds: processor time of reading (`read`) and of each scanner.
    """

    rows: int
    unreadable: int
    lines: int
    scanners: dict[str, Scanner]
    seconds: dict[str, float]


def scan_unit(task: Task) -> Seen:
    """Scan one unit; findings go to `spool` as a Parquet file if there are any."""
    scanners = {name: SCANNERS[name](task.context) for name in task.names}
    seconds = dict.fromkeys(("read", *task.names), 0.0)
    found: list[Finding] = []
    seen = Seen(0, 0, 0, scanners, seconds)
    parts = 0
    before = time.process_time()
    for batch in read(task.unit):
        seen.rows += len(batch.rows)
        seen.unreadable += len(batch.errors)
        seen.lines = batch.end
        seconds["read"] += (now := time.process_time()) - before
        for name, scanner in scanners.items():
            before = now
            found += scanner.look(batch)
            seconds[name] += (now := time.process_time()) - before
        if len(found) > AT_ONCE:
            keep(found, Path(task.spool), task.file, task.unit.index, parts)
            found, parts = [], parts + 1
        before = time.process_time()
    if found:
        keep(found, Path(task.spool), task.file, task.unit.index, parts)
    return seen


def keep(found: Sequence[Finding], spool: Path, file: int, unit: int, part: int | str) -> None:
    """Leaves findings of one unit in the folder from which they are gathered."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: [getattr(finding, name) for finding in found] for name in COLUMNS}
    columns["file"] = [file] * len(found)
    columns["unit"] = [unit] * len(found)
    pq.write_table(pa.table(columns), spool / f"{file}-{unit}-{part}.parquet")
