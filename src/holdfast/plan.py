"""What an audit will do: its tunes and cells, their ids, and the pairs that make no sense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from holdfast.audit_config import AuditConfig
from holdfast.hooks import Attack, Defence
from holdfast.ids import BASE as BASE
from holdfast.ids import CUSTOMER as CUSTOMER
from holdfast.ids import NO_ATTACK as NO_ATTACK
from holdfast.ids import Digests as Digests
from holdfast.ids import cell_id, tune_id
from holdfast.methods import attack_of, elicitation_of, label, stack_of, why_not

Purpose = Literal["grid", "untouched", "depth", "customer", "cost", "search", "ability"]
Status = Literal["done", "n/a", "diverged", "not able", "unwatched"]


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
class Plan:
    """Tunes known beforehand, cells that cannot be, and what every id depends on."""

    config: AuditConfig
    digests: Digests
    tunes: tuple[Tune, ...]
    not_applicable: tuple[Cell, ...] = ()


def make_plan(
    config: AuditConfig,
    digests: Digests,
    lacking: Mapping[tuple[str, str], str] | None = None,
    picked: Mapping[tuple[str, str], str] | None = None,
) -> Plan:
    """Every tune of the grid with its cells, and the pairs that make no sense.

    Args:
        config: The audit's configuration.
        digests: Hashes that the ids depend on.
        lacking: (stack, attack) -> why the policy's rows do not suffice for the pair.
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
            reason = why_not(attack, defences) or (lacking or {}).get((stack, label(attack)), "")
            name = (picked or {}).get((stack, label(attack)), next(iter(config.settings)))
            changes = (name, config.settings[name])
            for seed in config.seeds:
                tune = tune_for(config, digests, stack, label(attack), seed, changes)
                if reason:
                    missing += [replace(c, status="n/a", reason=reason) for c in tune.cells]
                else:
                    tunes.append(tune)
        if config.customer.rows and (stack, CUSTOMER) not in (lacking or {}):
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


def search_tunes(config: AuditConfig, digests: Digests, first: Plan) -> list[Tune]:
    """The attacker's search: every named settings once per pair, on select requests."""
    if len(config.settings) < 2:
        return []
    pairs = {(t.stack, t.cells[0].attack) for t in first.tunes if t.purpose == "grid"}
    return [
        tune_for(
            config,
            digests,
            stack,
            label(attack),
            config.seeds[0],
            changes,
            ways=[label(elicitation_of(attack.asked))],
            purpose="search",
        )
        for stack in dict.fromkeys(config.stacks)
        for attack in [attack_of(spec) for spec in dict.fromkeys(config.attacks)]
        if (stack, label(attack)) in pairs
        for changes in config.settings.items()
    ]


def cost_tune(config: AuditConfig, digests: Digests, stack: str, rows: int, seed: int) -> Tune:
    """One point of the search for the fewest rows: the attack with that many."""
    ways = [label(elicitation_of(attack_of(config.cost.attack).asked))]
    attack = sized(config, rows)
    return tune_for(config, digests, stack, attack, seed, ways=ways, purpose="cost")


def sized(config: AuditConfig, rows: int) -> str:
    """The attack of the search for the fewest rows, with that many."""
    attack = attack_of(config.cost.attack)
    return label(type(attack).model_validate({**attack.model_dump(), "rows": rows}))


def _asked_ways(config: AuditConfig) -> list[str]:
    """Every elicitation of the grid that a model might not understand.

    Those that search on the model, or change it, ask in words that are understood.
    """
    ways = _ways(config) + [w for spec in config.attacks for w in _ways(config, attack_of(spec))]
    clear = ("plain", "prefill", "decoding")
    asked = {w: elicitation_of(w) for w in dict.fromkeys(ways)}
    return [w for w, e in asked.items() if e.kind not in clear and e.needs != "weights"]


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
    made_id = tune_id(config, digests, stack, made or attack, seed, changed)
    if ways is None:
        ways = _ways(config, made)
    cells = tuple(
        Cell(
            id=cell_id(made_id, config, way, purpose),
            tune_id=made_id,
            model=config.title if stack != BASE else "base",
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
    return Tune(made_id, config, stack, told, name, changed, seed, cells, purpose)


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
        specs.append(label(elicitation_of(attack.asked)))
    return list(dict.fromkeys(specs))
