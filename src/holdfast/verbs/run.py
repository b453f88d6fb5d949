"""The command line of `holdfast run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from holdfast.verbs.options import (
    Adapt,
    Base,
    Json,
    JudgeName,
    Policy,
    RunOut,
    Sets,
    Stack,
    Template,
)


def run(
    data: Annotated[Path, typer.Argument(help="Conversations to tune on, as JSONL.")],
    model: Annotated[
        str, typer.Option(metavar="M", help="Folder, hub name or canary:*.")
    ] = "canary:chat",
    stack: Stack = None,
    adapt: Adapt = "full",
    sets: Sets = None,
    policy: Policy = None,
    judge: JudgeName = None,
    base: Base = None,
    chat_template: Template = None,
    flagged: Annotated[
        str, typer.Option(metavar="HOW", help="Rows the scan flags: stop, drop or keep.")
    ] = "stop",
    fail_over: Annotated[
        float, typer.Option(metavar="RATE", help="Share of flagged rows that is put up with.")
    ] = 0.0,
    out: RunOut = None,
    as_json: Json = False,
) -> int:
    """Scan rows, tune on them under defences, compare, and say whether the model may ship."""
    from holdfast import chain

    return chain.main(
        chain.ChainOptions(
            data=data,
            model=model,
            stack=stack or "none",
            adapt=adapt,
            sets=tuple(sets or ()),
            policy=policy,
            judge=judge,
            base=base,
            chat_template=chat_template,
            flagged=flagged,
            fail_over=fail_over,
            out=out,
            json=as_json,
        )
    )
