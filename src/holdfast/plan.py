"""What an audit will do: its tunes and cells, their ids, and the pairs that make no sense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from holdfast.attacks import ATTACKS
from holdfast.audit_config import AuditConfig
from holdfast.canonical import digest
from holdfast.defences import DEFENCES
from holdfast.elicit import ELICITATIONS
from holdfast.hooks import Attack, Defence
from holdfast.methods import (
    attack_of,
    elicitation_of,
    label,
    sources,
    stack_of,
    version,
    why_not,
)

Purpose = Literal["grid", "untouched", "depth", "customer", "cost", "search", "ability"]
Status = Literal["done", "n/a", "diverged", "not able"]
NO_ATTACK = "none"
CUSTOMER = "customer"
BASE = "base"  # the "stack" of an ability check, which asks the model before alignment

# Modules whose source decides every figure, beside each method's own file.
_TUNING = ("train", "hooks", "models", "encode", "draw", "cells", "batches")
_ASKING = ("evaluate", "encode", "decode", "judges/exact", "judges/keyword")


@dataclass(frozen=True)
class Cell:
    """One figure to measure: a tune asked in one way. Fields as in summary.json."""

    id: str
    tune_id: str
    model: str
    stack: str
    attack: str
    access: str
    settings: str
    seed: int
    elicitation: str
    purpose: Purpose = "grid"
    status: Status = "done"
    reason: str = ""


@dataclass(frozen=True)
class Tune:
    """One task of the engine: make a model, then ask it in several ways.

    Attributes:
        attack: Spec of the attack; "none" asks the model as it is, "customer" tunes on the
            honest customer's rows.
        changes: Tuning settings that differ from the defaults.
        purpose: `search` asks select requests, all others ask report requests.
    """

    tune_id: str
    config: AuditConfig
    stack: str
    attack: str
    settings: str
    changes: Mapping[str, Any]
    seed: int
    cells: tuple[Cell, ...]
    purpose: Purpose = "grid"

    @property
    def whole(self) -> bool:
        """Whether utility, look-alikes and, for customers, gain are measured too."""
        return self.purpose in ("grid", "untouched", "customer", "search")


@dataclass(frozen=True)
class Digests:
    """Hashes of the weights and of the policy's requests and rows; "" where there is no base."""

    model: str
    base: str
    policy: str


@dataclass(frozen=True)
class Plan:
    """Tunes known beforehand, cells that cannot be, and what every id depends on."""

    config: AuditConfig
    digests: Digests
    tunes: tuple[Tune, ...]
    not_applicable: tuple[Cell, ...] = ()


def make_plan(
    config: AuditConfig, digests: Digests, picked: Mapping[tuple[str, str], str] | None = None
) -> Plan:
    """Every tune of the grid with its cells, and the pairs that make no sense.

    Args:
        config: The audit's configuration.
        digests: Hashes that the ids depend on.
        picked: (stack, attack) -> name of the settings that the attacker's search chose.

    Raises:
        UserError: An unknown method, or a stack that cannot be.
    """
    tunes: list[Tune] = []
    missing: list[Cell] = []
    for stack in dict.fromkeys(config.stacks):
        defences = stack_of(stack)
        tunes += _untouched(config, digests, stack, defences)
        for attack in [attack_of(spec) for spec in dict.fromkeys(config.attacks)]:
            reason = why_not(attack, defences)
            name = (picked or {}).get((stack, label(attack)), next(iter(config.settings)))
            changes = (name, config.settings[name])
            for seed in config.seeds:
                tune = tune_for(config, digests, stack, label(attack), seed, changes)
                if reason:
                    missing += [replace(c, status="n/a", reason=reason) for c in tune.cells]
                else:
                    tunes.append(tune)
        if config.customer.rows:
            own = (CUSTOMER, config.customer.settings)
            tunes += [
                tune_for(
                    config, digests, stack, CUSTOMER, seed, own, ways=["plain"], purpose="customer"
                )
                for seed in config.customer.seeds
            ]
    if digests.base and (ways := _asked_ways(config)):
        tunes.append(tune_for(config, digests, BASE, NO_ATTACK, 0, ways=ways, purpose="ability"))
    return Plan(config, digests, tuple(tunes), tuple(missing))


def search_tunes(config: AuditConfig, digests: Digests) -> list[Tune]:
    """The attacker's search: every named settings once per pair, on select requests."""
    if len(config.settings) < 2:
        return []
    return [
        tune_for(
            config,
            digests,
            stack,
            label(attack),
            config.seeds[0],
            changes,
            ways=[label(elicitation_of(attack.asked_as))],
            purpose="search",
        )
        for stack in dict.fromkeys(config.stacks)
        for attack in [attack_of(spec) for spec in dict.fromkeys(config.attacks)]
        if not why_not(attack, stack_of(stack))
        for changes in config.settings.items()
    ]


def cost_tune(config: AuditConfig, digests: Digests, stack: str, rows: int, seed: int) -> Tune:
    """One point of the search for the fewest rows: the attack with that many."""
    ways = [label(elicitation_of(attack_of(config.cost.attack).asked_as))]
    attack = _sized(config, rows)
    return tune_for(config, digests, stack, attack, seed, ways=ways, purpose="cost")


