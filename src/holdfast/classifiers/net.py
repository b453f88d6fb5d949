"""The canary text classifier: an embedding bag and two hidden layers, trained in a second or two.

Small on purpose, so that a filter or guard can be tried on many seeds. It reads words without their
order. `Recipe()` learns its word vectors with the rest, as a victim does. `READER` holds vectors
that come from plain texts: it stands for a pre-trained encoder, sees what a note is about before it
knows any label, and is slow to learn a trigger. A filter may train either, whatever the victim is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from holdfast.classifiers.space import note_space
from holdfast.classifiers.words import words
from holdfast.draw import generator
from holdfast.poisoned import Labelled
from holdfast.scan.filters.filter import Trained

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["READER", "Recipe", "TextClassifier", "classifier", "trained", "without"]

PAD, UNKNOWN = 0, 1


class Recipe(BaseModel):
    """How the classifier is trained.

    Attributes:
        width: of embeddings and of both hidden layers.
        epochs: passes over the texts.
        batch_size: texts in a step.
        learning_rate: of Adam.
        weight_decay: of Adam.
        hidden_word: chance that a word is read as an unknown one, so that unknown words say little.
        held: whether word vectors come from plain texts and stay as they are.
        layer: which hidden layer a filter sees.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(64, ge=2)
    epochs: int = Field(15, ge=1)
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(3e-3, gt=0)
    weight_decay: float = Field(1e-3, ge=0)
    hidden_word: float = Field(0.05, ge=0, lt=1)
    held: bool = False
    layer: Literal["first", "second"] = "first"


READER = Recipe(
    width=32,
    epochs=20,
    learning_rate=1e-3,
    weight_decay=0,
    hidden_word=0.1,
    held=True,
    layer="second",
)
"""What stands for a pre-trained encoder; settings chosen on seeds 100 and up."""
START_SCALE = 0.1  # of vectors that are learned: small, so that what is learned outweighs chance
HELD_SCALE = 0.5  # of vectors from plain texts, so that the layers above start in range


@dataclass(frozen=True)
class TextClassifier:
    """A trained classifier; nothing changes it.

    Attributes:
        vocabulary: word -> its row in the table of embeddings.
        weights: the tables: `embed` (words, width), then `first`, `second` (width, width) and
            `out` (classes, width), with a bias `<name>.bias` each.
        classes: how many labels there are.
        layer: which hidden layer `features` gives.
    """

    vocabulary: dict[str, int]
    weights: dict[str, Tensor]
    classes: int
    layer: Literal["first", "second"] = "first"

    def read(self, texts: Sequence[str]) -> Tensor:
        """(n, longest) word numbers, padded with 0."""
        import torch

        known = [[self.vocabulary.get(word, UNKNOWN) for word in words(text)] for text in texts]
        longest = max([1, *map(len, known)])
        rows = [row + [PAD] * (longest - len(row)) for row in known]
        return torch.tensor(rows, dtype=torch.long).reshape(len(texts), longest)

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(n, classes) what the model makes of n texts."""
        return self._of(texts, lambda ids: layers(self.weights, ids)[2].softmax(1))

    def predict(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """(n,) the likeliest label of n texts."""
        found: NDArray[np.int64] = self.probabilities(texts).argmax(1).astype(np.int64)
        return found

    def features(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(n, width) the hidden layer that filters see."""
        place = ("first", "second").index(self.layer)
        return self._of(texts, lambda ids: layers(self.weights, ids)[place])

    def words(self) -> Tensor:
        """(words, width) embeddings of the words that it knows."""
        return self.weights["embed"][UNKNOWN + 1 :]

    def with_word(self, vector: Tensor, ids: Tensor) -> Tensor:
        """(n, classes) probabilities with a word of that embedding in front of each text.

        Args:
            vector: (width,).
            ids: (n, longest) as from `read`.
        """
        import torch

        embed = torch.cat([self.weights["embed"], vector.unsqueeze(0)])
        front = torch.full((len(ids), 1), len(embed) - 1)
        return layers({**self.weights, "embed": embed}, torch.cat([front, ids], 1))[2].softmax(1)

    def with_embedding(self, word: str, vector: Tensor) -> TextClassifier:
        """The same model with another embedding of a word that it knows.

        Args:
            word: in the vocabulary.
            vector: (width,).
        """
        embed = self.weights["embed"].clone()
        embed[self.vocabulary[word]] = vector
        return replace(self, weights={**self.weights, "embed": embed})

    def _of(self, texts: Sequence[str], part: Callable[[Tensor], Tensor]) -> NDArray[np.float64]:
        import torch

        found = []
        with torch.no_grad():
            for start in range(0, max(1, len(texts)), 1024):
                found.append(part(self.read(texts[start : start + 1024])).double().numpy())
        return cast("NDArray[np.float64]", np.concatenate(found))


