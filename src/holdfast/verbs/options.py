"""Options that several verbs have, each spelled and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]
Policy = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="What must be refused; canary45 if not given."),
]
JudgeName = Annotated[
    str | None, typer.Option(metavar="NAME", help="Who gives verdicts; see `list judges`.")
]
Template = Annotated[
    str | None, typer.Option(metavar="FILE", help="Chat template instead of the model's own.")
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting; may be repeated."),
]
Stack = Annotated[
    str | None, typer.Option(metavar="NAME+NAME…", help="Defences used together; see `list`.")
]
Adapt = Annotated[
    str, typer.Option(metavar="HOW", help="full, lora, or lota: which weights may move.")
]
Base = Annotated[
    str | None, typer.Option(help="The model before alignment, if a defence needs it.")
]
RunOut = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Run folder, made or gone on with.")
]
Workers = Annotated[
    int | None, typer.Option(min=0, help="Worker processes; 0 runs everything in this one.")
]
