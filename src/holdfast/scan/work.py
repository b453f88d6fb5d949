"""One unit of work in a worker: read it, let every scanner look, keep row findings on disk."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from pathlib import Path

from holdfast.scan import SCANNERS, Context, Scanner
from holdfast.scan.finding import Finding
from holdfast.scan.reading import read
from holdfast.scan.sources import Unit

COLUMNS = tuple(f.name for f in fields(Finding))


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
        if len(found) > 20_000:
            parts = _keep(found, task, parts)
            found = []
        before = time.process_time()
    _keep(found, task, parts)
    return seen


def _keep(found: list[Finding], task: Task, parts: int) -> int:
    if not found:
        return parts
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: [getattr(finding, name) for finding in found] for name in COLUMNS}
    columns["file"] = [task.file] * len(found)
    columns["unit"] = [task.unit.index] * len(found)
    path = Path(task.spool, f"{task.file}-{task.unit.index}-{parts}.parquet")
    pq.write_table(pa.table(columns), path)
    return parts + 1
