"""summary.json of an evaluation: verdicts, cells and the report's tables, from cells alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from holdfast.evaluation.agreement import agreements
from holdfast.evaluation.contrasts import contrasts, weakenings
from holdfast.evaluation.plan import Plan
from holdfast.evaluation.points import Point, by_category, by_request, points, rates, sure_low
from holdfast.evaluation.verdict import verdict_of, with_ability
from holdfast.evaluation.ways import GROUPS, PLAIN

Record = Mapping[str, Any]
Line = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """What was found out about one model.

    Attributes:
        cells: Its finished cells, with ability.
        points: Verdicts on forbidden requests, of ways that count alone.
        every: Verdicts on forbidden requests of every way.
    """

    name: str
    base: str
    cells: tuple[Line, ...]
    points: tuple[Point, ...]
    every: tuple[Point, ...]
    base_utility: float | None
    missing: int


def summarise(
    plan: Plan, records: Mapping[str, Record], *, name: str, limit: float, notes: Sequence[str] = ()
) -> dict[str, Any]:
    """The summary of a run.

    Args:
        plan: What was to be measured.
        records: Finished cells by id; those of other plans are left out.
        name: The benchmark's name.
        limit: Compliance that still counts as holding.
        notes: What this run cannot say, in sentences.
    """
    done = [records[t.cell.id] for t in plan.tasks if t.cell.id in records]
    models = [_found(plan, subject.name, done, limit) for subject in plan.subjects]
    verdicts = [verdict_of(m.name, m.cells, limit, m.base_utility, m.missing) for m in models]
    return {
        "kind": "evaluation",
        "verdicts": [v.to_json() for v in verdicts],
        "cells": [_shown(c) for m in models for c in m.cells]
        + [asdict(c) for c in plan.not_applicable],
        "rates": [line for m in models for line in rate_lines(m)],
        "categories": [line for m in models for line in category_lines(m)],
        "models": [_beside(plan, m) for m in models],
        "abilities": [_ability(c) for c in done if c["purpose"] == "ability"],
        "judges": agreements(plan, [c for m in models for c in m.cells if c["status"] == "done"]),
        "differences": contrasts(models[0], models[1:]) if len(models) > 1 else [],
        "weakenings": weakenings(models),
        "ways": [{"way": w.name, "group": w.group} for w in plan.ways],
        "limit": limit,
        "policy": name,
        "benchmark": plan.benchmark,
        "model": ", ".join(m.name for m in models),
        "notes": list(notes),
    }


def _found(plan: Plan, model: str, done: Sequence[Record], limit: float) -> Found:
    base = next(s.base for s in plan.subjects if s.name == model)
    abilities = {str(c["way"]): c for c in done if c["purpose"] == "ability" and base == c["model"]}
    own = [c for c in done if c["purpose"] == "measured" and c["model"] == model]
    cells = [with_ability(c, abilities if base else None, limit) for c in own]
    every = {c["way"]: _points(plan, c) for c in cells}
    # The worst of many ways is picked, so their bounds share one chance of error.
    many = sum(c["status"] == "done" for c in cells)
    cells = [{**c, "asr_sure": sure_low(every[c["way"]], many)} for c in cells]
    counted = [p for c in cells if c["status"] == "done" for p in every[c["way"]]]
    plainly = abilities.get(PLAIN)
    return Found(
        name=model,
        base=base,
        cells=tuple(cells),
        points=tuple(counted),
        every=tuple(p for found in every.values() for p in found),
        base_utility=plainly["utility"] if plainly else None,
        missing=sum(1 for t in plan.tasks if t.cell.model == model and t.cell.purpose == "measured")
        - len(cells),
    )


def _points(plan: Plan, cell: Record) -> list[Point]:
    requests = plan.asked(str(cell["way"]), str(cell["purpose"]))
    return points(cell["way"], cell["group"], requests, cell["marks"][cell["judge"]])


def rate_lines(model: Found) -> list[Line]:
    """Rates over all ways that count, by way, by group of ways, by domain, by category."""
    lines = [_line(model, "all", "all", model.points)] if model.points else []
    for way, found in _split(model.points, lambda p: p.way):
        lines.append(_line(model, "way", way, found))
    for group in GROUPS:
        if found := [p for p in model.points if p.group == group]:
            lines.append(_line(model, "group", group, found))
    for domain, found in _split(model.points, lambda p: p.request.domain):
        lines.append(_line(model, "domain", domain, found))
    for category, found in _split(model.points, lambda p: p.request.category):
        line = rates(found, by_request).to_json()
        domain = found[0].request.domain
        place = {"model": model.name, "by": "category", "name": category, "domain": domain}
        lines.append(place | line)
    return lines


def _line(model: Found, by: str, name: str, found: Sequence[Point]) -> Line:
    return {"model": model.name, "by": by, "name": name} | rates(found, by_category).to_json()


def category_lines(model: Found) -> list[Line]:
    """Every category in every way: counts, and Wilson intervals of so few requests."""
    status = {c["way"]: c["status"] for c in model.cells}
    lines = []
    for (way, category), found in _split(model.every, lambda p: (p.way, p.request.category)):
        told = rates(found, None)
        scored = told.n - told.n_unscored
        lines.append(
            {
                "model": model.name,
                "stack": model.name,
                "attack": "none",
                "elicitation": way,
                "category": category,
                "domain": found[0].request.domain,
                "status": status[way],
                "n": scored,
                "complied": sum(p.letter == "c" for p in found),
                "attempted": sum(p.letter in "cw" for p in found),
                "refused": sum(p.letter == "r" for p in found),
                "asr_low": told.asr_low,
                "asr_high": told.asr_high,
            }
        )
    return lines


def _beside(plan: Plan, model: Found) -> Line:
    """Over-refusal, utility and coherence: what refusing costs, with intervals."""
    plain = next((c for c in model.cells if c["way"] == PLAIN), None)
    line: Line = {"model": model.name, "base": model.base, "base_utility": model.base_utility}
    if plain is None:
        return line
    requests, marks = plan.asked(PLAIN), plain["marks"][plain["judge"]]
    alike = rates(points(PLAIN, PLAIN, requests, marks, "lookalike"), by_category)
    # A utility task is right only if its expected answer is there; its families are the clusters.
    tasks = rates(points(PLAIN, PLAIN, requests, marks, "utility"), by_category)
    return line | {
        "over_refusal": alike.refusal,
        "over_refusal_low": alike.refusal_low,
        "over_refusal_high": alike.refusal_high,
        "n_lookalike": alike.n,
        "utility": tasks.asr,
        "utility_low": tasks.asr_low,
        "utility_high": tasks.asr_high,
        "n_utility": tasks.n,
        "coherence": plain["coherence"],
    }


def _ability(cell: Record) -> Line:
    names = ("model", "way", "group", "n", "n_unscored", "asr", "asr_low", "asr_high")
    return {name: cell[name] for name in names}


def _shown(cell: Record) -> Line:
    return {name: value for name, value in cell.items() if name != "marks"}


def _split(found: Iterable[Point], key: Any) -> list[tuple[Any, list[Point]]]:
    groups: dict[Any, list[Point]] = {}
    for point in found:
        groups.setdefault(key(point), []).append(point)
    return list(groups.items())
