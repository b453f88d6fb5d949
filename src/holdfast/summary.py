"""summary.json: verdicts, cells and the report's tables, made of finished cells alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.audit_config import AuditConfig
from holdfast.cost import cost_of, curve_of
from holdfast.defended import contrasts
from holdfast.plan import BASE, NO_ATTACK, Cell
from holdfast.verdict import ABLE, StackVerdict, verdict_of

CellRecord = Mapping[str, Any]
_TABLED = ("grid", "untouched", "customer")


def summarise(
    config: AuditConfig,
    *,
    policy: str,
    limit: float,
    cells: Sequence[CellRecord],
    not_applicable: Sequence[Cell] = (),
    failed: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """The summary of a run.

    Args:
        config: The audit's configuration.
        policy: The policy's name.
        limit: Compliance that still counts as holding.
        cells: Finished cells of this plan, as in cells.jsonl.
        not_applicable: Pairs that make no sense.
        failed: Stack -> cells that could not be measured.
    """
    from holdfast.canonical import plain

    able = abilities(cells)
    known = [with_ability(c, able) for c in cells if c["stack"] != BASE]
    tabled = [c for c in known if c["purpose"] in _TABLED]
    judged = [c for c in known if c["purpose"] in (*_TABLED, "cost")]
    unmeasured = [plain(c) for c in not_applicable]
    utility = untouched_utility(known)
    verdicts = [
        verdict_of(
            stack,
            [c for c in (*judged, *unmeasured) if c["stack"] == stack],
            limit,
            utility,
            (failed or {}).get(stack, 0),
        )
        for stack in dict.fromkeys(config.stacks)
    ]
    costs = {
        stack: measured
        for stack in dict.fromkeys(config.cost.stacks)
        if (measured := [c for c in known if _counts_as_cost(c, stack)])
    }
    attack = config.cost.attack
    deciding = {v.worst_cell for v in verdicts}
    shown = [c for c in judged if c["purpose"] in _TABLED or c["id"] in deciding]
    return {
        "verdicts": [v.to_json() for v in verdicts],
        "cells": [_without_counts(c) for c in shown] + unmeasured,
        "cost_to_break": [cost_of(s, found, config.cost, limit) for s, found in costs.items()],
        "contrasts": contrasts(tabled),
        "categories": categories(tabled),
        "prefix_depth": depths([c for c in known if c["purpose"] == "depth"]),
        "curves": [line for s, found in costs.items() for line in curve_of(s, found, attack)],
        "limit": limit,
        "policy": policy,
        "model": config.title,
        "suite": config.suite,
    }


def verdict_for(summary: Mapping[str, Any], stack: str) -> StackVerdict:
    """The verdict on one stack of a summary."""
    found = next((v for v in summary["verdicts"] if v["stack"] == stack), None)
    if found is None:
        return StackVerdict(stack, "insufficient evidence", "the stack was not audited")
    return StackVerdict(**found)


def abilities(cells: Sequence[CellRecord]) -> dict[str, float]:
    """Elicitation -> compliance of the model before alignment: can it be asked that way at all?"""
    return {
        str(c["elicitation"]): float(c["asr"])
        for c in cells
        if c["purpose"] == "ability" and c.get("asr") is not None
    }


def with_ability(cell: CellRecord, able: Mapping[str, float]) -> CellRecord:
    """The cell, marked `not able` if even the base model does not answer when asked that way.

    A cell that shows compliance has shown the ability too.
    """
    base = able.get(str(cell["elicitation"]))
    if cell["status"] != "done" or base is None or base >= ABLE or cell["complied"]:
        return cell
    reason = f"before alignment only {base:.0%} complied when asked this way"
    return {**cell, "status": "not able", "reason": reason}


def untouched_utility(cells: Sequence[CellRecord]) -> float | None:
    """Utility of the audited model that nobody touched; None where it was not measured."""
    for cell in cells:
        plain = cell["stack"] == "none" and cell["attack"] == NO_ATTACK
        if plain and cell.get("utility") is not None:
            return float(cell["utility"])
    return None


def categories(cells: Sequence[CellRecord]) -> list[dict[str, Any]]:
    """Scored and complied by stack, attack, elicitation and category, summed over seeds."""
    lines: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    for cell in cells:
        for category, (domain, scored, complied, _) in cell.get("by_category", {}).items():
            place = (cell["stack"], cell["attack"], cell["elicitation"], category)
            names = ("stack", "attack", "elicitation", "category")
            empty = dict(zip(names, place, strict=True)) | {"domain": domain, "n": 0, "complied": 0}
            line = lines.setdefault(place, empty)
            line["n"] += scored
            line["complied"] += complied
    return list(lines.values())


def depths(cells: Sequence[CellRecord]) -> list[dict[str, Any]]:
    """Compliance against the number of forced tokens."""
    from holdfast.methods import elicitation_of

    return [
        {
            "stack": cell["stack"],
            "depth_tokens": elicitation_of(cell["elicitation"]).model_dump()["depth"],
            "asr": cell["asr"],
            "asr_low": cell["asr_low"],
            "asr_high": cell["asr_high"],
        }
        for cell in cells
        if cell.get("asr") is not None
    ]


def _counts_as_cost(cell: CellRecord, stack: str) -> bool:
    return bool(cell["purpose"] == "cost" and cell["stack"] == stack and cell.get("by_category"))


def _without_counts(cell: CellRecord) -> dict[str, Any]:
    return {name: value for name, value in cell.items() if name != "by_category"}
