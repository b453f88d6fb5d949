"""The verb `export`: a run in the format of another program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from holdfast.verbs.options import Json


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run folder.")],
    to: Annotated[str, typer.Option(metavar="FORMAT", help="The format: inspect.")],
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="A folder, or a file if one is enough.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Write a run as another program's logs."""
    from holdfast import export as body

    return body.main(body.ExportOptions(run=run, to=to, out=out, json=as_json))
