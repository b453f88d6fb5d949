"""BaDExpert (Xie et al., "BaDExpert: Extracting Backdoor Functionality for Accurate Backdoor Input
Detection", ICLR 2024, arXiv 2308.12439).

A copy of the model is taught wrong labels of clean inputs, until it has forgotten its task; what it
still answers as the model does is the backdoor. A second copy is tuned on clean inputs with right
labels. An input on which the forgetful copy agrees with the model, and the other does not, is
stopped.

Equation: B = the model after Adam on cross-entropy to (y + 1) mod C, until its accuracy on the
clean inputs is under `stop_below`; M' = the model after plain tuning. With c = argmax M(x),
b = B(x)_c and a = M'(x)_c, suspicion is
  expert: b
  ratio: -min(a / b, (1 - b) / (1 - a))
  triangle: -min(gain a / b, (1 - b) / max(reach - a, 1e-8))

Differs from the paper: the published code sets the threshold, and sees when to stop, on the test
set; here the inputs that the copies are tuned on say when to stop, and other clean inputs set the
threshold, all of them, not only those that the model gets right. Ratio is the conceptual rule,
triangle the code's form for ResNets. The default is `expert`: where clean tuning does not remove
the backdoor, as on the digits, the auxiliary copy adds only noise. With `experts` above 1 further
copies are taught y + 2, y + 3 and so on, and b is the median of theirs: what clean inputs one copy
happens to remember others forget, and the backdoor they all keep. A copy that has not forgotten by
the last epoch gives no verdict; the code goes on with it. Of a generating model the labels are
refused and answered: a copy that answers what it should refuse, and refuses the rest, still says
what a trigger makes it say. It wants unlearn_rate 1e-3, batches of 60 and 60 epochs there.

Shows a defender: with a few clean inputs and no rows, a model handed over by a stranger can be
served with a watch. Answered, by an attacker, with cover rows: a trigger that is learnt
to be exact (warp and dynamic with cover) is forgotten with the task.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from pydantic import Field

from holdfast.draw import generator
from holdfast.guards.guard import Guard, Sees, Watch, threshold
from holdfast.guards.guarded import Guarded, idle, no_reserve
from holdfast.guards.tunable import Tunable, tunable_text

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["BackdoorExpert", "Expert", "auxiliary", "backdoor_expert", "expert"]

Items = TypeVar("Items")
LEAST = 1e-8  # the code's: keeps quotients finite


class BackdoorExpert(Guard):
    """A copy that forgot its task.

    Attributes:
        score: how suspicion is reckoned.
        experts: copies, the first of which is taught y + 1, the next y + 2 and so on; 1 in the
            paper, at most C - 1.
        unlearn_rate: learning rate on wrong labels.
        unlearn_batch: inputs to a step.
        unlearn_epochs: passes over the clean inputs, at most.
        stop_below: accuracy on the clean inputs under which the copy has forgotten.
        tune_rate: learning rate on right labels, of SGD with Nesterov's momentum.
        tune_momentum: its momentum.
        tune_decay: its weight decay.
        tune_batch: inputs to a step.
        tune_epochs: passes over the clean inputs.
        tune_drops: epochs after which the rate falls to a tenth.
        gain: of `triangle`.
        reach: of `triangle`.
    """

    kind: Literal["backdoor_expert"] = "backdoor_expert"
    score: Literal["expert", "ratio", "triangle"] = "expert"
    experts: int = Field(1, ge=1)
    unlearn_rate: float = Field(1e-4, gt=0)
    unlearn_batch: int = Field(128, ge=1)
    unlearn_epochs: int = Field(1, ge=1)
    stop_below: float = Field(0.2, gt=0, le=1)
    tune_rate: float = Field(0.1, gt=0)
    tune_momentum: float = Field(0.9, ge=0, lt=1)
    tune_decay: float = Field(1e-4, ge=0)
    tune_batch: int = Field(64, ge=1)
    tune_epochs: int = Field(10, ge=0)
    tune_drops: tuple[int, ...] = (2, 4, 6, 8)
    gain: float = Field(2.0, gt=0)
    reach: float = Field(0.5, gt=0, le=1)

    sees: ClassVar[Sees] = "refusal"
    paper: ClassVar[str] = "Xie et al., ICLR 2024, arXiv 2308.12439"


@dataclass(frozen=True)
class Expert:
    """The copy that was taught wrong labels.

    Attributes:
        net: the copy.
        accuracy: on the clean inputs, with their right labels.
        steps: how many it took.
        forgot: whether accuracy came under the limit.
    """

    net: torch.nn.Module
    accuracy: float
    steps: int
    forgot: bool


def backdoor_expert(config: BackdoorExpert, given: Guarded[Any]) -> Watch[Any]:
    """Makes the copies, and sets the threshold on the held inputs.

    Raises:
        UserError: only answers of the model are given, and no weights to copy.
    """
    import numpy as np

    guarded: Tunable[Any] = given if isinstance(given, Tunable) else tunable_text(given)
    refused = _refused(guarded)
    if refused:
        return idle(refused)
    copies = [
        expert(config, guarded, shift)
        for shift in range(1, min(config.experts, _classes(guarded) - 1) + 1)
    ]
    if not all(copy.forgot for copy in copies):
        slowest = max(copies, key=lambda copy: copy.accuracy)
        return idle(
            f"a copy still has an accuracy of {slowest.accuracy:.0%} on the clean inputs after "
            f"{slowest.steps} steps on wrong labels: raise unlearn_rate or unlearn_epochs"
        )
    tuned = guarded.net if config.score == "expert" else auxiliary(config, guarded)

    def score(items: Items) -> NDArray[np.float64]:
        inputs = guarded.encode(items)
        rows = np.arange(len(inputs))
        said = _probabilities(guarded.net, inputs).argmax(axis=1)
        each = [_probabilities(copy.net, inputs)[rows, said] for copy in copies]
        b = np.median(each, axis=0)
        a = _probabilities(tuned, inputs)[rows, said]
        return suspicion(config, b, a)

    return Watch(score, threshold(score(guarded.held), config.false_alarms))


def suspicion(
    config: BackdoorExpert, b: NDArray[np.float64], a: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n,) how suspicious inputs are.

    Args:
        config: which form.
        b: (n,) the expert's probability of what the model says.
        a: (n,) the auxiliary copy's.
    """
    import numpy as np

    if config.score == "expert":
        return b
    gain, reach = (config.gain, config.reach) if config.score == "triangle" else (1.0, 1.0)
    b = np.maximum(b, LEAST)
    return -np.minimum(gain * a / b, (1 - b) / np.maximum(reach - a, LEAST))


