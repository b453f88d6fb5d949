"""A small image classifier: two hidden layers, trained in a second on one thread."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from holdfast.errors import UserError
from holdfast.poisoned import Labelled
from holdfast.scan.filters.filter import Trained
from holdfast.vision.images import Images, tensors

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["Fitted", "encode", "fit", "fresh", "np_of", "trained"]

WIDTHS = (128, 64)
EPOCHS, BATCH, LEARNING_RATE = 60, 64, 1e-3


@dataclass(frozen=True)
class Fitted:
    """A trained classifier.

    Attributes:
        net: takes (n, height, width) images, gives (n, classes) logits.
        losses: (epochs, n) cross-entropy of every training image after every epoch.
    """

    net: torch.nn.Sequential
    losses: NDArray[np.float64]

    def probabilities(self, images: Images) -> NDArray[np.float64]:
        """(n, classes) what the classifier makes of n images."""
        return _run(self.net, images, softmax=True)

    def predict(self, images: Images) -> NDArray[np.int64]:
        """(n,) the labels it gives."""
        found: NDArray[np.int64] = self.probabilities(images).argmax(axis=1)
        return found

    def features(self, images: Images) -> NDArray[np.float64]:
        """(n, width) the last hidden layer."""
        return _run(self.net[:-1], images)


def encode(images: Images) -> Tensor:
    """Images as the classifier takes them."""
    import torch

    return torch.as_tensor(images, dtype=torch.float32)


def fit(data: Labelled[Images], seed: int, epochs: int = EPOCHS) -> Fitted:
    """Trains a classifier by Adam from a random start.

    Raises:
        UserError: the data have fewer than two classes, or no images.
    """
    import numpy as np
    import torch

    if data.classes < 2 or not len(data.labels):
        raise UserError(
            f"A classifier needs images of at least two classes, and has {len(data.labels)} of "
            f"{data.classes}: bring more."
        )
    net = fresh(data, seed)
    images, labels = encode(data.items), torch.as_tensor(data.labels)
    optimiser = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    chance = tensors(seed, "vision.order")
    each = torch.nn.CrossEntropyLoss(reduction="none")
    losses = []
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(labels), generator=chance), BATCH):
            optimiser.zero_grad()
            each(net(images[rows]), labels[rows]).mean().backward()
            optimiser.step()
        with torch.no_grad():
            losses.append(each(net(images), labels).double().numpy())
    return Fitted(net, np.array(losses).reshape(epochs, len(labels)))


def trained(fitted: Fitted, data: Labelled[Images], seed: int) -> Trained:
    """What filters of training data see of a classifier and the set it was trained on."""
    return Trained(
        labels=data.labels,
        classes=data.classes,
        features=fitted.features(data.items),
        losses=fitted.losses,
        seed=seed,
    )


def fresh(data: Labelled[Images], seed: int) -> torch.nn.Sequential:
    import torch
    from torch import nn

    pixels = data.items[0].size
    sizes = (pixels, *WIDTHS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(tensors(seed, "vision.start").initial_seed())
        layers: list[nn.Module] = [nn.Flatten()]
        for narrow, wide in pairwise(sizes):
            layers += [nn.Linear(narrow, wide), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(sizes[-1], data.classes))


def _run(net: torch.nn.Module, images: Images, softmax: bool = False) -> NDArray[np.float64]:
    import torch

    with torch.no_grad():
        found = net(encode(images)).double()
        return np_of(found.softmax(dim=1) if softmax else found)


def np_of(tensor: Tensor) -> NDArray[np.float64]:
    """A tensor without a graph as an array."""
    found: NDArray[np.float64] = tensor.detach().numpy()
    return found
