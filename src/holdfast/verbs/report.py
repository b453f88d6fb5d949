"""The body of `holdfast report`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holdfast.errors import UserError


def main(runs: Sequence[Path], *, out: Path | None, sql: str | None, as_json: bool) -> int:
    """Write the page of one run or of several, or print the answer to a query."""
    if sql is not None:
        from holdfast.runs import query

        _print_rows(query(sql, list(runs)), as_json)
        return 0
    from holdfast.report import html

    if len(runs) == 1:
        page = html.write_report(runs[0], out)
    elif out is None:
        raise UserError("Several runs make one page: say where with --out FILE.")
    else:
        page = html.write_runs_report(list(runs), out)
    print(json.dumps({"report": str(page)}) if as_json else page)
    return 0


def _print_rows(rows: Sequence[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows, indent=2, default=str))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*(rows[0] if rows else ["no rows"]))
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    Console().print(table)
