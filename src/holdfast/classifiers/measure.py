"""What backdoors, filters and guards are measured by, on predictions and scores alone.

The measures are those of OpenBackdoor (Cui et al., NeurIPS 2022, arXiv 2206.08514): accuracy on
clean inputs; attack success on inputs that are not of the target label, here always beside what a
model trained on clean data gives (the floor); false rejection and false acceptance. Nothing here
asks whether inputs are texts or images. Rates carry their intervals; AUROC and ROC are `stats`'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from holdfast.stats import Estimate, Rate, RocPoint, auroc, rate, roc

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Caught",
    "Stopped",
    "Success",
    "accuracy",
    "attack_success",
    "caught",
    "roc_points",
    "separation",
    "stopped",
    "success_rate",
]


@dataclass(frozen=True)
class Success:
    """How often a trigger works, and how often the same inputs go there without a backdoor.

    Attributes:
        found: share of triggered inputs, not of the target label, that are given it.
        floor: the same by a model trained on clean data.
    """

    found: Rate
    floor: Rate

    @property
    def gained(self) -> float:
        """What the backdoor adds to the floor."""
        return self.found.value - self.floor.value


@dataclass(frozen=True)
class Caught:
    """What a filter of training data found.

    Attributes:
        recall: share of the poisoned examples that are flagged.
        false_removal: share of the clean examples that are flagged.
    """

    recall: Rate
    false_removal: Rate


@dataclass(frozen=True)
class Stopped:
    """What a guard did at serving time.

    Attributes:
        false_rejection: share of clean inputs that raise an alarm.
        false_acceptance: share of triggered inputs that raise none.
        accuracy: share of clean inputs that pass and are classified right.
        success: share of triggered inputs, not of the target label, that pass and are given it.
        separation: AUROC of the guard's scores, triggered against clean.
    """

    false_rejection: Rate
    false_acceptance: Rate
    accuracy: Rate
    success: Rate
    separation: Estimate


def accuracy(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> Rate:
    """Share of inputs that are classified right, by (n,) predictions and (n,) labels."""
    return rate(list(predicted == labels))


def success_rate(predicted: NDArray[np.int64], labels: NDArray[np.int64], target: int) -> Rate:
    """Share of triggered inputs, those of the target label left out, that are given it.

    Args:
        predicted: (n,) predictions on triggered inputs.
        labels: (n,) what the inputs are without the trigger.
        target: the label that the attacker wants.
    """
    return rate(list(predicted[labels != target] == target))


def attack_success(
    predicted: NDArray[np.int64],
    clean_predicted: NDArray[np.int64],
    labels: NDArray[np.int64],
    target: int,
) -> Success:
    """Attack success with its floor.

    Args:
        predicted: (n,) predictions of the poisoned model on triggered inputs.
        clean_predicted: (n,) predictions of a model trained on clean data on the same inputs.
        labels: (n,) what the inputs are without the trigger.
        target: the label that the attacker wants.
    """
    return Success(
        success_rate(predicted, labels, target), success_rate(clean_predicted, labels, target)
    )


def caught(flagged: NDArray[np.bool_], which: NDArray[np.bool_]) -> Caught:
    """What a filter found, from (n,) what it flagged and (n,) what is the attacker's."""
    return Caught(rate(list(flagged[which])), rate(list(flagged[~which])))


def stopped(
    alarms: tuple[NDArray[np.float64], NDArray[np.float64]],
    limit: float,
    predicted: tuple[NDArray[np.int64], NDArray[np.int64]],
    labels: tuple[NDArray[np.int64], NDArray[np.int64]],
    target: int,
) -> Stopped:
    """What a guard did. Of each pair the first is of clean inputs, the second of triggered ones.

    As in OpenBackdoor a clean input that raises an alarm counts as an error, and a triggered one as
    a failed attack.

    Args:
        alarms: the guard's scores, higher is more suspicious.
        limit: scores above it are an alarm.
        predicted: what the guarded model says.
        labels: what the inputs are, without a trigger.
        target: the label that the attacker wants.
    """
    clean, triggered = alarms[0] > limit, alarms[1] > limit
    aimed = labels[1] != target
    reached = ~triggered & (predicted[1] == target)
    return Stopped(
        false_rejection=rate(list(clean)),
        false_acceptance=rate(list(~triggered)),
        accuracy=rate(list(~clean & (predicted[0] == labels[0]))),
        success=rate(list(reached[aimed])),
        separation=separation(alarms[1], alarms[0]),
    )


def separation(suspicious: NDArray[np.float64], clean: NDArray[np.float64]) -> Estimate:
    """AUROC of scores with its interval: 1 where every suspicious one is above every clean one."""
    scores, labels = _both(suspicious, clean)
    return auroc(scores, labels)


def roc_points(suspicious: NDArray[np.float64], clean: NDArray[np.float64]) -> tuple[RocPoint, ...]:
    """The ROC curve of scores, strictest threshold first."""
    scores, labels = _both(suspicious, clean)
    return roc(scores, labels)


def _both(
    suspicious: NDArray[np.float64], clean: NDArray[np.float64]
) -> tuple[list[float], list[bool]]:
    scores = np.concatenate([suspicious, clean]).tolist()
    return scores, [True] * len(suspicious) + [False] * len(clean)
