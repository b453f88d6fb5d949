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

import numpy as np

from holdfast.attacks.poison import POISONS, TAMPERS
from holdfast.classifiers.likeness import likeness
from holdfast.classifiers.measure import (
    accuracy,
    caught,
    separation,
    stopped,
    success_rate,
)
from holdfast.classifiers.net import READER, Recipe, TextClassifier, classifier, trained, without
from holdfast.classifiers.ngram import language
from holdfast.classifiers.notes import Corpus, corpus
from holdfast.guards import GUARDS
from holdfast.guards.guarded import Guarded
from holdfast.registry import parse
from holdfast.scan.filters import FILTERS

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
    ("rare_word(rate=0.05)", 2),  # two classes
    ("rare_word(rate=0.24)", 4),  # poison near half of the target label
)
FILTER_SPECS = (
    "cube",
    "spectral_signature",
    "activation_clusters",
    "keyword_influence",
    "perplexity_outlier",
    "label_neighbours",
    "first_learned",
)
# These look at hidden states alone: they are tried on an encoder that knew words before, too.
READ = ("cube", "spectral_signature", "activation_clusters")
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
        print(f"# {line['seed']} {line['classes']} {line['attack']} {seconds} s", flush=True)

    cases = [(spec, 4) for spec in chosen.attacks]
    if chosen.attacks == list(ATTACKS):
        cases += list(LIMITS)
    for seed in chosen.seeds:
        for classes in sorted({classes for _, classes in cases}, reverse=True):
            notes = corpus(classes, seed=seed)
            clean, _ = classifier(notes.train, seed=seed)
            for spec in [spec for spec, k in cases if k == classes]:
                keep(attacked(spec, notes, clean, seed, chosen.filters, chosen.guards))
            if classes == 4:
                keep(tampered(notes, clean, seed, chosen.guards))
    show(lines)


def attacked(
    spec: str,
    notes: Corpus,
    clean: TextClassifier,
    seed: int,
    filters: Sequence[str],
    guards: Sequence[str],
) -> dict[str, Any]:
    """One poisoning: what it does, what every filter finds, what every guard stops."""
    config = parse(POISONS, spec)
    poisoned = POISONS[type(config)](config, notes.train, seed)
    reserve = notes.fit.items + notes.held.items
    model, seen = trained(poisoned.data, clean=reserve, seed=seed)
    test = notes.test
    stamped = poisoned.stamp(test.items) if poisoned.stamp else None
    line = measured(spec, notes, clean, model, stamped, seed)
    _, read = trained(poisoned.data, READER, clean=reserve, seed=seed)
    line["filters"] = {}
    views = [(name, name, seen) for name in filters]
    views += [(f"{name} (encoder)", name, read) for name in filters if name in READ]
    for title, name, view in views:
        chosen = parse(FILTERS, name)
        said = FILTERS[type(chosen)](chosen, view)
        found = caught(said.flagged, poisoned.which)
        cell: dict[str, Any] = {
            "recall": found.recall.value,
            "false_removal": found.false_removal.value,
        }
        if np.isfinite(said.scores).all():
            which = poisoned.which
            cell["auroc"] = separation(said.scores[which], said.scores[~which]).value
        if said.unjudged:
            cell = {"unjudged": said.unjudged}
        else:
            again, _ = classifier(without(poisoned.data, said.flagged), seed=seed)
            cell["accuracy"] = accuracy(again.predict(test.items), test.labels).value
            if stamped is not None:
                cell["success"] = success_rate(again.predict(stamped), test.labels, TARGET).value
            cell["notes"] = said.notes
        line["filters"][title] = cell
    if stamped is not None:
        line["guards"] = guarded(notes, model, stamped, seed, guards)
    return line


def tampered(
    notes: Corpus, clean: TextClassifier, seed: int, guards: Sequence[str]
) -> dict[str, Any]:
    """The attack on a model's embeddings, against guards; no filter of rows can see it."""
    config = parse(TAMPERS, TAMPER)
    planted = TAMPERS[type(config)](config, clean, notes.fit.items, seed)
    stamped = planted.stamp(notes.test.items)
    line = measured(TAMPER, notes, clean, planted.model, stamped, seed)
    return {**line, "guards": guarded(notes, planted.model, stamped, seed, guards)}


