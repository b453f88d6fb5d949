"""`--fix`: the set without the flagged rows, and the flagged ones beside it.

Lines are copied as they are, byte for byte. Unreadable lines go with the flagged ones.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from holdfast.scan.results import FINDINGS
from holdfast.scan.sources import shape_of

if TYPE_CHECKING:
    import pyarrow as pa

KEPT, FLAGGED = "clean", "flagged"
_ROWS = 10_000


@dataclass(frozen=True)
class Fixed:
    """How many rows or lines went where, over all files."""

    kept: int
    flagged: int


def fix(sources: Sequence[str], out: Path) -> Fixed:
    """Write every source twice: `out/clean` without flagged rows, `out/flagged` with them only.

    Files of the same name in different folders keep apart by a number before the name.
    """
    for part in (KEPT, FLAGGED):
        (out / part).mkdir(exist_ok=True)
    kept = flagged = 0
    taken: set[str] = set()
    for number, source in enumerate(sources):
        name = Path(source).name
        name = f"{number}-{name}" if name in taken else name
        taken.add(name)
        lines = _flagged(out / FINDINGS, source)
        try:
            shape = shape_of(source)
        except OSError:
            continue  # it is told among what was lost
        split = _split_parquet if shape == "parquet" else _split_lines
        counts = split(Path(source), lines, out / KEPT / name, out / FLAGGED / name)
        kept, flagged = kept + counts[0], flagged + counts[1]
    return Fixed(kept, flagged)


def _flagged(findings: Path, source: str) -> Iterator[int]:
    """The flagged lines of a source in order, then a number no line has."""
    import duckdb

    with duckdb.connect() as database:
        found = database.execute(
            "SELECT DISTINCT line FROM read_parquet(?) WHERE source = ? AND level = 'flag' "
            "ORDER BY line",
            [str(findings), source],
        )
        while rows := found.fetchmany(_ROWS):
            yield from (row[0] for row in rows)
    yield -1


def _split_lines(source: Path, lines: Iterator[int], kept: Path, flagged: Path) -> tuple[int, int]:
    counts = [0, 0]
    bad = next(lines)
    packed = shape_of(str(source)) == "gzip"
    with (
        _open(source, "rb", packed) as file,
        _open(kept, "wb", packed) as good_file,
        _open(flagged, "wb", packed) as bad_file,
    ):
        for number, part, whole in _numbered(file):
            is_bad = number == bad
            (bad_file if is_bad else good_file).write(part)
            if whole:
                counts[is_bad] += bool(part.strip())
                bad = next(lines) if is_bad else bad
    return counts[0], counts[1]


def _open(path: Path, mode: str, packed: bool) -> IO[bytes]:
    return gzip.open(path, mode) if packed else path.open(mode)  # type: ignore[return-value]


def _numbered(file: IO[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    """Pieces of lines with their line's number, and whether a line ends with the piece."""
    number = 1
    while part := file.readline(1 << 20):
        whole = part.endswith(b"\n") or len(part) < 1 << 20
        yield number, part, whole
        number += whole


def _split_parquet(
    source: Path, lines: Iterator[int], kept: Path, flagged: Path
) -> tuple[int, int]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    bad, first, counts = next(lines), 1, [0, 0]
    with pq.ParquetFile(source) as file:
        schema = file.schema_arrow
        with pq.ParquetWriter(kept, schema) as good, pq.ParquetWriter(flagged, schema) as out:
            for part in file.iter_batches(_ROWS):
                mask = [True] * part.num_rows
                while first <= bad < first + part.num_rows:
                    mask[bad - first] = False
                    bad = next(lines)
                keep = pa.array(mask)
                _write(good, part.filter(keep))
                _write(out, part.filter(pa.compute.invert(keep)))
                counts[0] += sum(mask)
                counts[1] += part.num_rows - sum(mask)
                first += part.num_rows
    return counts[0], counts[1]


def _write(writer: object, part: pa.RecordBatch) -> None:
    if part.num_rows:
        writer.write_batch(part)  # type: ignore[attr-defined]
