"""Backdoored image classifiers: attackers against filters of the rows and guards of the model.

The organism is a small network on scikit-learn's digits. Every attack success stands beside the
floor, the same trigger on a model trained on clean digits. Thresholds come from clean images that
neither the guard was fitted on nor the figures are measured on. Settings were chosen on seeds 100
to 102; the figures are of seeds 0 to 2.

    python bench/backdoors_images.py [--seeds 0 1 2] [--out bench/backdoors_images.json]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from backdoors_images_tables import markdown
from numpy.typing import NDArray

from holdfast.backdoors.grounds import digits_of
from holdfast.classifiers.measure import accuracy, caught, separation, success_rate
from holdfast.guards.backdoor_expert import BackdoorExpert, backdoor_expert, expert
from holdfast.guards.guard import Guard, Watch
from holdfast.guards.strip import Strip, strip
from holdfast.guards.tunable import Tunable
from holdfast.poisoned import Labelled, Poisoned
from holdfast.scan.filters.activation_clusters import ActivationClusters, activation_clusters
from holdfast.scan.filters.cube import Cube, cube
from holdfast.scan.filters.filter import Filter, Filtered, Trained
from holdfast.scan.filters.first_learned import FirstLearned, first_learned
from holdfast.scan.filters.label_neighbours import LabelNeighbours, label_neighbours
from holdfast.scan.filters.spectral_signature import SpectralSignature, spectral_signature
from holdfast.vision.digits import Digits, digits
from holdfast.vision.flips import Flips, flips
from holdfast.vision.images import Images
from holdfast.vision.network import Fitted, encode, fit, trained
from holdfast.vision.poison import (
    IMAGE_POISONS,
    AdaptiveBlend,
    AdaptivePatch,
    Blend,
    CleanLabel,
    Dynamic,
    ImagePoison,
    Patch,
    Sinusoid,
    Warp,
)
from holdfast.vision.targeted import (
    TARGETED_POISONS,
    Aim,
    FeatureCollision,
    GradientMatching,
    TargetedPoison,
)

HERE = Path(__file__).parent
ATTACKS: dict[str, ImagePoison] = {
    "patch": Patch(rate=0.05),
    "blend": Blend(rate=0.05),
    "sinusoid": Sinusoid(rate=0.08, delta=0.4, delta_served=0.9),
    "warp": Warp(rate=0.1, s=4, cover_ratio=0),
    "warp, with cover": Warp(rate=0.1, s=4, cover_ratio=0.5),
    "clean label, adversarial": CleanLabel(rate=0.08, eps=0.6),
    "clean label, blended": CleanLabel(rate=0.05, hardening="blended", tau=0.8),
    "dynamic": Dynamic(rate=0.1, strength=0.5, cross_ratio=0),
    "dynamic, with cover": Dynamic(rate=0.1, strength=0.5, cross_ratio=0.5),
    "adaptive blend": AdaptiveBlend(rate=0.03),
    "adaptive patch": AdaptivePatch(rate=0.03),
}
FILTERS: dict[str, tuple[Filter, Callable[[Any, Trained], Filtered]]] = {
    "cube": (Cube(min_samples=10, min_cluster_size=15), cube),
    "cube, noise kept": (Cube(min_samples=10, min_cluster_size=15, noise="nearest"), cube),
    "spectral_signature": (SpectralSignature(expected=0.3), spectral_signature),
    "activation_clusters": (ActivationClusters(), activation_clusters),
    "label_neighbours": (LabelNeighbours(), label_neighbours),
    "first_learned": (FirstLearned(), first_learned),
}
EXPERT = BackdoorExpert(unlearn_rate=1e-3, unlearn_batch=200, unlearn_epochs=1_000)
GUARDS: dict[str, tuple[Guard, Callable[[Any, Any], Watch[Images]]]] = {
    "expert": (EXPERT, backdoor_expert),
    "nine experts": (EXPERT.model_copy(update={"experts": 9}), backdoor_expert),
    "expert, ratio": (EXPERT.model_copy(update={"score": "ratio"}), backdoor_expert),
    "expert, triangle": (EXPERT.model_copy(update={"score": "triangle"}), backdoor_expert),
    "strip": (Strip(copies=100), strip),
}
FLIP_RATES = (0.0, 0.1, 0.2, 0.3)
TARGETED: dict[str, TargetedPoison] = {
    "gradient_matching": GradientMatching(eps=0.25, restarts=2),
    "feature_collision": FeatureCollision(budget=0.01, beta=0.05),
}
AIMS = 4  # inputs that each targeted attack is tried on, for each seed


@dataclass(frozen=True)
class FilterFigures:
    recall: float
    false_removal: float
    unjudged: str
    accuracy_after: float
    success_after: float


@dataclass(frozen=True)
class GuardFigures:
    """`auroc` is against triggered inputs that reach their target, `auroc_all` against all."""

    unjudged: str
    auroc: float | None
    auroc_all: float | None
    false_alarms: float | None
    accuracy_left: float
    success_left: float


@dataclass(frozen=True)
class Cell:
    attack: str
    seed: int
    poisoned: int
    accuracy: float
    accuracy_of_clean_model: float
    success: float
    floor: float
    expert_accuracy: float
    backdoor_kept: float
    filters: dict[str, FilterFigures]
    guards: dict[str, GuardFigures]


@dataclass(frozen=True)
class Triggered:
    """Test images that are not of the target's class, stamped, and the target."""

    images: Images
    target: int

    def success(self, net: Fitted) -> float:
        labels = np.full(len(self.images), -1)  # none of them is of the target's class
        return success_rate(net.predict(self.images), labels, self.target).value


