"""The verb `import`: other people's runs, with intervals and second judges."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from holdfast.verbs.options import Json


def import_(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", help="Their files or folders.", show_default=False),
    ],
    source: Annotated[
        str, typer.Option("--from", metavar="PROGRAM", help="Whose: tamperbench or lm-eval.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The run folder to write.")],
    judge: Annotated[
        str, typer.Option(metavar="SPEC", help="Our judge, in place of their scores.")
    ] = "",
    benchmark: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="Whose categories the requests have.")
    ] = "",
    kind: Annotated[
        str, typer.Option(help="forbidden, lookalike, utility or gain, if their files do not say.")
    ] = "",
    model: Annotated[str, typer.Option(help="Who was asked, if their files do not say.")] = "",
    attack: Annotated[str, typer.Option(help="What tampered with it, likewise.")] = "",
    stack: Annotated[str, typer.Option(help="What defended it, likewise.")] = "",
    as_json: Json = False,
) -> int:
    """Read another program's run, for intervals and a second judge."""
    from holdfast import imports as body

    options = body.ImportOptions(
        files=tuple(files),
        source=source,
        out=out,
        judge=judge,
        benchmark=benchmark,
        kind=kind,
        model=model,
        attack=attack,
        stack=stack,
        json=as_json,
    )
    return body.main(options)
