"""One attack on one ground: what it does, what every filter finds, what every guard stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from holdfast.backdoors.grounds import GROUNDS, Ground, Model
from holdfast.registry import parse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.poisoned import Poisoned
    from holdfast.scan.filters.filter import Filtered, Trained

MAPPED = 600  # rows that a map of clusters shows
STEPS = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
"""Shares of false alarms at which a ROC curve is kept, so that seeds can be compared."""
ENCODER = " (encoder)"
"""Stands behind a filter that looks through an encoder which knew words before."""


@dataclass(frozen=True)
class Case:
    """An attack, and what is set against it.

    Attributes:
        ground: `texts` or `images`.
        attack: how it is written.
        seed: of data, attack, model and methods.
        filters: of rows; behind a name may stand " (encoder)".
        guards: of the model.
    """

    ground: str
    attack: str
    seed: int
    filters: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Says it in a line."""
        return f"{self.ground} {self.attack} seed {self.seed}"


@dataclass(frozen=True)
class Found:
    """What came out; every figure is a share, but for AUROCs and `shows`.

    Attributes:
        figures: accuracy, clean_accuracy (of a model without poison), and where there is a
            trigger success, floor (of that model) and shows (how much the trigger shows).
        filters: by name recall, false_removal, auroc, and after retraining accuracy and success;
            or unjudged, with the reason.
        guards: by name separation, false_rejection, false_acceptance, success, accuracy, roc (at
            `STEPS`), and for those that mend mended_accuracy and mended_success; or unjudged.
        map: rows as [x, y, label, poisoned, flagged by the first filter that judges].
    """

    case: Case
    figures: dict[str, Any]
    filters: dict[str, dict[str, Any]] = field(default_factory=dict)
    guards: dict[str, dict[str, Any]] = field(default_factory=dict)
    map: list[list[float]] = field(default_factory=list)


@lru_cache(maxsize=2)
def ground_of(name: str, seed: int) -> tuple[Ground[Any], Model]:
    """A ground, and a model trained on its clean rows; made once in a process."""
    ground = GROUNDS[name](seed)
    return ground, ground.fit(ground.train, seed)


def run(case: Case) -> Found:
    """Poisons, trains, and tries everything."""
    ground, clean = ground_of(case.ground, case.seed)
    config = parse(ground.poisons, case.attack)
    poisoned = ground.poisons[type(config)](config, ground.train, case.seed)
    views: dict[bool, Trained] = {}
    model, views[False] = ground.trained(poisoned.data, case.seed, False)
    if any(name.endswith(ENCODER) for name in case.filters):
        _, views[True] = ground.trained(poisoned.data, case.seed, True)
    stamped = poisoned.stamp(ground.test.items) if poisoned.stamp else None
    found = Found(case, figures(ground, clean, model, stamped, poisoned.target))
    for name in case.filters:
        seen = views[name.endswith(ENCODER)]
        said = _filtered(name, seen)
        found.filters[name] = filtered(ground, poisoned, said, stamped, case.seed)
        if not found.map and not said.unjudged:
            found.map.extend(mapped(seen, poisoned, said))
    if stamped is not None:
        found.guards.update(guarded(ground, model, stamped, poisoned.target, case))
    return found


def figures(
    ground: Ground[Any], clean: Model, model: Model, stamped: Any, target: int | None
) -> dict[str, Any]:
    """What an attack does to accuracy, how often its trigger works, and how much it shows."""
    from holdfast.classifiers.measure import accuracy, success_rate

    test = ground.test
    told: dict[str, Any] = {
        "clean_accuracy": accuracy(clean.predict(test.items), test.labels).value,
        "accuracy": accuracy(model.predict(test.items), test.labels).value,
    }
    if stamped is None or target is None:
        return told
    told["success"] = success_rate(model.predict(stamped), test.labels, target).value
    told["floor"] = success_rate(clean.predict(stamped), test.labels, target).value
    if ground.shown is not None:
        told["shows"] = ground.shown(test.items, stamped)
    return told