def measured(
    spec: str,
    notes: Corpus,
    clean: TextClassifier,
    model: TextClassifier,
    stamped: tuple[str, ...] | None,
    seed: int,
) -> dict[str, Any]:
    """What an attack does to accuracy, how often its trigger works, and how much it shows."""
    test = notes.test
    line: dict[str, Any] = {
        "attack": spec,
        "classes": test.classes,
        "seed": seed,
        "clean_accuracy": accuracy(clean.predict(test.items), test.labels).value,
        "accuracy": accuracy(model.predict(test.items), test.labels).value,
    }
    if stamped is not None:
        line["success"] = success_rate(model.predict(stamped), test.labels, TARGET).value
        line["floor"] = success_rate(clean.predict(stamped), test.labels, TARGET).value
        line["shows"] = vars(likeness(test.items, stamped, language(notes.fit.items)))
    return line


def guarded(
    notes: Corpus,
    model: TextClassifier,
    stamped: tuple[str, ...],
    seed: int,
    guards: Sequence[str],
) -> dict[str, Any]:
    """What every guard does."""
    test = notes.test
    found: dict[str, Any] = {}
    deployed = Guarded(
        probabilities=model.probabilities,
        fit=notes.fit.items,
        fit_labels=notes.fit.labels,
        held=notes.held.items,
        opened=model,
        seed=seed,
    )
    for name in guards:
        config = parse(GUARDS, name)
        watch = GUARDS[type(config)](config, deployed)
        if watch.unjudged:
            found[name] = {"unjudged": watch.unjudged}
            continue
        aimed = test.labels != TARGET
        triggered = tuple(text for text, so in zip(stamped, aimed, strict=True) if so)
        said = stopped(
            (watch.score(test.items), watch.score(triggered)),
            watch.limit,
            (model.predict(test.items), model.predict(triggered)),
            (test.labels, test.labels[aimed]),
            TARGET,
        )
        found[name] = {key: value.value for key, value in vars(said).items()}
        if watch.mended:
            mended = watch.mended(test.items), watch.mended(stamped)
            found[name]["mended_accuracy"] = accuracy(model.predict(mended[0]), test.labels).value
            found[name]["mended_success"] = success_rate(
                model.predict(mended[1]), test.labels, TARGET
            ).value
    return found


def show(lines: Sequence[dict[str, Any]]) -> None:
    """Prints means over seeds as markdown."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        groups[line["attack"], line["classes"]].append(line)
    print(
        "\n| attack | classes | accuracy (clean model) | success (floor) | perplexity x | cosine |"
    )
    print("|---|---|---|---|---|---|")
    for (attack, classes), group in groups.items():
        shows = [line.get("shows", {}) for line in group]
        print(
            f"| {attack} | {classes} | {mean(group, 'accuracy')} ({mean(group, 'clean_accuracy')}) "
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
        print(f"\n| attack | classes | {kind[:-1]} | judged | {' | '.join(names)} |")
        print("|---" * (len(names) + 4) + "|")
        for (attack, classes), group in groups.items():
            for method in group[0].get(kind, {}):
                cells = [line[kind][method] for line in group]
                judged = [cell for cell in cells if "unjudged" not in cell]
                figures = " | ".join(mean(judged, name) for name in names)
                share = f"{len(judged)}/{len(cells)}"
                print(f"| {attack} | {classes} | {method} | {share} | {figures} |")


def mean(cells: Sequence[dict[str, Any]], name: str) -> str:
    """A mean over seeds, "" where nothing was measured."""
    values = [cell[name] for cell in cells if cell.get(name) is not None]
    found = math.fsum(values) / len(values) if values else math.nan
    return f"{found:.3f}" if values else ""


if __name__ == "__main__":
    main()
