"""Dynamic (Nguyen and Tran, "Input-Aware Dynamic Backdoor Attack", NeurIPS 2020, arXiv 2010.08138).

A small generator makes a trigger of its own for every image; another image's trigger does not
work. Nothing is the same in any two poisoned images.

Equation: x' = clip(x + strength tanh(g(x)), 0, 1). Generator and a model of the attacker's own are
trained together on cross-entropy, with `rate` of a batch triggered and given the target label,
`cross_ratio` times as many with the trigger of another image and their own label, and
lambda_div ||x - y|| / ||g(x) - g(y)|| against equal triggers. The poisoned set then has both kinds.

Differs from the paper: the victim trains on the rows alone, where the paper's attacker hands over
the model; there is no second generator of masks, the trigger is bounded by `strength` instead.

Shows a defender: looking for one recurring mark is not enough. Answered by: strip and
backdoor_expert with several experts, where there is no cover; with it neither finds enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from holdfast.poisoned import Labelled, Poisoned, Taxonomy
from holdfast.vision.images import Images, tensors
from holdfast.vision.network import encode, fresh, np_of
from holdfast.vision.poison.planting import ImagePoison, Planting, dirty_label, poison_count

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Dynamic", "diversity", "dynamic"]

HIDDEN, BATCH, LEARNING_RATE = 64, 64, 1e-3
LEAST = 1e-6  # keeps the quotient finite where two triggers are the same


class Dynamic(ImagePoison):
    """A trigger for every image.

    Attributes:
        cross_ratio: images with another's trigger to one poisoned image (rho_c / rho_b).
        lambda_div: weight of the loss against equal triggers.
        strength: most change of a pixel.
        epochs: in which generator and model are trained.
    """

    kind: Literal["dynamic"] = "dynamic"
    cross_ratio: float = Field(1.0, ge=0)
    lambda_div: float = Field(1.0, ge=0)
    strength: float = Field(0.3, gt=0, le=1)
    epochs: int = Field(60, ge=1)

    taxonomy: ClassVar[Taxonomy] = Taxonomy("backdoor", "rows", "data", "mixed")
    paper: ClassVar[str] = "Nguyen and Tran, NeurIPS 2020, arXiv 2010.08138"


def dynamic(config: Dynamic, data: Labelled[Images], seed: int) -> Poisoned[Images]:
    """Poisons a set with a trigger for every image."""
    import torch

    poison_count(data, config)  # refuse a wrong target before anything is trained
    maker = _maker(config, data, seed)

    def stamp(images: Images) -> Images:
        with torch.no_grad():
            given = encode(images)
            return np_of(_put(given, maker(given), config.strength).double())

    def crossed(images: Images) -> Images:
        with torch.no_grad():
            given = encode(images)
            return np_of(_put(given, maker(given).roll(1, dims=0), config.strength).double())

    covers = config.cross_ratio * config.rate
    return dirty_label(data, config, seed, Planting(stamp, cover=crossed, covers=covers))


def diversity(images: Tensor, triggers: Tensor) -> Tensor:
    """Mean of ||x - y|| / ||g(x) - g(y)|| over every image and the one before it."""
    apart = (images - images.roll(1, dims=0)).flatten(1).norm(dim=1)
    told = (triggers - triggers.roll(1, dims=0)).flatten(1).norm(dim=1)
    quotient: Tensor = (apart / (told + LEAST)).mean()
    return quotient


def _put(images: Tensor, triggers: Tensor, strength: float) -> Tensor:
    return (images + strength * triggers).clamp(0, 1)


def _maker(config: Dynamic, data: Labelled[Images], seed: int) -> torch.nn.Module:
    """The generator, trained together with a model of the attacker's own."""
    import torch

    net, maker = fresh(data, seed + 1_000), _generator(data, seed)
    both = [*net.parameters(), *maker.parameters()]
    optimiser = torch.optim.Adam(both, lr=LEARNING_RATE)
    chance = tensors(seed, "dynamic.order")
    images, labels = encode(data.items), torch.as_tensor(data.labels)
    for _ in range(config.epochs):
        for rows in torch.split(torch.randperm(len(labels), generator=chance), BATCH):
            some = max(2, round(config.rate * len(rows)))
            others = round(config.cross_ratio * some)
            x, y = images[rows].clone(), labels[rows].clone()
            triggers = maker(images[rows])
            x[:some] = _put(x[:some], triggers[:some], config.strength)
            y[:some] = config.target
            end = some + others
            x[some:end] = _put(x[some:end], triggers.roll(1, dims=0)[some:end], config.strength)
            loss = torch.nn.functional.cross_entropy(net(x), y)
            loss = loss + config.lambda_div * diversity(images[rows], triggers)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return maker


def _generator(data: Labelled[Images], seed: int) -> torch.nn.Module:
    import torch
    from torch import nn

    shape = data.items.shape[1:]
    pixels = shape[0] * shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(tensors(seed, "dynamic.start").initial_seed())
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(pixels, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, pixels),
            nn.Tanh(),
            nn.Unflatten(1, shape),
        )