def _filtered(name: str, seen: Trained) -> Filtered:
    from holdfast.scan.filters import FILTERS

    config = parse(FILTERS, name.removesuffix(ENCODER))
    return FILTERS[type(config)](config, seen)


def filtered(
    ground: Ground[Any], poisoned: Poisoned[Any], said: Filtered, stamped: Any, seed: int
) -> dict[str, Any]:
    """What a filter found, and what a model does that is trained on what it left."""
    import numpy as np

    from holdfast.classifiers.measure import accuracy, caught, separation, success_rate

    if said.unjudged:
        return {"unjudged": said.unjudged}
    counted, which, test = caught(said.flagged, poisoned.which), poisoned.which, ground.test
    told: dict[str, Any] = {
        "recall": counted.recall.value,
        "false_removal": counted.false_removal.value,
        "notes": list(said.notes),
    }
    if np.isfinite(said.scores).all() and which.any():
        told["auroc"] = separation(said.scores[which], said.scores[~which]).value
    again = ground.fit(ground.left(poisoned.data, said.flagged), seed)
    told["accuracy"] = accuracy(again.predict(test.items), test.labels).value
    if stamped is not None and poisoned.target is not None:
        told["success"] = success_rate(again.predict(stamped), test.labels, poisoned.target).value
    return told


def guarded(
    ground: Ground[Any], model: Model, stamped: Any, target: int | None, case: Case
) -> dict[str, dict[str, Any]]:
    """What every guard does with clean and with triggered inputs that are not of the target."""
    from holdfast.classifiers.measure import accuracy, stopped, success_rate
    from holdfast.guards import GUARDS

    assert target is not None, "an attack with a trigger has a target"
    told: dict[str, dict[str, Any]] = {}
    test, aimed = ground.test, ground.test.labels != target
    triggered = ground.part(stamped, aimed)
    predicted = model.predict(test.items), model.predict(triggered)
    for name in case.guards:
        config = parse(GUARDS, name)
        watch = GUARDS[type(config)](config, ground.guarded(model, case.seed))
        if watch.unjudged:
            told[name] = {"unjudged": watch.unjudged}
            continue
        scores = watch.score(test.items), watch.score(triggered)
        said = stopped(scores, watch.limit, predicted, (test.labels, test.labels[aimed]), target)
        told[name] = {key: value.value for key, value in vars(said).items()}
        told[name]["roc"] = curve(*scores)
        if watch.mended:
            mended = model.predict(watch.mended(test.items)), model.predict(watch.mended(stamped))
            told[name]["mended_accuracy"] = accuracy(mended[0], test.labels).value
            told[name]["mended_success"] = success_rate(mended[1], test.labels, target).value
    return told


def curve(clean: NDArray[np.float64], triggered: NDArray[np.float64]) -> list[float]:
    """Share of triggered inputs that are stopped where at most so many clean ones are: `STEPS`."""
    import numpy as np

    limits = [float(np.quantile(clean, 1 - step, method="higher")) for step in STEPS[:-1]]
    return [*(float((triggered > limit).mean()) for limit in limits), 1.0]


def mapped(seen: Trained, poisoned: Poisoned[Any], said: Filtered) -> list[list[float]]:
    """Rows on the two directions in which their hidden states differ most, poison first."""
    import numpy as np
    from sklearn.decomposition import PCA

    places = PCA(2, random_state=0).fit_transform(seen.features)
    places = (places - places.min(0)) / np.ptp(places, axis=0).clip(1e-12)
    order = np.argsort(~poisoned.which, kind="stable")[:MAPPED]
    columns: Sequence[Any] = (places[:, 0], places[:, 1], seen.labels, poisoned.which, said.flagged)
    return [[round(float(column[row]), 3) for column in columns] for row in order]
