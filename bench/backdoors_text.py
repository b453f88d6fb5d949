"""Backdoors of a text classifier: attackers x filters x guards, over seeds.

    python bench/backdoors_text.py            # minutes; writes bench/backdoors_text.json
    python bench/backdoors_text.py --seeds 10 --attacks "rare_word(rate=0.05)"

Settings of methods were chosen on seeds 100 and up, those of `cube` once more after a look at seeds
0, 1, 2; reported are seeds 10, 11, 12, which nobody had seen. Every success stands beside its
floor, that of a model trained on the clean set. The harbour notes, the classifier and every trigger
are made from the seed.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holdfast.attacks.poison import TAMPERS
from holdfast.backdoors.cell import ENCODER, Case, Found, figures, ground_of, guarded, run
from holdfast.classifiers.net import Recipe
from holdfast.registry import parse

ATTACKS = (
    "rare_word(rate=0.03)",
    "rare_word(rate=0.05)",
    "rare_word(rate=0.1)",
    "rare_word(rate=0.05, labels=clean)",
    "rare_word(rate=0.05, labels=mixed)",
    "fixed_sentence(rate=0.05)",
    "syntax_template(rate=0.1)",
    "style(rate=0.1)",
    "word_combination(rate=0.1)",
    "random_flip(rate=0.1)",
    "margin_flip(rate=0.1)",
)
LIMITS = (
    ("rare_word(rate=0.05)", "two texts"),
    ("rare_word(rate=0.24)", "texts"),  # poison near half of the target label
)
FILTER_SPECS = (
    "cube",
    "spectral_signature",
    "activation_clusters",
    "keyword_influence",
    "perplexity_outlier",
    "label_neighbours",
    "first_learned",
    # These look at hidden states alone: they are tried on an encoder that knew words before, too.
    *(f"{name}{ENCODER}" for name in ("cube", "spectral_signature", "activation_clusters")),
)
GUARD_SPECS = ("onion", "strip", "rap(length=4, steps=600)")
TAMPER = "embedding_word(length=8)"
TARGET = 1


def main() -> None:
    """Runs the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, nargs="*", default=[10, 11, 12])
    options.add_argument("--attacks", nargs="*", default=list(ATTACKS))
    options.add_argument("--filters", nargs="*", default=list(FILTER_SPECS))
    options.add_argument("--guards", nargs="*", default=list(GUARD_SPECS))
    options.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    chosen = options.parse_args()
    started, lines = time.monotonic(), []

    def keep(line: dict[str, Any]) -> None:
        lines.append(line)
        seconds = round(time.monotonic() - started, 1)
        head = {"seeds": chosen.seeds, "recipe": Recipe().model_dump(), "seconds": seconds}
        chosen.out.write_text(json.dumps({**head, "cells": lines}, indent=1) + "\n", "utf-8")
        print(f"# {line['seed']} {line['ground']} {line['attack']} {seconds} s", flush=True)

    cases = [(spec, "texts") for spec in chosen.attacks]
    if chosen.attacks == list(ATTACKS):
        cases += list(LIMITS)
    for seed in chosen.seeds:
        for spec, ground in cases:
            case = Case(ground, spec, seed, tuple(chosen.filters), tuple(chosen.guards))
            keep(line_of(run(case)))
        keep(line_of(tampered(seed, tuple(chosen.guards))))
    show(lines)


def line_of(found: Found) -> dict[str, Any]:
    """One attack as it is kept."""
    case = found.case
    head = {"attack": case.attack, "ground": case.ground, "seed": case.seed}
    return {**head, **found.figures, "filters": found.filters, "guards": found.guards}


def tampered(seed: int, guards: tuple[str, ...]) -> Found:
    """The attack on a model's embeddings, against guards; no filter of rows can see it."""
    case = Case("texts", TAMPER, seed, guards=guards)
    ground, clean = ground_of(case.ground, seed)
    config = parse(TAMPERS, TAMPER)
    planted = TAMPERS[type(config)](config, clean, ground.guarded(clean, seed).fit, seed)
    stamped = planted.stamp(ground.test.items)
    told = figures(ground, clean, planted.model, stamped, TARGET)
    watched = guarded(ground, planted.model, stamped, TARGET, case)
    return Found(case, told, guards=watched)


def show(lines: Sequence[dict[str, Any]]) -> None:
    """Prints means over seeds as markdown."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        groups[line["attack"], line["ground"]].append(line)
    print(
        "\n| attack | ground | accuracy (clean model) | success (floor) | perplexity x | cosine |"
    )
    print("|---|---|---|---|---|---|")
    for (attack, ground), group in groups.items():
        shows = [line.get("shows", {}) for line in group]
        print(
            f"| {attack} | {ground} | {mean(group, 'accuracy')} ({mean(group, 'clean_accuracy')}) "
            f"| {mean(group, 'success')} ({mean(group, 'floor')}) "
            f"| {mean(shows, 'perplexity')} | {mean(shows, 'cosine')} |"
        )
    columns = {
        "filters": ("recall", "false_removal", "auroc", "success", "accuracy"),
        "guards": (
            "separation", "false_rejection", "false_acceptance", "success", "accuracy",
            "mended_success", "mended_accuracy",
        ),
    }  # fmt: skip
    for kind, names in columns.items():
        print(f"\n| attack | ground | {kind[:-1]} | judged | {' | '.join(names)} |")
        print("|---" * (len(names) + 4) + "|")
        for (attack, ground), group in groups.items():
            for method in group[0].get(kind, {}):
                cells = [line[kind][method] for line in group]
                judged = [cell for cell in cells if "unjudged" not in cell]
                figures = " | ".join(mean(judged, name) for name in names)
                share = f"{len(judged)}/{len(cells)}"
                print(f"| {attack} | {ground} | {method} | {share} | {figures} |")


def mean(cells: Sequence[dict[str, Any]], name: str) -> str:
    """A mean over seeds, "" where nothing was measured."""
    values = [cell[name] for cell in cells if cell.get(name) is not None]
    found = math.fsum(values) / len(values) if values else math.nan
    return f"{found:.3f}" if values else ""


if __name__ == "__main__":
    main()
