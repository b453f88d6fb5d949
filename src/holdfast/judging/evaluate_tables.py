"""The tables of `holdfast judges evaluate`: at a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from holdfast.judging.figures import is_defined

HEAD = ("judge", "κ", "refusals found", "compliance found", "unscored", "s per 1,000")
WIDEST = 4
"""Judges whose errors by form fit on one line of a terminal; judges.md holds those of all."""
WORST = 10
"""Categories shown, those with the most errors first; judges.json holds all."""


def print_told(told: Mapping[str, Any], console: Console) -> None:
    """One line a judge, then errors by the form of replies; names are no markup."""
    positive = "complied" if told["strict"] else "complied or wrong"
    console.print(f"{told['n']} labelled exchanges ({told['source']});", markup=False)
    console.print(f"compliance is: {positive}; κ in %, 95 % intervals", markup=False)
    for why, n in told["left_out"].items():
        console.print(f"left out: {n} ({why})", markup=False, highlight=False)
    table = Table(box=SIMPLE_HEAD)
    for name in HEAD:
        if name == "judge":
            table.add_column(name, min_width=12, overflow="fold")
        else:
            table.add_column(name.replace(" ", "\n", 1), justify="right", no_wrap=True)
    for line in told["judges"]:
        table.add_row(*map(Text, _line(line, "\n")))
    console.print(table)
    forms = _forms(told["judges"])
    if forms and len(told["judges"]) <= WIDEST:
        console.print(_errors(told["judges"], forms))
    for name, why in told["skipped"].items():
        console.print(f"not measured: {name} ({why})", markup=False, highlight=False)


def markdown(told: Mapping[str, Any]) -> str:
    """The whole of the figures as a page."""
    positive = "complied" if told["strict"] else "complied or wrong"
    parts = [
        "# Judges beside labels",
        f"{told['n']} labelled exchanges: {told['source']}. Compliance is {positive}. "
        "κ in %, 95 % intervals.",
        _table(HEAD, [_line(line, " ") for line in told["judges"]]),
    ]
    forms = _forms(told["judges"])
    if forms:
        names = [line["judge"] for line in told["judges"]]
        rows = [(form, *_wrong(told["judges"], form, "by_form")) for form in forms]
        parts += ["## Errors by form of reply", _table(("form", *names), rows)]
    for line in told["judges"]:
        parts += [f"## {_cell(line['judge'])}", _confusion(line["confusion"]), *_worst(line)]
        if line["calibration"] is not None:
            parts += _reliability(line["calibration"])
    skipped = [f"- {_cell(name)}: {_cell(why)}" for name, why in told["skipped"].items()]
    if skipped:
        parts += ["## Not measured", "\n".join(skipped)]
    return "\n\n".join(parts) + "\n"


def _line(line: Mapping[str, Any], between: str) -> tuple[str, ...]:
    estimates = (line["kappa"], line["recall_refusal"], line["recall_compliance"])
    money = line["cost_per_1000"]
    cost = "" if money is None else f"{between}${money:.2f}"
    return (
        line["judge"],
        *(_percent(estimate, between) for estimate in estimates),
        str(line["n_unscored"]),
        f"{line['seconds_per_1000']:.2g}{cost}",
    )


def _percent(estimate: Mapping[str, float], between: str) -> str:
    if not is_defined(estimate):
        return "–"
    value, low, high = (100 * estimate[end] for end in ("value", "low", "high"))
    within = f"{low:.1f} to {high:.1f}"
    return f"{value:.1f}\n{within}" if between == "\n" else f"{value:.1f} ({within})"


def _forms(judges: Sequence[Mapping[str, Any]]) -> list[str]:
    """The forms of replies, if there is more than one."""
    found = [line["group"] for line in judges[0]["by_form"]] if judges else []
    return found if len(found) > 1 else []


def _wrong(judges: Sequence[Mapping[str, Any]], group: str, by: str) -> list[str]:
    """Errors of each judge in one group: `3 of 90`."""
    told = []
    for judge in judges:
        line = next(one for one in judge[by] if one["group"] == group)
        scored = line["n"] - line["n_unscored"]
        told.append(f"{line['missed'] + line['alarms']} of {scored}")
    return told


def _errors(judges: Sequence[Mapping[str, Any]], forms: Sequence[str]) -> Table:
    table = Table(title="Errors by form of reply", box=SIMPLE_HEAD)
    table.add_column("form")
    for line in judges:
        table.add_column(Text(line["judge"]), justify="right")
    for form in forms:
        table.add_row(*map(Text, (form, *_wrong(judges, form, "by_form"))))
    return table


def _confusion(confusion: Mapping[str, Mapping[str, int]]) -> str:
    verdicts = list(next(iter(confusion.values()))) if confusion else []
    rows = [(label, *(str(line[v]) for v in verdicts)) for label, line in confusion.items()]
    return _table(("label", *(f"judged {v}" for v in verdicts)), rows)


def _worst(line: Mapping[str, Any]) -> list[str]:
    groups = sorted(line["by_category"], key=lambda g: -(g["missed"] + g["alarms"]))
    bad = [g for g in groups if g["missed"] + g["alarms"]][:WORST]
    if len(groups) < 2 or not bad:
        return []
    rows = [(g["group"], str(g["n"]), str(g["missed"]), str(g["alarms"])) for g in bad]
    head = ("category", "n", "compliance missed", "refusals called compliance")
    return [f"Categories with the most errors, of {len(groups)}:", _table(head, rows)]


def _reliability(found: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            f"{b['from']:.1f} to {b['to']:.1f}",
            str(b["n"]),
            f"{b['score']:.2f}",
            f"{b['share']:.2f} ({b['low']:.2f} to {b['high']:.2f})",
        )
        for b in found["bins"]
    ]
    area = "" if found["auroc"] is None else f", AUROC {found['auroc']['value']:.3f}"
    told = f"Scores: ECE {found['ece']:.3f}, Brier {found['brier']:.3f}{area}."
    return [told, _table(("score", "n", "mean score", "share complied"), rows)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    """A name as it may stand in a table of Markdown."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
