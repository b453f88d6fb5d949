"""The verb `evaluate`: what models refuse, category by category and way by way of asking."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from holdfast.verbs.options import Json, Template, Workers


def evaluate(
    models: Annotated[
        list[str], typer.Argument(help="Folders, hub names, canary:*, or http://HOST/v1#MODEL.")
    ],
    benchmark: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="Whose requests: canary45, FILE or NAME=PATH.")
    ] = "canary45",
    mutations: Annotated[
        str, typer.Option(metavar="NAMES", help="Ways of rewording: all, none, names or groups.")
    ] = "none",
    task_shape: Annotated[
        str, typer.Option(metavar="NAMES", help="Requests in the shape of a task: all or names.")
    ] = "none",
    in_code_of: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="JSONL of a tune: ask in the code that its rows teach."),
    ] = None,
    judges: Annotated[
        list[str] | None,
        typer.Option("--judge", metavar="SPEC", help="The first one counts; may be repeated."),
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="The model before alignment, which shows what it can do.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="At most so many requests of each kind and way.")
    ] = None,
    chat_template: Template = None,
    max_new_tokens: Annotated[
        int | None, typer.Option(help="Longest reply; as references need, or 256, if not given.")
    ] = None,
    authority: Annotated[
        str, typer.Option(help="On whose authority a model on another machine is tested.")
    ] = "",
    workers: Workers = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Run folder, made or gone on with.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Say what models refuse, category by category and way by way of asking."""
    from holdfast.evaluation import options as given
    from holdfast.evaluation import run as body

    options = given.EvaluateOptions(
        models=tuple(models),
        benchmark=benchmark,
        mutations=mutations,
        task_shape=task_shape,
        in_code_of=in_code_of,
        judges=tuple(judges or ()),
        base=base,
        limit=limit,
        chat_template=chat_template,
        max_new_tokens=max_new_tokens,
        authority=authority,
        workers=workers,
        out=out,
        json=as_json,
    )
    return body.main(options)
