"""What an evaluation prints: rates by way of asking and by domain, weak categories, verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from holdfast.evaluation.ways import GROUPS
from holdfast.show import COLOURS

Summary = Mapping[str, Any]
WEAKEST = 8  # categories named


def print_summary(summary: Summary, console: Console) -> None:
    """The tables of a finished evaluation."""
    models = [m["model"] for m in summary["models"]]
    console.print(_by_way(summary, models))
    console.print(_by_domain(summary, models))
    for model in models:
        _weakest(summary, model, console)
    for line in summary["models"]:
        _beside(line, console)
    _judges(summary, console)
    _contrasts(summary, console)
    for v in summary["verdicts"]:
        word = Text(f"{v['stack']} {v['verdict']}", style=f"bold {COLOURS[v['verdict']]}")
        console.print(word.append(f": {v['reason']}", style="not bold default"))


def _by_way(summary: Summary, models: list[str]) -> Table:
    table = Table(title=Text(f"Compliance on {summary['policy']}"), title_justify="left")
    table.add_column("asked")
    for model in models:
        table.add_column(Text(model), justify="right")
    cells = {(c["model"], c["way"]): c for c in summary["cells"]}
    lines = {(r["model"], r["by"], r["name"]): r for r in summary["rates"]}
    for group in GROUPS:
        ways = [w["way"] for w in summary["ways"] if w["group"] == group]
        for way in ways:
            table.add_row(Text(way), *[_cell(cells.get((m, way))) for m in models])
        if len(ways) > 1:
            found = [lines.get((m, "group", group)) for m in models]
            shares = [Text(_rate(line), style="bold") for line in found]
            table.add_row(Text(f"all {group}", style="bold"), *shares, end_section=True)
    return table


def _cell(cell: Mapping[str, Any] | None) -> Text:
    if cell is None:
        return Text("not measured")
    if cell["status"] != "done":
        return Text(str(cell["status"]), style="dim")
    told = Text(_rate(cell))
    if cell["n_unscored"]:
        told.append(f" ({cell['n_unscored']} unscored)")
    return told.append(" ?") if cell["able"] == "unknown" and cell["way"] != "plain" else told


def _by_domain(summary: Summary, models: list[str]) -> Table:
    title = "By domain, over the ways of asking that count"
    table = Table(title=Text(title), title_justify="left")
    table.add_column("domain")
    for model in models:
        table.add_column(Text(model), justify="right")
    lines = {(r["model"], r["by"], r["name"]): r for r in summary["rates"]}
    domains = dict.fromkeys(r["name"] for r in summary["rates"] if r["by"] == "domain")
    for by, name in [*(("domain", d) for d in domains), ("all", "all")]:
        found = [lines.get((m, by, name)) for m in models]
        table.add_row(Text(str(name) or "–"), *[Text(_rate(line)) for line in found])
    return table


def _weakest(summary: Summary, model: str, console: Console) -> None:
    own = [r for r in summary["rates"] if r["model"] == model and r["by"] == "category"]
    weak = sorted((r for r in own if r["asr"]), key=lambda r: r["asr"], reverse=True)[:WEAKEST]
    if weak:
        named = ", ".join(f"{r['name']} {r['asr']:.0%}" for r in weak)
        console.print(f"{model}, weakest categories: {named}", markup=False, highlight=False)


def _beside(line: Mapping[str, Any], console: Console) -> None:
    parts = [
        f"{name} {_share(line, key)}"
        for name, key in (("over-refusal", "over_refusal"), ("utility", "utility"))
        if line.get(key) is not None
    ]
    if line.get("coherence") is not None:
        parts.append(f"coherence {line['coherence']:.1%}")
    if parts:
        console.print(f"{line['model']}: {', '.join(parts)}", markup=False, highlight=False)


def _judges(summary: Summary, console: Console) -> None:
    for line in summary["judges"][1:]:
        first = summary["judges"][0]["judge"]
        kappas = [
            f"{line[f'kappa_{of}']:.2f} on {of}"
            for of in ("compliance", "refusal")
            if _number(line.get(f"kappa_{of}"))
        ]
        told = f"κ with {first} {' and '.join(kappas)}" if kappas else f"κ with {first} undefined"
        lost = f", {line['n_unscored']} of {line['n']} unscored" if line["n_unscored"] else ""
        text = f"judge {line['judge']}: compliance {_rate(line)}, {told}{lost}"
        console.print(text, markup=False, highlight=False)


def _contrasts(summary: Summary, console: Console) -> None:
    for model in [m["model"] for m in summary["models"]]:
        weak = [c for c in summary["weakenings"] if c["model"] == model and c["clear"]]
        named = ", ".join(f"{c['name']} {c['difference']:+.0%}" for c in weak)
        if named:
            text = f"{model}, against plain asking: {named}"
            console.print(text, markup=False, highlight=False)
    clear = [c for c in summary["differences"] if c["clear"]]
    for c in sorted(clear, key=lambda c: -abs(c["difference"])):
        where = {"way": "asked by ", "domain": "in "}.get(c["by"], "") + c["name"]
        text = (
            f"{c['model']} against {c['first']}, {where}: {c['before']:.0%} → {c['after']:.0%} "
            f"({c['low']:+.0%} to {c['high']:+.0%}, adjusted p {c['p']:.3f})"
        )
        console.print(text, markup=False, highlight=False)
    if summary["differences"] and not clear:
        console.print("The models differ nowhere by 10 points or more beyond chance.")


def _rate(line: Mapping[str, Any] | None) -> str:
    if line is None or line["asr"] is None:
        return "–"
    return f"{line['asr']:.1%} ({line['asr_low']:.0%}–{line['asr_high']:.0%})"


def _share(line: Mapping[str, Any], key: str) -> str:
    return f"{line[key]:.1%} ({line[f'{key}_low']:.0%}–{line[f'{key}_high']:.0%})"


def _number(value: Any) -> bool:
    return value is not None and value == value  # NaN is no number
