"""What a stage needs to know of a job, and whose requests its model is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.gate.decision import DecisionPolicy

if TYPE_CHECKING:
    from holdfast.policy import Policy

Told = dict[str, Any]
Report = Callable[[Told], None]


@dataclass(frozen=True)
class Work:
    """What a stage needs to know of a job.

    Attributes:
        job: its id.
        model: name of the model that is tuned.
        rows: the training file.
        held: the validation file, if there is one.
        scratch: the job's own folder.
        tuned: the folder of the tuned model, once there is one.
        policy: the gate's.
        examples: the fewest that a training file must hold.
        hyperparameters: as the client gave them.
        seed: of tuning.
    """

    job: str
    model: str
    rows: Path
    scratch: Path
    policy: DecisionPolicy
    held: Path | None = None
    tuned: Path | None = None
    examples: int = 10
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    seed: int = 0


def requests_of(policy: DecisionPolicy, model: str) -> str:
    """Name of the policy whose requests a model is asked."""
    from holdfast import aligned

    return policy.requests or aligned.policy_name(model)


def policy_of(policy: DecisionPolicy, model: str) -> Policy:
    from holdfast import aligned

    return aligned.policy_of(requests_of(policy, model), policy.judge)
