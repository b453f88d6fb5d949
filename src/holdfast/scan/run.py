"""Scans a set: spreads units over workers, adds up what they saw, and concludes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.chat import LineError
from holdfast.engine import Result, Workers
from holdfast.errors import UserError
from holdfast.scan import SCANNERS, Context, Scanner
from holdfast.scan.finding import Conclusion, SetFinding
from holdfast.scan.sources import UNIT_BYTES, Unit, units
from holdfast.scan.work import Seen, Task, scan_unit

WAVE = 64  # units handed out at a time; what they saw is merged before the next wave


@dataclass(frozen=True)
class Scanned:
    """What is known after the last row.

    Attributes:
        about: verdicts on the set.
        dropped: (scanner, kind) of row findings that the whole set explains away.
        lost: files or parts of files that could not be read.
        before: lines before each unit in its file, by (file, unit).
    """

    sources: tuple[str, ...]
    rows: int
    unreadable: int
    about: tuple[SetFinding, ...]
    dropped: tuple[tuple[str, str], ...]
    lost: tuple[LineError, ...]
    before: dict[tuple[int, int], int]
    seconds: dict[str, float]


@dataclass
class _Sum:
    rows: int = 0
    unreadable: int = 0
    lines: dict[tuple[int, int], int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    lost: list[LineError] = field(default_factory=list)


def scan_files(
    sources: Sequence[str],
    spool: Path,
    *,
    context: Context,
    names: Sequence[str] = (),
    workers: int = 0,
    unit_bytes: int = UNIT_BYTES,
    on_unit: Callable[[Unit, int], object] = lambda unit, rows: None,
) -> Scanned:
    """Scan files with some scanners.

    Args:
        sources: paths of the files, in the order findings will have.
        spool: a folder that takes the row findings, in no order, as Parquet.
        context: what the scanners may know.
        names: scanners; all if none are named.
        workers: processes; 0 scans in this one.
        unit_bytes: size of a unit of work.
        on_unit: called after each unit with the rows it held.

    Raises:
        UserError: there is no such scanner.
    """
    chosen = tuple(names) or tuple(SCANNERS)
    for name in chosen:
        if name not in SCANNERS:
            raise UserError(f"There is no scanner {name!r}; known are {', '.join(SCANNERS)}.")
    total = _Sum()
    tasks = list(_tasks(sources, chosen, context, spool, unit_bytes, total))
    sizes = {path: _size(path) for path in sources}
    scanners = {name: SCANNERS[name](context) for name in chosen}

    def take(result: Result[Task, Seen]) -> None:
        _add(total, scanners, result)
        on_unit(result.task.unit, result.value.rows if result.value else 0)

    with Workers(scan_unit, workers=min(workers, len(tasks))) as pool:
        for start in range(0, len(tasks), WAVE):
            pool.run(tasks[start : start + WAVE], take)
    for path, size in sizes.items():
        if _size(path) != size:
            total.lost.append(LineError(path, 1, "changed while it was read; scan it again"))
    said = {name: s.conclude(total.rows) for name, s in scanners.items()}
    return _scanned(tuple(sources), total, said)


def _tasks(
    sources: Sequence[str],
    names: tuple[str, ...],
    context: Context,
    spool: Path,
    unit_bytes: int,
    total: _Sum,
) -> Iterator[Task]:
    for number, path in enumerate(sources):
        try:
            for unit in units(path, unit_bytes):
                yield Task(unit, number, names, context, str(spool))
        except (OSError, ValueError) as problem:
            what = getattr(problem, "strerror", None) or str(problem).splitlines()[0]
            total.lost.append(LineError(path, 1, f"cannot be read ({what})"))


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return -1


def _add(total: _Sum, scanners: dict[str, Scanner], result: Result[Task, Seen]) -> None:
    unit, seen = result.task.unit, result.value
    if seen is None:
        what = f"part {unit.index + 1} of the file could not be scanned: {result.error}"
        total.lost.append(LineError(unit.source, 1, what))
        return
    total.rows += seen.rows
    total.unreadable += seen.unreadable
    total.lines[result.task.file, unit.index] = seen.lines
    for name, seconds in seen.seconds.items():
        total.seconds[name] = total.seconds.get(name, 0.0) + seconds
    for name, scanner in seen.scanners.items():
        scanners[name].merge(scanner)
    seen.scanners = {}  # results of a wave are kept until its end; their states need not be


def _scanned(sources: tuple[str, ...], total: _Sum, said: dict[str, Conclusion]) -> Scanned:
    before: dict[tuple[int, int], int] = {}
    for place in sorted(total.lines):
        last = (place[0], place[1] - 1)
        before[place] = before.get(last, 0) + total.lines.get(last, 0)
    return Scanned(
        sources=sources,
        rows=total.rows,
        unreadable=total.unreadable,
        about=tuple(finding for conclusion in said.values() for finding in conclusion.about),
        dropped=tuple((n, kind) for n, c in said.items() for kind in sorted(c.dropped)),
        lost=tuple(sorted(total.lost, key=lambda e: (e.source, e.reason))),
        before=before,
        seconds=total.seconds,
    )


def spool_in(folder: Path | None) -> tempfile.TemporaryDirectory[str]:
    """A folder for findings under way, beside the results or in the system's own place."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=".scan-", dir=folder)
