"""What there is to scan: files, folders, globs and standard input, cut into units of work."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from holdfast.errors import UserError

STDIN = "-"
UNIT_BYTES = 8 << 20
LINES = (".jsonl", ".ndjson", ".json")
Shape = Literal["lines", "gzip", "parquet"]
MAGIC = b"PAR1"


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of a file that one worker reads at a time.

    Attributes:
        source: the file's path.
        index: which piece of its file this is, from 0.
        start, end: bytes of a file of lines, whose lines begin in there; row groups of Parquet.
    """

    source: str
    shape: Shape
    index: int
    start: int
    end: int


def find(data: Sequence[str]) -> list[str]:
    """The files that the arguments name, each once, sorted by path.

    Raises:
        UserError: an argument names nothing, or standard input comes with other data.
    """
    if STDIN in data:
        if len(data) > 1:
            raise UserError("Standard input (-) is scanned on its own; leave out the other data.")
        return [STDIN]
    files: set[str] = set()
    for name in data:
        found = list(_named(name))
        if not found:
            raise UserError(
                f"{name} names no data; give a JSONL or Parquet file, a folder or a glob of them, "
                "or - for standard input."
            )
        files.update(found)
    return sorted(files)


def _named(name: str) -> Iterator[str]:
    path = Path(name)
    if path.is_dir():
        for folder, folders, names in os.walk(path):
            folders[:] = [f for f in folders if not f.startswith(".")]
            yield from (str(Path(folder, n)) for n in names if _is_data(n))
    elif path.exists():
        yield name
    else:
        yield from (f for f in glob.glob(name, recursive=True) if Path(f).is_file())  # noqa: PTH207


def _is_data(name: str) -> bool:
    known = (*LINES, ".parquet", *(f"{end}.gz" for end in LINES))
    return not name.startswith(".") and name.lower().endswith(known)


def shape_of(path: str) -> Shape:
    """How a file is laid out, told by its first bytes."""
    with Path(path).open("rb") as file:
        first = file.read(4)
    if first == MAGIC or (not first and path.lower().endswith(".parquet")):
        return "parquet"
    return "gzip" if first[:2] == b"\x1f\x8b" else "lines"


def units(path: str, unit_bytes: int = UNIT_BYTES) -> list[Unit]:
    """Cuts one file into units.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it says to be Parquet and is not.
    """
    shape = shape_of(path)
    if shape == "parquet":
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            groups = int(file.metadata.num_row_groups)
        return [Unit(path, shape, i, i, i + 1) for i in range(groups)]
    size = Path(path).stat().st_size
    if shape == "gzip":
        return [Unit(path, shape, 0, 0, size)]
    edges: Iterable[int] = range(0, size, unit_bytes)
    return [Unit(path, shape, i, a, min(a + unit_bytes, size)) for i, a in enumerate(edges)]
