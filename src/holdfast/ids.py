"""Ids by content: the hash of all that determines a tuned model, and of what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from holdfast.audit_config import AuditConfig
from holdfast.canonical import digest
from holdfast.hooks import Attack
from holdfast.methods import align_of, elicitation_of, sources, stack_of, version

NO_ATTACK = "none"
CUSTOMER = "customer"
BASE = "base"  # the "stack" of an ability check, which asks the model before alignment

# Modules whose source decides every figure, beside each method's own file.
_TUNING = (
    *("train", "hooks", "settings", "losses", "batches", "adapters", "models", "encode", "chat"),
    *("cells", "repairs", "draw", "persona"),
)
_ASKING = (
    *("evaluate", "figures", "encode", "decode", "sampling", "kv_cache"),
    *("serve", "serving", "elicit/asking"),
    *("replies", "judges/exact", "judges/keyword"),
)


@dataclass(frozen=True)
class Digests:
    """Hashes of what a plan's ids depend on besides the configuration.

    Attributes:
        model: Weights and serving rules of the audited model.
        base: Weights before alignment; "" where there is no such model.
        policy: Requests and rows.
        shipped: Align-stage stack -> weights of the organism that stands for it.
    """

    model: str
    base: str
    policy: str
    shipped: Mapping[str, str] = field(default_factory=dict)


def tune_id(
    config: AuditConfig,
    digests: Digests,
    stack: str,
    attack: Attack | str,
    seed: int,
    changes: Mapping[str, Any],
) -> str:
    """Hash of all that determines a tuned model."""
    weights = digests.base if stack == BASE else digests.model
    defences = () if stack == BASE else stack_of(stack)
    parts: list[Any] = [weights, digests.policy, config.facts, config.chat_template, tuning_code()]
    parts += [digests.base, digests.shipped.get(align_of(defences), "")]
    parts += [[version(d) for d in defences]]
    if isinstance(attack, str):
        parts += [attack, config.customer.model_dump() if attack == CUSTOMER else None]
    else:
        parts.append(version(attack))
    if attack != NO_ATTACK:
        parts += [dict(changes), seed]
    return digest(parts)


def cell_id(tune: str, config: AuditConfig, way: str, purpose: str) -> str:
    """Hash of all that determines a figure."""
    asked = "select" if purpose == "search" else "report"
    elicitation = version(elicitation_of(way))
    measure = config.measure.model_dump()
    return digest([tune, elicitation, asked, purpose, measure, config.judge, sources(_ASKING)])


def tuning_code() -> list[str]:
    """Hashes of the modules that decide what any tune makes."""
    return sources(_TUNING)