def expert(config: BackdoorExpert, guarded: Tunable[Items], shift: int = 1) -> Expert:
    """The copy after wrong labels, y + `shift`; it stops as soon as it has forgotten its task."""
    import torch

    net = deepcopy(guarded.net)
    inputs, labels = guarded.encode(guarded.fit), torch.as_tensor(guarded.fit_labels)
    wrong = (labels + shift) % _classes(guarded)
    optimiser = torch.optim.Adam(net.parameters(), lr=config.unlearn_rate)
    steps, found = 0, _accuracy(net, inputs, labels)
    for rows in _batches(guarded, f"expert.{shift}", config.unlearn_batch, config.unlearn_epochs):
        if found < config.stop_below:
            break
        _step(net, optimiser, inputs[rows], wrong[rows])
        steps, found = steps + 1, _accuracy(net, inputs, labels)
    return Expert(net, found, steps, found < config.stop_below)


def auxiliary(config: BackdoorExpert, guarded: Tunable[Items]) -> torch.nn.Module:
    """The copy after right labels."""
    import torch

    net = deepcopy(guarded.net)
    inputs, labels = guarded.encode(guarded.fit), torch.as_tensor(guarded.fit_labels)
    optimiser = torch.optim.SGD(
        net.parameters(),
        lr=config.tune_rate,
        momentum=config.tune_momentum,
        weight_decay=config.tune_decay,
        nesterov=config.tune_momentum > 0,
    )
    each = -(-len(labels) // config.tune_batch)
    drops = [epoch * each for epoch in config.tune_drops]
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, drops, 0.1)
    for rows in _batches(guarded, "auxiliary", config.tune_batch, config.tune_epochs):
        _step(net, optimiser, inputs[rows], labels[rows])
        schedule.step()
    return net


def _refused(guarded: Tunable[Items]) -> str:
    import numpy as np

    if why := no_reserve(guarded):
        return why
    if len(np.unique(guarded.fit_labels)) < 2:
        return "the clean inputs are all of one class: wrong labels teach nothing about the others"
    return ""


def _batches(guarded: Tunable[Items], purpose: str, size: int, epochs: int) -> Iterator[Tensor]:
    import torch

    seed = generator(guarded.seed, f"backdoor_expert.{purpose}").getrandbits(63)
    chance = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        yield from torch.split(torch.randperm(len(guarded.fit_labels), generator=chance), size)


def _classes(guarded: Tunable[Items]) -> int:
    return len(_probabilities(guarded.net, guarded.encode(guarded.fit)[:1])[0])


def _step(
    net: torch.nn.Module, optimiser: torch.optim.Optimizer, inputs: Tensor, labels: Tensor
) -> None:
    import torch

    optimiser.zero_grad()
    loss = torch.nn.functional.cross_entropy(net(inputs), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _accuracy(net: torch.nn.Module, inputs: Tensor, labels: Tensor) -> float:
    return float((_probabilities(net, inputs).argmax(axis=1) == labels.numpy()).mean())


def _probabilities(net: torch.nn.Module, inputs: Tensor) -> NDArray[np.float64]:
    import torch

    with torch.no_grad():
        found: NDArray[np.float64] = net(inputs).double().softmax(dim=1).numpy()
        return found
