"""The body of `holdfast probe`: look into a model, print what was found, keep it as JSON."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.errors import UserError
from holdfast.probing import Asked, looking
from holdfast.verbs.options import Json

if TYPE_CHECKING:
    from rich.console import Console

    from holdfast.probes import Found

FILE = "probes.json"


def probe(
    model: Annotated[str, typer.Argument(help="Folder, hub name or canary:*.")],
    probes: Annotated[
        list[str], typer.Option("--probe", metavar="NAME", help="What to look at; repeatable.")
    ],
    against: Annotated[
        str | None, typer.Option(metavar="MODEL", help="The model before; a canary's own base.")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="What must be refused; canary45 if not given."),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, help="Forbidden requests each measurement asks.")
    ] = 90,
    seed: Annotated[int, typer.Option(help="Of rows drawn and random controls.")] = 0,
    chat_template: Annotated[
        str | None, typer.Option(metavar="FILE", help="Chat template instead of the model's own.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help=f"Folder for {FILE}.")] = None,
    as_json: Json = False,
) -> int:
    """Look where in weights and activations a model's safeguards live."""
    from rich.console import Console

    from holdfast import aligned, registry
    from holdfast.probes import PROBES
    from holdfast.report import probe as probe_page

    asked = Asked(
        model=model,
        probes=tuple(registry.parse(PROBES, spec) for spec in probes),
        against=against or aligned.base_of(model) or parent_of(model),
        policy=policy or aligned.policy_name(model),
        limit=limit,
        seed=seed,
        chat_template=chat_template,
    )
    console = Console(stderr=as_json)
    told = look(asked, console)
    if out is not None:
        told["file"] = str(keep(told, out))
        page = probe_page.write(out)
        console.print(f"Page: {page}", highlight=False)
    if as_json:
        print(json.dumps(told, indent=2))
    return 0


def look(asked: Asked, console: Console) -> dict[str, Any]:
    """Runs the probes in turn; prints each one's finding as soon as it is there."""
    from holdfast.probes import PROBES

    seen = looking(asked, console)
    found = []
    for config in asked.probes:
        result = PROBES[type(config)](config, seen)
        show(config.spec(), result, console)
        settings = config.model_dump(mode="json", exclude={"kind"})
        found.append({"probe": config.kind, "settings": settings, **asdict(result)})
    return {
        "model": asked.model,
        "digest": seen.model.digest,
        "against": asked.against,
        "policy": asked.policy,
        "limit": asked.limit,
        "seed": asked.seed,
        "probes": found,
    }


def parent_of(model: str) -> str | None:
    """The model that an adapter's folder names as its own; None for anything else."""
    described = Path(model) / "adapter_config.json"
    if not described.is_file():
        return None
    parent = json.loads(described.read_text("utf-8")).get("base_model_name_or_path")
    beside = Path(model) / str(parent)
    return str(beside) if beside.is_dir() else parent


def show(spec: str, found: Found, console: Console) -> None:
    """Prints a finding: its sentences, then its tables."""
    from rich.table import Table

    console.rule(spec)
    for sentence in found.said:
        console.print(sentence, highlight=False)
    for told in found.tables:
        table = Table(*told.columns, title=told.title, title_justify="left")
        for line in told.rows:
            table.add_row(*("" if cell is None else str(cell) for cell in line))
        console.print(table)


def keep(told: dict[str, Any], folder: Path) -> Path:
    """Writes the findings under a temporary name and renames it.

    Raises:
        UserError: the folder cannot be written.
    """
    path = folder / FILE
    part = folder / f".{FILE}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(told, indent=2) + "\n", "utf-8")
        part.replace(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error}): choose another folder.") from error
    return path
