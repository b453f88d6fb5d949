"""The tables of `backdoors_images.json`, in markdown.

python bench/backdoors_images_tables.py [bench/backdoors_images.json]
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from statistics import mean, stdev
from typing import Any

Results = dict[str, Any]
OF_ATTACKS = (
    "accuracy",
    "accuracy_of_clean_model",
    "success",
    "floor",
    "expert_accuracy",
    "backdoor_kept",
)
OF_GUARDS = ("auroc", "auroc_all", "success_left", "false_alarms", "accuracy_left")
OF_FILTERS = ("recall", "false_removal", "success_after", "accuracy_after")


def markdown(found: Results) -> str:
    """All tables: means over seeds with their spread."""
    lines = [*attacks(found["cells"])]
    for kind, columns in (("guards", OF_GUARDS), ("filters", OF_FILTERS)):
        for column in columns:
            lines += methods(found["cells"], kind, column)
    return "\n".join([*lines, *wrong_labels(found["flips"]), *targeted(found["targeted"])])


def attacks(cells: list[Results]) -> list[str]:
    lines = heading("Attacks", ["attack", "poisoned", *OF_ATTACKS])
    for name in names_of(cells):
        own = [cell for cell in cells if cell["attack"] == name]
        told = [spread([cell[column] for cell in own]) for column in OF_ATTACKS]
        lines.append(row([name, own[0]["poisoned"], *told]))
    return lines


def methods(cells: list[Results], kind: str, column: str) -> list[str]:
    """Attacks by methods; a number in brackets counts the seeds in which there is no verdict."""
    given = list(cells[0][kind])
    lines = heading(f"{kind}: {column}", ["attack", *given])
    names = names_of(cells)
    for name in names:
        told = []
        for method in given:
            own = [cell[kind][method] for cell in cells if cell["attack"] == name]
            silent = sum(bool(figures["unjudged"]) for figures in own)
            shown = spread(judged(own, column))
            told.append(shown + (f" ({silent})" if silent else ""))
        lines.append(row([name, *told]))
    without = [name for name in names if not name.endswith("with cover")]
    for title, some in (("mean", names), ("mean without cover", without)):
        means = []
        for method in given:
            own = [cell[kind][method] for cell in cells if cell["attack"] in some]
            values = judged(own, column)
            means.append(f"{mean(values):.3f}" if values else "–")
        lines.append(row([title, *means]))
    return lines


def wrong_labels(rows: list[Results]) -> list[str]:
    lines = heading("Wrong labels", ["by", "rate", "accuracy", "recall", "accuracy after"])
    for by, rate in dict.fromkeys((r["by"], r["rate"]) for r in rows):
        own = [r for r in rows if (r["by"], r["rate"]) == (by, rate)]
        recall = spread([r["recall"] for r in own if r["recall"] is not None])
        before, after = (spread([r[c] for r in own]) for c in ("accuracy", "accuracy_after"))
        lines.append(row([by, rate, before, recall, after]))
    return lines


def targeted(rows: list[Results]) -> list[str]:
    lines = heading("Targeted", ["attack", "before", "after", "success", "n"])
    for name in dict.fromkeys(r["attack"] for r in rows):
        own = [r for r in rows if r["attack"] == name]
        before, after = (spread([r[c] for r in own]) for c in ("before", "after"))
        lines.append(row([name, before, after, sum(r["success"] for r in own), len(own)]))
    return lines


def names_of(cells: list[Results]) -> list[str]:
    return list(dict.fromkeys(cell["attack"] for cell in cells))


def judged(figures: list[Results], column: str) -> list[float]:
    told = [f[column] for f in figures if not f["unjudged"] and f[column] is not None]
    return [value for value in told if not math.isnan(value)]


def spread(values: list[float]) -> str:
    """Mean and standard deviation."""
    if not values:
        return "–"
    return f"{mean(values):.3f} ± {stdev(values) if len(values) > 1 else 0:.3f}"


def heading(title: str, columns: list[str]) -> list[str]:
    return ["", f"### {title}", "", row(columns), "|" + "---|" * len(columns)]


def row(cells: list[Any]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    asked = sys.argv[1:] or [str(Path(__file__).with_name("backdoors_images.json"))]
    print(markdown(json.loads(Path(asked[0]).read_text("utf-8"))))