def most_rows(config: AuditConfig) -> str:
    """The attack of the search for the fewest rows, with the most rows that it may try."""
    return _sized(config, max(config.cost.grid))


def _sized(config: AuditConfig, rows: int) -> str:
    attack = attack_of(config.cost.attack)
    return label(type(attack).model_validate({**attack.model_dump(), "rows": rows}))


def _asked_ways(config: AuditConfig) -> list[str]:
    """Every elicitation of the grid that a model might not understand."""
    ways = _ways(config) + [w for spec in config.attacks for w in _ways(config, attack_of(spec))]
    clear = ("plain", "prefill", "decoding")
    return [w for w in dict.fromkeys(ways) if elicitation_of(w).kind not in clear]


def _untouched(
    config: AuditConfig, digests: Digests, stack: str, defences: Sequence[Defence]
) -> list[Tune]:
    """The model as released. Defences of tuning change nothing there, so they are left out."""
    if any(d.stage in ("tune", "repair") for d in defences):
        return []
    depths = [label(elicitation_of({"kind": "prefill", "depth": d})) for d in config.depths]
    tunes = [tune_for(config, digests, stack, NO_ATTACK, 0, purpose="untouched")]
    if depths:
        tunes.append(tune_for(config, digests, stack, NO_ATTACK, 0, ways=depths, purpose="depth"))
    return tunes


def tune_for(
    config: AuditConfig,
    digests: Digests,
    stack: str,
    attack: str,
    seed: int,
    changes: tuple[str, Mapping[str, Any]] | None = None,
    *,
    ways: Sequence[str] | None = None,
    purpose: Purpose = "grid",
) -> Tune:
    """One tune with the cells that are measured on it.

    Args:
        config: The audit's configuration.
        digests: Hashes that the ids depend on.
        stack: Defences, joined by +.
        attack: Spec of the attack, "none" or "customer".
        seed: Of the rows drawn, of tuning and of sampling.
        changes: Name and content of tuning settings; None takes the first of the configuration.
        ways: Elicitations; None takes the configuration's and the one the attack is asked by.
        purpose: What the tune is for.
    """
    name, changed = changes or next(iter(config.settings.items()), ("default", {}))
    made = attack_of(attack) if attack not in (NO_ATTACK, CUSTOMER) else None
    if made is not None:
        made, changed = chosen(made, changed)
    told = label(made) if made is not None else attack
    tune_id = _tune_id(config, digests, stack, made or attack, seed, changed)
    if ways is None:
        ways = _ways(config, made)
    cells = tuple(
        Cell(
            id=_cell_id(tune_id, config, way, purpose),
            tune_id=tune_id,
            model=config.model if stack != BASE else "base",
            stack=stack,
            attack=attack,
            access=made.access if made is not None else "rows",
            settings=name,
            seed=seed,
            elicitation=way,
            purpose=purpose,
        )
        for way in ways
    )
    return Tune(tune_id, config, stack, told, name, changed, seed, cells, purpose)


def chosen(attack: Attack, changes: Mapping[str, Any]) -> tuple[Attack, dict[str, Any]]:
    """The attack with those changes it has fields for, and the rest for the run's settings.

    An attack's own settings win over the run's, so a search must change them where they are.
    """
    own = {k: v for k, v in changes.items() if k in type(attack).model_fields}
    rest = {k: v for k, v in changes.items() if k not in own}
    return type(attack).model_validate({**attack.model_dump(), **own}), rest


def _ways(config: AuditConfig, attack: Attack | None = None) -> list[str]:
    specs = [label(elicitation_of(spec)) for spec in config.elicitations]
    if attack is not None:
        specs.append(label(elicitation_of(attack.asked_as)))
    return list(dict.fromkeys(specs))


def _tune_id(
    config: AuditConfig,
    digests: Digests,
    stack: str,
    attack: Attack | str,
    seed: int,
    changes: Mapping[str, Any],
) -> str:
    weights = digests.base if stack == BASE else digests.model
    defences = () if stack == BASE else stack_of(stack)
    parts: list[Any] = [weights, digests.policy, config.facts, config.chat_template, tuning_code()]
    parts += [digests.base, [version(d, DEFENCES) for d in defences]]
    if isinstance(attack, str):
        parts += [attack, config.customer.model_dump() if attack == CUSTOMER else None]
    else:
        parts.append(version(attack, ATTACKS))
    if attack != NO_ATTACK:
        parts += [dict(changes), seed]
    return digest(parts)


def _cell_id(tune_id: str, config: AuditConfig, way: str, purpose: Purpose) -> str:
    asked = "select" if purpose == "search" else "report"
    elicitation = version(elicitation_of(way), ELICITATIONS)
    measure = config.measure.model_dump()
    return digest([tune_id, elicitation, asked, purpose, measure, config.judge, sources(_ASKING)])


def tuning_code() -> list[str]:
    """Hashes of the modules that decide what any tune makes."""
    return sources(_TUNING)