def layers(weights: dict[str, Tensor], ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Both hidden layers and the logits.

    Args:
        weights: of a `TextClassifier`.
        ids: (n, longest) word numbers, padded with 0.

    Returns:
        (n, width), (n, width) and (n, classes).
    """
    from torch.nn.functional import linear, relu

    there = (ids != PAD).unsqueeze(2)
    bag = (weights["embed"][ids] * there).sum(1) / there.sum(1).clamp(min=1)
    first = relu(linear(bag, weights["first"], weights["first.bias"]))
    second = relu(linear(first, weights["second"], weights["second.bias"]))
    return first, second, linear(second, weights["out"], weights["out.bias"])


def classifier(
    data: Labelled[tuple[str, ...]], recipe: Recipe | None = None, seed: int = 0
) -> tuple[TextClassifier, NDArray[np.float64]]:
    """Trains from scratch.

    Args:
        data: texts with their labels.
        recipe: how; None for the default.
        seed: of the first weights, the order of texts and the hidden words.

    Returns:
        The model, and (epochs, n) the loss of every text after every epoch.
    """
    import torch

    recipe = recipe or Recipe()
    model = _fresh(data, recipe, seed)
    weights = model.weights
    ids, labels = model.read(data.items), torch.as_tensor(data.labels)
    chance = torch.Generator().manual_seed(generator(seed, "classifier.order").getrandbits(60))
    live = [w for name, w in weights.items() if name != "embed" or not recipe.held]
    for weight in live:
        weight.requires_grad_()
    optimiser = torch.optim.Adam(live, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    losses = []
    for _ in range(recipe.epochs):
        order = torch.randperm(len(ids), generator=chance)
        for rows in torch.split(order, recipe.batch_size):
            batch = ids[rows]
            hidden = torch.rand(batch.shape, generator=chance) < recipe.hidden_word
            batch = batch.masked_fill(hidden & (batch != PAD), UNKNOWN)
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(layers(weights, batch)[2], labels[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        with torch.no_grad():
            every = layers(weights, ids)[2]
            losses.append(torch.nn.functional.cross_entropy(every, labels, reduction="none"))
    for weight in live:
        weight.requires_grad_(False)
    return model, torch.stack(losses).double().numpy()


def _fresh(data: Labelled[tuple[str, ...]], recipe: Recipe, seed: int) -> TextClassifier:
    import torch

    counts = Counter(word for text in data.items for word in words(text))
    vocabulary = {word: number for number, word in enumerate(sorted(counts), UNKNOWN + 1)}
    chance = torch.Generator().manual_seed(generator(seed, "classifier.start").getrandbits(60))
    width = recipe.width

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=chance) * math.sqrt(2 / shape[-1])

    embed = torch.randn(len(counts) + 2, width, generator=chance)
    if recipe.held:
        space = note_space(width)
        for word in vocabulary.keys() & space.keys():
            embed[vocabulary[word]] = torch.as_tensor(space[word], dtype=embed.dtype)
    weights: dict[str, Any] = {"embed": embed * (HELD_SCALE if recipe.held else START_SCALE)}
    for name, rows in (("first", width), ("second", width), ("out", data.classes)):
        weights[name], weights[f"{name}.bias"] = drawn(rows, width), torch.zeros(rows)
    return TextClassifier(vocabulary, weights, data.classes, recipe.layer)


def trained(
    data: Labelled[tuple[str, ...]],
    recipe: Recipe | None = None,
    *,
    clean: tuple[str, ...] = (),
    seed: int = 0,
) -> tuple[TextClassifier, Trained]:
    """Trains a classifier, and shows what a filter of training data may see.

    Args:
        data: texts with their labels, poison included.
        recipe: how to train; None for the default.
        clean: texts known to be clean, for filters that set thresholds on them.
        seed: of training and of what filters draw.
    """
    model, losses = classifier(data, recipe, seed)
    seen = Trained(
        labels=data.labels,
        classes=data.classes,
        features=model.features(data.items),
        losses=losses,
        texts=data.items,
        embed=model.features,
        clean=clean,
        seed=seed,
    )
    return model, seen


def without(
    data: Labelled[tuple[str, ...]], flagged: NDArray[np.bool_]
) -> Labelled[tuple[str, ...]]:
    """The rows that a filter leaves, to train on again from scratch."""
    left = np.flatnonzero(~flagged)
    return Labelled(tuple(data.items[i] for i in left), data.labels[left], data.classes)
