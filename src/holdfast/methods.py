"""Attacks, defences and elicitations by their specs, and the version of their code."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from holdfast import registry
from holdfast.attacks import ATTACKS
from holdfast.defences import DEFENCES
from holdfast.elicit import ELICITATIONS
from holdfast.elicit.asking import Asker, Asking, Elicitation
from holdfast.errors import UserError
from holdfast.guards import GUARDS
from holdfast.guards.guard import Guard
from holdfast.guards.posted import posted
from holdfast.hooks import Attack, Context, Defence, Hooks, Method


def why_not(attack: Attack, defences: Sequence[Defence]) -> str:
    """Why a pair is n/a; empty if it can be measured."""
    later = [d.kind for d in defences if d.stage != "align"]
    if attack.access == "weights" and later:
        return f"an attacker who has the weights does not go through {' and '.join(later)}"
    if getattr(attack, "knows_secret", False) and not any(d.keeps_secret for d in defences):
        return "no defence of the stack keeps a secret that could leak"
    return ""


def attack_of(spec: str | Mapping[str, Any]) -> Attack:
    """The attack's configuration."""
    return registry.parse(ATTACKS, spec)


def elicitation_of(spec: str | Mapping[str, Any]) -> Elicitation:
    """The elicitation's configuration."""
    return registry.parse(ELICITATIONS, spec)


def stack_of(name: str) -> tuple[Defence, ...]:
    """The defences of a stack, in their order.

    Raises:
        UserError: An unknown defence, or one twice.
    """
    defences = registry.parse_stack(name)
    kinds = [d.kind for d in defences]
    twice = next((k for k in kinds if kinds.count(k) > 1), None)
    if twice is not None:
        raise UserError(f"the stack {name!r} holds {twice} twice; leave one out")
    return defences


def align_of(defences: Sequence[Defence]) -> str:
    """Those defences that work before the attacker has the model, as a stack."""
    return "+".join(label(d) for d in defences if d.stage == "align") or "none"


def label(method: Method) -> str:
    """The kind with the settings that differ from the defaults: `harmful_rows(rows=50)`."""
    changed = method.model_dump(mode="json", exclude_defaults=True, exclude={"kind"})
    told = ", ".join(f"{name}={registry.written(value)}" for name, value in changed.items())
    return f"{method.kind}({told})" if told else method.kind


def hooks_of(method: Attack | Defence, context: Context) -> Hooks:
    """What an attack or a defence changes in one tune."""
    if isinstance(method, Guard):
        return posted(method, context)
    hooks: Hooks = _table(method)[type(method)](method, context)
    return hooks


def asker_of(spec: str, asking: Asking) -> Asker:
    """The prepared elicitation."""
    config = elicitation_of(spec)
    return ELICITATIONS[type(config)](config, asking)


def version(method: Method) -> list[Any]:
    """A method's settings and the hashes of the files that hold its code."""
    file = inspect.getsourcefile(_table(method)[type(method)]) or ""
    return [method.model_dump(mode="json"), _source(file), *sources(method.built_on)]


def sources(names: Sequence[str]) -> list[str]:
    """Hashes of Holdfast's own modules, by their paths without the ending."""
    here = Path(__file__).parent
    return [_source(str(here / f"{name}.py")) for name in names]


def _table(method: Method) -> Mapping[type[Any], Callable[..., Any]]:
    """Where a method is registered."""
    if isinstance(method, Guard):
        return GUARDS
    if isinstance(method, Attack):
        return ATTACKS
    return DEFENCES if isinstance(method, Defence) else ELICITATIONS


@lru_cache
def _source(file: str) -> str:
    path = Path(file)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else ""
