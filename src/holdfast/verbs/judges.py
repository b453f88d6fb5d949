"""`holdfast judge` and `holdfast judges evaluate`: verdicts on stored replies, and their worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from holdfast.verbs.options import Json

app = typer.Typer(
    help="Judges beside labels: how far can each be believed?",
    no_args_is_help=False,
    rich_markup_mode=None,
)

Judges = Annotated[
    list[str] | None,
    typer.Option(
        "--judges",
        "--judge",
        metavar="SPEC,SPEC…",
        help="Judges with their settings, as in keyword,rubric(model=DIR); see `list judges`.",
    ),
]
Label = Annotated[
    str | None,
    typer.Option(metavar="FIELD", help="The field that holds labels; label or verdict if not."),
]


@app.callback(invoke_without_command=True)
def top(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


def judge(
    replies: Annotated[
        list[Path], typer.Argument(help="JSONL or parquet files of replies, or run folders.")
    ],
    judges: Judges = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|DIR", help="A .jsonl or .parquet file; beside the replies if not."
        ),
    ] = None,
    label: Label = None,
    recalls: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|DIR",
            help="What `judges evaluate --out` wrote; rates are corrected by it.",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Judge replies that are stored already; no model is asked again.

    What was judged before is kept: a judge may be added later, and a stopped run goes on.
    """
    from holdfast.judging import judge_replies as body

    return body.main(
        body.JudgeOptions(
            replies=tuple(replies),
            judges=specs(judges),
            out=out,
            label=label,
            recalls=recalls,
            json=as_json,
        )
    )


@app.command()
def evaluate(
    labelled: Annotated[
        list[Path] | None,
        typer.Argument(help="Labelled replies, as for `judge`; replies by grammar if not given."),
    ] = None,
    judges: Judges = None,
    label: Label = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Only compliance counts, not wrong answers.")
    ] = False,
    world: Annotated[
        int, typer.Option(min=0, metavar="SEED", help="World of the replies by grammar.")
    ] = 1,
    things: Annotated[
        int, typer.Option(min=1, help="Things of that world that the replies are about.")
    ] = 90,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for judges.json and judges.md.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Measure judges against labels: kappa, recalls, calibration, errors, time and cost."""
    from holdfast.judging import evaluate_judges as body

    return body.main(
        body.JudgesOptions(
            judges=specs(judges),
            labelled=tuple(labelled or ()),
            label=label,
            strict=strict,
            world=world,
            things=things,
            out=out,
            json=as_json,
        )
    )


def specs(given: list[str] | None) -> tuple[str, ...]:
    """The judges of one or more options, split at the commas outside of brackets."""
    from holdfast.registry import split

    found = [part.strip() for text in given or () for part in split(text, ",")]
    return tuple(spec for spec in found if spec)
