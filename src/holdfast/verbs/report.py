"""The verb `report`: pages of runs that are there, and queries over them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.errors import UserError
from holdfast.verbs.options import Json


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The page; report.html in the run if not.")
    ] = None,
    sql: Annotated[
        str | None, typer.Option(help="Ask the tables `cells` and `exchanges` instead.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Write a run's page, or one page for several runs, or answer a query over them."""
    if sql is not None:
        from holdfast.runs import query

        _print_rows(query(sql, runs), as_json)
        return 0
    from holdfast.report import html

    if len(runs) == 1:
        page = html.write_report(runs[0], out)
    elif out is None:
        raise UserError("Several runs make one page: say where with --out FILE.")
    else:
        page = html.write_runs_report(runs, out)
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
