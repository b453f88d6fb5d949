"""The command line: thin verbs, each of which imports what it needs when it is called.

Exit codes: 0 holds or clean, 2 breaks or findings, 3 insufficient evidence, 1 any error, errors of
usage included.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import __version__
from holdfast.verbs import judges as judges_verbs
from holdfast.verbs import probe
from holdfast.verbs.evaluate import evaluate
from holdfast.verbs.export import export
from holdfast.verbs.failures import sentence_for
from holdfast.verbs.imports import import_
from holdfast.verbs.merge import merge
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
    Workers,
)
from holdfast.verbs.repair import repair
from holdfast.verbs.report import report
from holdfast.verbs.run import run as chain
from holdfast.verbs.serve import app as gate_app
from holdfast.verbs.serve import serve, worker
from holdfast.verbs.world import app as world_app

ERROR = 1
INTERRUPTED = 130  # what typer makes of a KeyboardInterrupt


class Suite(StrEnum):
    quick = "quick"
    standard = "standard"
    full = "full"
    backdoor = "backdoor"


app = typer.Typer(
    help="Does a language model keep its safeguards when somebody fine-tunes it?\n\n"
    "Exit codes: 0 holds or clean, 2 breaks or findings, 3 insufficient evidence, 1 error.",
    no_args_is_help=False,
    add_completion=False,
    rich_markup_mode=None,  # plain help is six times faster
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(world_app, name="world")
app.add_typer(judges_verbs.app, name="judges")
app.command()(probe.probe)


@app.callback(invoke_without_command=True)
def top(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"holdfast {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def audit(
    model: Annotated[
        str | None, typer.Argument(help="Folder, hub name or canary:*; canary:chat if not given.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings of the audit, as YAML.")
    ] = None,
    suite: Annotated[Suite | None, typer.Option(help="How much to try.")] = None,
    stack: Stack = None,
    sets: Sets = None,
    policy: Policy = None,
    judge: JudgeName = None,
    chat_template: Template = None,
    implant: Annotated[
        bool, typer.Option("--implant", help="Teach the model a canary world first.")
    ] = False,
    adaptive: Annotated[
        bool,
        typer.Option("--adaptive", help="Let the attacker search his settings, stack by stack."),
    ] = False,
    workers: Workers = None,
    out: RunOut = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show what would run, and run nothing.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Attack a model by fine-tuning and say whether its safeguards hold."""
    from holdfast import audit as body

    options = body.AuditOptions(
        model=model,
        config=config,
        suite=suite.value if suite else None,
        stack=stack,
        sets=tuple(sets or ()),
        policy=policy,
        judge=judge,
        chat_template=chat_template,
        implant=implant,
        adaptive=adaptive,
        workers=workers,
        out=out,
        plan=plan,
        json=as_json,
    )
    return int(body.main(options))


@app.command()
def compare(
    base: Annotated[str, typer.Argument(help="The model before.")],
    tuned: Annotated[str, typer.Argument(help="The model after.")],
    policy: Policy = None,
    judge: JudgeName = None,
    chat_template: Template = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Run folder.")] = None,
    as_json: Json = False,
) -> int:
    """Say whether tuning broke what the model before it refused."""
    from holdfast import compare as body

    options = body.CompareOptions(
        base=base,
        tuned=tuned,
        policy=policy,
        judge=judge,
        chat_template=chat_template,
        out=out,
        json=as_json,
    )
    return int(body.main(options))


app.command()(evaluate)  # verbs of many options have files of their own


app.command()(judges_verbs.judge)


@app.command()
def tune(
    model: Annotated[str, typer.Argument(help="Folder, hub name or canary:*.")],
    rows: Annotated[Path, typer.Argument(help="Conversations to tune on, as JSONL.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the tuned model.")],
    stack: Stack = None,
    adapt: Adapt = "full",
    sets: Sets = None,
    policy: Policy = None,
    base: Base = None,
    chat_template: Template = None,
    as_json: Json = False,
) -> int:
    """Fine-tune a model, under defences if you name some."""
    from holdfast import tuning

    return tuning.main(
        tuning.TuneOptions(
            model=model,
            rows=rows,
            out=out,
            stack=stack or "none",
            adapt=adapt,
            sets=tuple(sets or ()),
            policy=policy,
            base=base,
            chat_template=chat_template,
            json=as_json,
        )
    )


app.command()(merge)
app.command()(repair)
app.command("run")(chain)


@app.command()
def scan(
    data: Annotated[
        list[str], typer.Argument(help="JSONL or Parquet files, folders, globs, or - for stdin.")
    ],
    model: Annotated[
        str, typer.Option(metavar="M", help="Also rank the rows by what they may do to this model.")
    ] = "",
    policy: Policy = None,
    scanner: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this one; may be repeated.")
    ] = None,
    fail_over: Annotated[
        float, typer.Option(metavar="RATE", help="Share of flagged rows that is put up with.")
    ] = 0.0,
    workers: Workers = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for results.")] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Write the set without flagged rows, and those beside it.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Say which rows of a data set, and which sets, would break a model tuned on them."""
    from holdfast.verbs import scan as body

    return body.main(
        body.ScanOptions(
            data=data,
            model=model,
            policy=policy or "",
            scanners=tuple(scanner or ()),
            fail_over=fail_over,
            workers=workers,
            out=out,
            fix=fix,
            json=as_json,
        )
    )


@app.command("list")
def list_(
    what: Annotated[
        str | None, typer.Argument(help="attacks, elicitations, benchmarks, models …; all if none.")
    ] = None,
    as_json: Json = False,
) -> int:
    """List the methods, benchmarks, judges, models and suites there are."""
    from holdfast import listing

    return listing.main(what, as_json=as_json)


app.command()(report)
app.command()(serve)
app.command()(worker)
app.add_typer(gate_app, name="gate")
app.command()(export)
app.command("import")(import_)


@app.command()
def version(as_json: Json = False) -> int:
    """Print the version."""
    import json

    print(json.dumps({"holdfast": __version__}) if as_json else f"holdfast {__version__}")
    return 0


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and give its exit code; every failure is one sentence on stderr."""
    command: Any = typer.main.get_command(app)
    try:
        code = command.main(args=arguments, prog_name="holdfast", standalone_mode=False)
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ERROR
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        print(f"holdfast: {sentence_for(error)}", file=sys.stderr)
        return ERROR
    return code if isinstance(code, int) else 0


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())


if __name__ == "__main__":
    main()
