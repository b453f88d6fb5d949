"""`holdfast list`: the methods, benchmarks, judges, models and suites there are."""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Callable
from typing import Any

from holdfast.errors import UserError

Entry = dict[str, Any]


def main(what: str | None, *, as_json: bool) -> int:
    """Prints one kind of thing, or all of them.

    Raises:
        UserError: There is no such kind; near misses are named.
    """
    if what is not None and what not in KINDS:
        near = difflib.get_close_matches(what, KINDS, n=1) or list(KINDS)
        raise UserError(f"there is nothing called {what} to list; there is {', '.join(near)}.")
    found = {kind: KINDS[kind]() for kind in ([what] if what else KINDS)}
    if as_json:
        print(json.dumps(found[what] if what else found, indent=2, ensure_ascii=False))
        return 0
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    for kind, entries in found.items():
        console.print(f"[bold]{kind}[/bold]")
        width = max((len(str(entry["name"])) for entry in entries), default=0)
        for entry in entries:
            where = entry.get("access") or entry.get("stage")
            note = f" ({where})" if where else ""
            console.print(f"  {entry['name']:<{width}}  {escape(entry['about'])}{note}")
    return 0


def _attacks() -> list[Entry]:
    from holdfast.attacks import ATTACKS

    return [entry | {"access": config.access} for config, entry in _methods(ATTACKS)]


def _defences() -> list[Entry]:
    from holdfast.defences import DEFENCES

    return [entry | {"stage": config.stage} for config, entry in _methods(DEFENCES)]


def _guards() -> list[Entry]:
    from holdfast.guards import GUARDS

    return [entry | {"stage": config.stage} for config, entry in _methods(GUARDS)]


def _elicitations() -> list[Entry]:
    from holdfast.elicit import ELICITATIONS

    return [entry for _, entry in _methods(ELICITATIONS)]


def _benchmarks() -> list[Entry]:
    from holdfast.benchmarks import CANARY, READERS, own

    ours = {"name": CANARY, "about": "the invented world's 45 categories; shipped"}
    mine = {"name": own.READER.name, "about": "a file of your own: own=FILE, or FILE alone"}
    published = [
        {"name": reader.name, "about": f"{reader.paper}: {reader.name}=PATH, from {reader.home}"}
        | {"paper": reader.paper, "home": reader.home}
        for reader in READERS.values()
        if reader is not own.READER
    ]
    return [ours, *published, mine]


def _judges() -> list[Entry]:
    from holdfast.judges import JUDGES, NAMED, judges
    from holdfast.judges.phrases import LISTS

    found = [entry for _, entry in _methods(JUDGES)]
    for name, config in NAMED.items():
        found.append({"name": name, "about": f"{config.spec()}: {LISTS[config.words].source}"})
    known = {entry["name"] for entry in found}
    outside = {name: make for name, make in judges().items() if name not in known}
    return [*found, *({"name": n, "about": _first_line(make())} for n, make in outside.items())]


def _models() -> list[Entry]:
    from holdfast.world.weights import SHIPPED_ORGANISMS, find

    return [
        {
            "name": organism.name,
            "about": "ready" if find(organism) else "not built yet: holdfast world build",
        }
        for organism in SHIPPED_ORGANISMS
    ]


def _suites() -> list[Entry]:
    from holdfast.backdoors.suite import BackdoorSuite
    from holdfast.suites import SUITES

    own = BackdoorSuite()
    triggers = len(own.texts.attacks) + len(own.images.attacks)
    return [
        *(
            {
                "name": name,
                "about": f"{len(suite['stacks'])} stacks × {len(suite['attacks'])} attacks "
                f"× {len(suite['seeds'])} seeds",
            }
            for name, suite in SUITES.items()
        ),
        {
            "name": "backdoor",
            "about": f"{triggers} poisonings of classifiers × filters and guards "
            f"× {len(own.seeds)} seeds",
        },
    ]


KINDS: dict[str, Callable[[], list[Entry]]] = {
    "attacks": _attacks,
    "defences": _defences,
    "guards": _guards,
    "elicitations": _elicitations,
    "benchmarks": _benchmarks,
    "judges": _judges,
    "models": _models,
    "suites": _suites,
}


def _methods(table: dict[type[Any], Callable[..., Any]]) -> list[tuple[Any, Entry]]:
    from holdfast.registry import lookup, names

    # Those of Holdfast in the order of their table, then those of installed packages.
    own = [str(config.model_fields["kind"].default) for config in table]
    outside = [name for name in names(table) if name not in own]
    found = []
    for config in [lookup(table, name) for name in (*own, *outside)]:
        fields = config.model_fields
        settings = {
            name: field.get_default(call_default_factory=True)
            for name, field in fields.items()
            if name != "kind"
        }
        entry = {
            "name": fields["kind"].default,
            "about": _first_line(config),
            "paper": config.paper,
            "settings": json.loads(json.dumps(settings, default=str)),
        }
        found.append((config, entry))
    return found


def _first_line(thing: Any) -> str:
    """The first paragraph of a docstring, on one line."""
    text = inspect.getdoc(thing) or ""
    return " ".join(text.split("\n\n")[0].split())
