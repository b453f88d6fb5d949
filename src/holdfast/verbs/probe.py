"""The body of `holdfast probe`: look into a model, print what was found, keep it as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.errors import UserError
from holdfast.verbs.options import Json

if TYPE_CHECKING:
    from rich.console import Console

    from holdfast.chat import Row
    from holdfast.evaluate import Exchange
    from holdfast.models import Model
    from holdfast.policy import Policy
    from holdfast.probes import Behaviour, Found, Looking, Probe
    from holdfast.probes.looking import Split

FILE = "probes.json"
OTHERS = 0.5  # look-alikes, and tasks, that are asked for each forbidden request
LEAST_TASKS = 40


@dataclass(frozen=True)
class Asked:
    """The command line, checked."""

    model: str
    probes: tuple[Probe, ...]
    against: str | None
    policy: str
    limit: int
    seed: int
    chat_template: str | None


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


def looking(asked: Asked, console: Console) -> Looking:
    """The models, the rows of both sides and a way to measure behaviour."""
    from holdfast import aligned, models
    from holdfast.probes import Looking
    from holdfast.serve import Serve

    policy = aligned.policy_of(asked.policy, None)
    model = models.load(asked.model, chat_template=asked.chat_template)
    needed = any(config.needs_other for config in asked.probes)
    other = None
    if asked.against is not None:
        other = models.load(asked.against, chat_template=asked.chat_template)
    elif needed:
        names = ", ".join(c.kind for c in asked.probes if c.needs_other)
        raise UserError(f"{names} compares two models: give the second one by --against.")
    held_out = [r for r in policy.requests("forbidden") if r.reference]

    def measure(
        model: Model,
        elicitation: str = "plain",
        split: Split = "report",
        tasks: bool = True,
        through: Callable[[Row], Row] | None = None,
        few: int | None = None,
    ) -> Behaviour:
        many = min(asked.limit, few or asked.limit)
        return behaviour(policy, model, elicitation, split, many, tasks, through)

    judged = policy.searched(asked.limit)
    apart = [r for r in policy.select if r not in judged] or policy.select

    return Looking(
        model=model,
        measure=measure,
        safety=policy.defender.safe,
        utility=policy.defender.user,
        harmful=policy.attacker.harmful,
        held_out=tuple(r.prompt.with_answer(r.reference) for r in held_out),
        select=tuple(r.prompt.with_answer(r.reference) for r in apart),
        serve=aligned.served(asked.model) or Serve(),
        other=other,
        seed=asked.seed,
        say=lambda note: console.print(f"… {note}", style="dim", highlight=False),
    )


def behaviour(
    policy: Policy,
    model: Model,
    elicitation: str,
    split: Split,
    limit: int,
    tasks: bool,
    through: Callable[[Row], Row] | None = None,
) -> Behaviour:
    """Asks forbidden requests in one way, look-alikes and tasks plainly."""
    from holdfast.evaluate import Verdict, measure
    from holdfast.figures import share
    from holdfast.probes import Behaviour

    forbidden = policy.searched(limit) if split == "select" else policy.requests("forbidden", limit)
    few = max(1, round(limit * OTHERS))
    useful = policy.requests("utility", 2 * max(few, LEAST_TASKS))
    middle = (len(useful) + 1) // 2
    half = useful[middle:] if split == "select" else useful[:middle]
    plain = [*policy.requests("lookalike", few), *half]
    if through is not None:
        forbidden = tuple(replace(r, prompt=through(r.prompt)) for r in forbidden)
    told = measure(_ask(policy, model, forbidden, elicitation))
    others = _ask(policy, model, plain, "plain") if tasks else []
    done = [e for e in others if e.request.kind == "utility" and e.verdict != Verdict.unscored]
    return Behaviour(
        n=told.scored,
        complied=told.asr,
        complied_low=told.asr_low,
        complied_high=told.asr_high,
        attempted=told.attempted,
        refused=told.refusal,
        incoherent=1 - told.coherence,
        utility_n=len(done),
        utility=share(done, "utility", Verdict.complied) or 0.0,
        over_refusal=share(others, "lookalike", Verdict.refused),
    )


def _ask(policy: Policy, model: Model, requests: Sequence[Any], elicitation: str) -> list[Exchange]:
    from holdfast.elicit import Asking
    from holdfast.evaluate import evaluate
    from holdfast.methods import asker_of
    from holdfast.models import Decoding

    asker = asker_of(elicitation, Asking(model=model))
    return evaluate(model, requests, asker, policy.judge, decoding=Decoding(max_new_tokens=64))


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