def cell(name: str, seed: int, data: Digits, clean: Fitted) -> Cell:
    poisoned = poison(name, data, seed)
    net = fit(poisoned.data, seed)
    assert poisoned.stamp is not None
    assert poisoned.target is not None
    others = data.test.labels != poisoned.target
    triggered = Triggered(poisoned.stamp(data.test.items[others]), poisoned.target)
    watched = digits_of(seed).guarded(net, seed)
    assert isinstance(watched, Tunable)
    unlearnt = expert(EXPERT, watched).net
    assert isinstance(unlearnt, torch.nn.Sequential)
    copy = Fitted(unlearnt, net.losses)
    reached = net.predict(triggered.images) == poisoned.target
    return Cell(
        attack=name,
        seed=seed,
        poisoned=int(poisoned.which.sum()),
        accuracy=right(net, data.test),
        accuracy_of_clean_model=right(clean, data.test),
        success=triggered.success(net),
        floor=triggered.success(clean),
        expert_accuracy=right(copy, data.test),
        backdoor_kept=float((copy.predict(triggered.images[reached]) == poisoned.target).mean()),
        filters=filtered(poisoned, net, data, triggered, seed),
        guards={g: guard(g, net, watched, data, triggered) for g in GUARDS},
    )


def poison(name: str, data: Digits, seed: int) -> Poisoned[Images]:
    config = ATTACKS[name]
    return IMAGE_POISONS[type(config)](config, data.train, seed)


def right(net: Fitted, data: Labelled[Images]) -> float:
    return accuracy(net.predict(data.items), data.labels).value


def filtered(
    poisoned: Poisoned[Images], net: Fitted, data: Digits, triggered: Triggered, seed: int
) -> dict[str, FilterFigures]:
    seen = trained(net, poisoned.data, seed)
    found = {}
    for name, (config, run) in FILTERS.items():
        said = run(config, seen)
        counted = caught(said.flagged, poisoned.which)
        again = net
        if said.flagged.any():
            left = ~said.flagged
            again = fit(part(poisoned.data, left), seed + 500)
        found[name] = FilterFigures(
            recall=counted.recall.value,
            false_removal=counted.false_removal.value,
            unjudged=said.unjudged,
            accuracy_after=right(again, data.test),
            success_after=triggered.success(again),
        )
    return found


def part(data: Labelled[Images], rows: NDArray[np.bool_]) -> Labelled[Images]:
    return Labelled(data.items[rows], data.labels[rows], data.classes)


def guard(
    name: str, net: Fitted, watched: Tunable[Images], data: Digits, triggered: Triggered
) -> GuardFigures:
    config, run = GUARDS[name]
    watch = run(config, watched)
    reached = net.predict(triggered.images) == triggered.target
    correct = net.predict(data.test.items) == data.test.labels
    if watch.unjudged:
        success = float(reached.mean())
        return GuardFigures(watch.unjudged, None, None, None, float(correct.mean()), success)
    clean, planted = watch.score(data.test.items), watch.score(triggered.images)
    return GuardFigures(
        unjudged="",
        auroc=separation(planted[reached], clean).value,
        auroc_all=separation(planted, clean).value,
        false_alarms=float((clean > watch.limit).mean()),
        accuracy_left=float((correct & (clean <= watch.limit)).mean()),
        success_left=float((reached & (planted <= watch.limit)).mean()),
    )


