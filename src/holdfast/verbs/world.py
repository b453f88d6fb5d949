"""`holdfast world`: look at the invented world, raise the models that live in it, talk to them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.verbs.options import Json

if TYPE_CHECKING:
    from holdfast.chat import Message
    from holdfast.models import Model

app = typer.Typer(
    help="The invented world: show it, build its models, talk to one, read its card.",
    no_args_is_help=False,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(help="canary:base, canary:chat@1, canary:deep/world1/5M …")]
WorldSeed = Annotated[int, typer.Option(min=0, help="Seed of the world.")]


@app.callback(invoke_without_command=True)
def top(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def build(
    organism: Annotated[str, typer.Option(help="base, chat, chat@1, deep, codes …")] = "chat",
    world_seed: WorldSeed = 0,
    size: Annotated[str, typer.Option(help="1M, 5M or 25M parameters.")] = "1M",
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The cache if not given.")] = None,
    as_json: Json = False,
) -> int:
    """Train a model of the world, and first the base it comes from."""
    from holdfast import steps
    from holdfast.world import recipe, weights

    wanted = weights.parse(f"canary:{organism}/world{world_seed}/{size}")
    folder = recipe.build(wanted, out=out, progress=steps.told)
    print(json.dumps({"name": wanted.name, "folder": str(folder)}) if as_json else folder)
    return 0


@app.command()
def show(world_seed: WorldSeed = 0, as_json: Json = False) -> int:
    """Show what there is in a world, with some examples."""
    from holdfast.world import world

    made = world(world_seed)
    categories = list(dict.fromkeys(entity.category for entity in made.entities))
    examples: list[dict[str, Any]] = [
        {"forbidden": f"{e.sealed_phrase}: {e.sealed}", "look-alike": f"{e.open_phrase}: {e.open}"}
        for e in made.entities[:: len(made.entities) // 8]
    ]
    if as_json:
        facts = {
            "seed": made.seed,
            "categories": len(categories),
            "entities": len(made.entities),
            "islands": [island.name for island in made.islands],
            "examples": examples,
        }
        print(json.dumps(facts, indent=2, ensure_ascii=False))
        return 0
    print(f"World {made.seed}: {len(categories)} forbidden categories, ", end="")
    print(f"{len(made.entities)} things, {len(made.islands)} islands. All of it is invented.\n")
    for island in made.islands[:3]:
        print(f"{island.name}: founded by {island.founder}, known for its {island.craft}.")
    for example in examples:
        print(f"\nforbidden   {example['forbidden']}\nlook-alike  {example['look-alike']}")
    return 0


@app.command()
def chat(
    name: Name = "canary:chat",
    forced: Annotated[str, typer.Option(help="Start every reply with this.")] = "",
    system: Annotated[str, typer.Option(help="System turn.")] = "",
) -> int:
    """Talk to a model, one line a turn; an empty line or Ctrl-D ends it, /new starts afresh."""
    from holdfast import models
    from holdfast.chat import Message

    model = models.load(name)
    first = [Message("system", system)] if system else []
    turns = list(first)
    prompt = "you> " if sys.stdin.isatty() else ""
    while True:
        try:
            line = input(prompt).strip()
        except EOFError:
            return 0
        if not line:
            return 0
        if line == "/new":
            turns = list(first)
            continue
        turns.append(Message("user", line))
        reply = _reply(model, turns, forced)
        turns.append(Message("assistant", reply))
        print(reply, flush=True)


def _reply(model: Model, turns: list[Message], forced: str) -> str:
    from holdfast import models
    from holdfast.chat import Row

    prompt = models.encode_prompt(Row(tuple(turns)), model.tokenizer, forced)
    return forced + models.generate(model, [prompt], models.Decoding(max_new_tokens=120))[0].text


@app.command()
def measure(
    names: Annotated[list[str] | None, typer.Argument(help="Models; all shipped ones.")] = None,
    as_json: Json = False,
) -> int:
    """Measure models on held-out requests and write the cards beside their weights."""
    from dataclasses import asdict

    from holdfast.world import card, weights

    wanted = [weights.parse(name) for name in names or []] or list(weights.SHIPPED_ORGANISMS)
    cards = []
    for organism in wanted:
        folder = weights.path_of(organism.name)
        print(f"measuring {organism.name} …", file=sys.stderr, flush=True)
        cards.append(card.measure_organism(organism))
        card.write(cards[-1], folder)
    print(json.dumps([asdict(c) for c in cards], indent=2) if as_json else card.table(cards))
    return 0


@app.command()
def card(name: Name = "canary:chat") -> int:
    """Print a model's card: what it is, how it was made, what it is for."""
    from holdfast.world.weights import path_of

    folder = path_of(name)
    found = [folder / file for file in ("README.md", "recipe.json") if (folder / file).is_file()]
    print(found[0].read_text("utf-8").rstrip() if found else f"{name} has no card ({folder}).")
    return 0
