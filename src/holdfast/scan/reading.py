"""Reads one unit of work as batches of rows; whatever the bytes, every defect is told and passed.

A unit of a file of lines owns the lines whose first byte lies in it, so units can be read in any
order by any number of workers and give the same rows.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from holdfast.chat import LineError, Row
from holdfast.formats import NotARow, parse
from holdfast.scan.batch import Batch
from holdfast.scan.quick import quick_row
from holdfast.scan.sources import Unit

BATCH_ROWS = 2048
BATCH_BYTES = 4 << 20
LONGEST_LINE = 16 << 20
_BOM = b"\xef\xbb\xbf"
_TOO_LONG = f"is longer than {LONGEST_LINE >> 20} MiB; is the file one line? Write a row on each"


def read(unit: Unit) -> Iterator[Batch]:
    """The rows of a unit; lines are numbered from its own start.

    What stops the reading of the unit (the file vanished, shrank, or is damaged) is an error of
    the line where it happened.
    """
    if unit.shape == "parquet":
        yield from _batches(_parquet_lines(unit), unit.source)
    elif unit.shape == "gzip":
        yield from _batches(_gzip_lines(unit), unit.source)
    else:
        yield from _batches(_lines(unit), unit.source)


Line = bytes | LineError


def _batches(lines: Iterable[tuple[int, Line]], source: str) -> Iterator[Batch]:
    rows: list[Row] = []
    numbers: list[int] = []
    errors: list[LineError] = []
    size = number = 0
    for number, line in lines:
        if isinstance(line, LineError):
            errors.append(line)
            continue
        if not line:
            continue
        try:
            rows.append(quick_row(line) or parse(line))
            numbers.append(number)
        except NotARow as problem:
            errors.append(LineError(source, number, str(problem)))
        size += len(line)
        if len(rows) + len(errors) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield Batch(rows, numbers, errors, number)
            rows, numbers, errors, size = [], [], [], 0
    yield Batch(rows, numbers, errors, number)


def _lines(unit: Unit) -> Iterator[tuple[int, Line]]:
    try:
        with Path(unit.source).open("rb") as file:
            if unit.start:
                file.seek(unit.start - 1)
                _skip(file, unit.end - unit.start + 1)
            yield from _own_lines(file, unit)
    except OSError as problem:
        yield 1, LineError(unit.source, 1, f"cannot be read ({problem.strerror or problem})")


def _own_lines(file: IO[bytes], unit: Unit) -> Iterator[tuple[int, Line]]:
    number, at = 0, file.tell()
    while at < unit.end:
        number += 1
        line = file.readline(LONGEST_LINE)
        if not line:
            yield number, LineError(unit.source, number, "was cut off while it was read")
            return
        if len(line) >= LONGEST_LINE and not line.endswith(b"\n"):
            _skip(file)
            yield number, LineError(unit.source, number, _TOO_LONG)
        else:
            yield number, _bare(line)
        at = file.tell()


def _bare(line: bytes) -> bytes:
    """A line without white space and the mark that may open a file; that mark alone is no row."""
    return line.removeprefix(_BOM).strip() or line.strip()


def _skip(file: IO[bytes] | gzip.GzipFile, most: int | None = None) -> None:
    """Move behind the next line end, or at least `most` bytes on."""
    left = most
    while left is None or left > 0:
        part = file.readline(1 << 20 if left is None else min(left, 1 << 20))
        if not part or part.endswith(b"\n"):
            return
        if left is not None:
            left -= len(part)


def _gzip_lines(unit: Unit) -> Iterator[tuple[int, Line]]:
    number = 0
    try:
        with gzip.open(unit.source, "rb") as file:
            while line := file.readline(LONGEST_LINE):
                number += 1
                if len(line) >= LONGEST_LINE and not line.endswith(b"\n"):
                    _skip(file)
                    yield number, LineError(unit.source, number, _TOO_LONG)
                else:
                    yield number, _bare(line)
    except (OSError, EOFError, zlib.error) as problem:
        reason = f"and all after it cannot be unpacked ({problem})"
        yield number + 1, LineError(unit.source, number + 1, reason)


def _parquet_lines(unit: Unit) -> Iterator[tuple[int, Line]]:
    """Every row of a row group as the JSON line it would be."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(unit.source) as file:
            for part in file.iter_batches(BATCH_ROWS, row_groups=[unit.start]):
                for record in part.to_pylist():
                    number += 1
                    yield number, _as_line(record, unit.source, number)
    except (OSError, pa.ArrowException, ValueError) as problem:
        what = str(problem).splitlines()[0][:120]
        yield number + 1, LineError(unit.source, number + 1, f"and all after it: {what}")


def _as_line(record: dict[str, Any], source: str, number: int) -> Line:
    told = {key: value for key, value in record.items() if value is not None}
    try:
        return json.dumps(told, ensure_ascii=False, default=str).encode()
    except (TypeError, ValueError) as problem:
        return LineError(source, number, f"is no row ({problem})")
