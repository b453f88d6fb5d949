"""The exchanges of a run as parquet, and SQL over the cells and exchanges of several runs."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.canonical import write_bytes
from holdfast.errors import UserError

if TYPE_CHECKING:
    import duckdb

PARTS = "parts"
FILE = "exchanges.parquet"


def write_part(run: Path, cell: str, exchanges: Sequence[Mapping[str, Any]]) -> None:
    """Write the exchanges of cells measured together as `parts/<first cell>.parquet`.

    Every row has that cell's id as `part`, which is what makes a repeated part count once. An
    exchange has plain JSON values. The fields of its `request` become columns of the row; the
    conversation in it is left out, since `prompt` is what was asked.
    """
    if not exchanges:
        return
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"part": cell} | _flat(exchange) for exchange in exchanges]
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: _column([row.get(name) for row in rows], pa) for name in names}
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    folder = run / PARTS
    folder.mkdir(exist_ok=True)
    write_bytes(folder / f"{cell}.parquet", buffer.getvalue())


def merge(run: Path, cells: Sequence[str]) -> None:
    """Put the parts of these cells into `exchanges.parquet` and remove them.

    Rows are in the order of the cells. Killed at any point, the next call mends it: a cell that
    is both merged and a part counts once.
    """
    parts = [part for cell in cells if (part := run / PARTS / f"{cell}.parquet").exists()]
    if not parts:
        return
    import duckdb

    target, temporary = run / FILE, run / f".{FILE}.{os.getpid()}.tmp"
    sources = [f"SELECT * FROM {_parquet(parts)}"]
    if target.exists():
        new = ", ".join(_text(part.stem) for part in parts)
        sources.insert(0, f"SELECT * FROM {_parquet([target])} WHERE part NOT IN ({new})")
    try:
        with duckdb.connect() as database:
            rows = " UNION ALL BY NAME ".join(sources)
            database.execute(f"COPY ({rows}) TO {_text(str(temporary))} (FORMAT parquet)")
        temporary.replace(target)
    except duckdb.IOException as error:
        full = "No space left" in str(error)
        raise OSError(errno.ENOSPC if full else errno.EIO, _reason(full, error)) from error
    finally:
        temporary.unlink(missing_ok=True)
    for part in parts:
        part.unlink()
    if not any((run / PARTS).iterdir()):
        (run / PARTS).rmdir()


def query(sql: str, runs: Sequence[Path]) -> list[dict[str, Any]]:
    """The rows of an SQL query over the tables `cells` and `exchanges` of some run folders.

    Each table has a column `run` with the folder's name. Runs that are still going count too.

    Raises:
        UserError: a folder is no run, or DuckDB does not understand the query.
    """
    import duckdb

    for run in runs:
        if not (run / "run.json").is_file():
            raise UserError(f"{run} is no run folder: it has no run.json.")
    try:
        with duckdb.connect() as database:
            _make_view(database, "cells", [_cells_of(run) for run in runs])
            _make_view(database, "exchanges", [_exchanges_of(run) for run in runs])
            answer = database.execute(sql)
            names = [column[0] for column in answer.description or []]
            return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    except duckdb.Error as error:
        raise UserError(f"The query failed: {str(error).splitlines()[0]}") from error


def _make_view(
    database: duckdb.DuckDBPyConnection, name: str, sources: Sequence[str | None]
) -> None:
    found = [source for source in sources if source] or ["SELECT NULL AS run WHERE false"]
    database.execute(f"CREATE VIEW {name} AS {' UNION ALL BY NAME '.join(found)}")


def _cells_of(run: Path) -> str | None:
    file = run / "cells.jsonl"
    if not file.exists() or not file.stat().st_size:
        return None
    # ignore_errors: the last line of a run that is still going may be half written.
    options = "format='newline_delimited', ignore_errors=true, sample_size=-1"
    rows = f"read_json({_text(str(file))}, {options})"
    return f"SELECT {_text(run.resolve().name)} AS run, * FROM {rows}"


def _exchanges_of(run: Path) -> str | None:
    merged, parts = run / FILE, sorted((run / PARTS).glob("[!.]*.parquet"))
    sources = []
    if merged.exists():
        sources.append(f"SELECT * FROM {_parquet([merged])}")
    if parts:
        only = f" WHERE part NOT IN (SELECT part FROM {_parquet([merged])})" if sources else ""
        sources.append(f"SELECT * FROM {_parquet(parts)}{only}")
    if not sources:
        return None
    rows = " UNION ALL BY NAME ".join(sources)
    return f"SELECT {_text(run.resolve().name)} AS run, * FROM ({rows})"


def _flat(exchange: Mapping[str, Any]) -> dict[str, Any]:
    row = dict(exchange)
    request = row.pop("request", None)
    if isinstance(request, Mapping):
        asked = {name: value for name, value in request.items() if name != "prompt"}
        row = {"request": asked.pop("id", None), **asked, **row}
    elif request is not None:
        row["request"] = request
    return {
        name: json.dumps(value) if isinstance(value, list | dict) else value
        for name, value in row.items()
    }


def _column(values: list[Any], pa: Any) -> Any:
    """A column of one type; one without any value is text, so that parts fit together."""
    known = {type(value) for value in values if value is not None}
    if not known or str in known:
        texts = [
            value if value is None or isinstance(value, str) else str(value) for value in values
        ]
        return pa.array(texts, pa.string())
    if known <= {bool}:
        return pa.array(values, pa.bool_())
    if known <= {int}:
        return pa.array(values, pa.int64())
    return pa.array([None if value is None else float(value) for value in values], pa.float64())


def _reason(full: bool, error: Exception) -> str:
    return os.strerror(errno.ENOSPC) if full else str(error).splitlines()[0]


def _parquet(files: Sequence[Path]) -> str:
    return f"read_parquet([{', '.join(_text(str(file)) for file in files)}], union_by_name=true)"


def _text(value: str) -> str:
    """An SQL string. (COPY and CREATE VIEW take no parameters.)"""
    return "'" + value.replace("'", "''") + "'"