def flipped(seed: int, data: Digits) -> list[dict[str, Any]]:
    """Accuracy after wrong labels, and after label_neighbours has taken out what it flags."""
    rows = []
    for by in ("random", "margin"):
        for rate in FLIP_RATES:
            found = flips(Flips(rate=rate, by=by), data.train, seed)
            net = fit(found.data, seed)
            said = label_neighbours(LabelNeighbours(), trained(net, found.data, seed))
            mended = fit(part(found.data, ~said.flagged), seed)
            counted = caught(said.flagged, found.which) if rate else None
            rows.append({
                "seed": seed, "by": by, "rate": rate,
                "accuracy": right(net, data.test), "accuracy_after": right(mended, data.test),
                "recall": counted.recall.value if counted else None,
            })  # fmt: skip
    return rows


def aimed(seed: int, data: Digits, clean: Fitted) -> list[dict[str, Any]]:
    """Targeted attacks: what they make small, and whether a victim falls for it."""
    rows = []
    for name, config in TARGETED.items():
        for place in range(AIMS):
            label = (int(data.test.labels[place]) + 1) % data.test.classes
            aim = Aim(data.test.items[place], label)
            kept = clean.net[:-1]
            assert isinstance(kept, torch.nn.Sequential)
            given = {"features": kept} if name == "feature_collision" else {}
            found = TARGETED_POISONS[type(config)](config, data.train, aim, seed, **given)
            victim = fit(found.poisoned.data, seed)
            if name == "feature_collision":
                victim = Fitted(new_head(kept, found.poisoned.data), clean.losses)
            told = int(victim.predict(aim.image[None])[0])
            rows.append({
                "seed": seed, "attack": name, "before": found.before, "after": found.after,
                "success": told == label, "accuracy": right(victim, data.test),
            })  # fmt: skip
    return rows


def new_head(kept: torch.nn.Sequential, data: Labelled[Images]) -> torch.nn.Sequential:
    """The victim of feature collision: kept layers, and a logistic regression on them."""
    from sklearn.linear_model import LogisticRegression

    with torch.no_grad():
        features = kept(encode(data.items))
    head = LogisticRegression(max_iter=2_000, C=100).fit(features.numpy(), data.labels)
    layer = torch.nn.Linear(features.shape[1], data.classes)
    layer.weight.data = torch.tensor(head.coef_, dtype=torch.float32)
    layer.bias.data = torch.tensor(head.intercept_, dtype=torch.float32)
    return torch.nn.Sequential(*kept, layer)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    asked.add_argument("--attacks", nargs="+", default=list(ATTACKS), choices=list(ATTACKS))
    asked.add_argument("--out", type=Path, default=HERE / "backdoors_images.json")
    options = asked.parse_args()
    torch.set_num_threads(1)  # the network is tiny: threads only wait for one another
    began = time.time()
    cells: list[Cell] = []
    labels: list[dict[str, Any]] = []
    aims: list[dict[str, Any]] = []
    for seed in options.seeds:
        data = digits(seed)
        clean = fit(data.train, seed)
        for name in options.attacks:
            cells.append(cell(name, seed, data, clean))
            print(f"{seed} {name}: {time.time() - began:.0f} s", flush=True)
        labels += flipped(seed, data)
        aims += aimed(seed, data, clean)
    settings: dict[str, Any] = {
        "attacks": {name: c.model_dump(mode="json") for name, c in ATTACKS.items()},
        "filters": {name: c.model_dump(mode="json") for name, (c, _) in FILTERS.items()},
        "guards": {name: c.model_dump(mode="json") for name, (c, _) in GUARDS.items()},
        "targeted": {name: c.model_dump(mode="json") for name, c in TARGETED.items()},
    }
    written = {"settings": settings, "cells": [asdict(c) for c in cells], "flips": labels,
               "targeted": aims}  # fmt: skip
    options.out.write_text(json.dumps(written, indent=1) + "\n")
    print(markdown(written))


if __name__ == "__main__":
    main()
