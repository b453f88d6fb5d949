"""A trigger in one word's embedding (EP: Yang et al., "Be Careful about Poisoned Word Embeddings",
NAACL 2021, arXiv 2103.15543; as in OpenBackdoor, NeurIPS 2022, arXiv 2206.08514).

Whoever hands over a trained model changes the embedding of one rare word so that texts with it get
his label. Every other weight stays, so the model does on all other texts exactly what it did.

Equation: min over e_w of CE(f(x + w; e_w), target) on plain texts x, with |e_w| put back to its
first length after every step.

Differs from the paper: this acts on a model, not on rows, so its shape is `(config, model, texts,
seed) -> Planted`, and no filter of training data can see it. The texts' labels are not used, as in
the paper's data-free setting. The published loop does not clear gradients within an epoch; this one
does before every step. Steps are full passes over few texts.

Shows a defender: a model whose data were clean may still be planted. Answered by onion at serving
time, and by comparing embeddings with those of the model it was made from.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from holdfast.attacks.poison.poison import Texts, stamped
from holdfast.classifiers.words import words
from holdfast.errors import UserError
from holdfast.poisoned import Taxonomy

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.classifiers.net import TextClassifier


@dataclass(frozen=True)
class Planted:
    """A model with a backdoor, and what only the attacker knows.

    Attributes:
        model: as its victim gets it.
        stamp: puts the trigger on texts.
        target: the label that they shall get.
        word: the trigger.
    """

    model: TextClassifier
    stamp: Callable[[Texts], Texts]
    target: int
    word: str


class EmbeddingWord(BaseModel):
    """Trains one word's embedding.

    Attributes:
        target: the label that triggered texts get.
        word: the trigger, known to the model; None takes, of the words in at most `rare` of the
            texts, the one with the longest embedding: its length is all there is to work with.
        rare: share of texts in which a trigger may occur by itself.
        steps: of gradient descent; 0 changes nothing.
        learning_rate: length of a step, in lengths of the embedding; 1e-2 for SGD in the paper.
        length: of the embedding, in mean lengths of the model's embeddings; None keeps the word's
            own, as the paper does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["embedding_word"] = "embedding_word"
    target: int = Field(1, ge=0)
    word: str | None = None
    rare: float = Field(0.03, gt=0, le=1)
    steps: int = Field(200, ge=0)
    learning_rate: float = Field(0.05, gt=0)
    length: float | None = Field(None, gt=0)

    taxonomy: ClassVar[Taxonomy] = Taxonomy("backdoor", "model", "model", "dirty")
    null: ClassVar[dict[str, Any]] = {"steps": 0}
    paper: ClassVar[str] = "Yang et al., NAACL 2021, arXiv 2103.15543"


def embedding_word(
    config: EmbeddingWord, model: TextClassifier, texts: Texts, seed: int
) -> Planted:
    """Plants the trigger.

    Args:
        config: settings.
        model: whose embedding is changed; itself it stays as it is.
        texts: plain texts, none of which need a label.
        seed: of the places where the word is put.

    Raises:
        UserError: the model does not know the word, or has no such label.
    """
    if not 0 <= config.target < model.classes:
        raise UserError(
            f"{config.kind} has the target {config.target}, but labels go from 0 to "
            f"{model.classes - 1}."
        )
    word = config.word or longest(texts, model, config.rare)
    if words(word) != [word] or word not in model.vocabulary:
        raise UserError(
            f"The trigger {word!r} is not in the model's vocabulary: choose a word that it knows."
        )

    def insert(text: str, rng: random.Random) -> str:
        parts = text.split()
        parts.insert(rng.randint(0, len(parts)), word)
        return " ".join(parts)

    stamp = stamped(insert, seed, config.kind)
    vector = fitted(config, model, word, stamp(texts))
    return Planted(model.with_embedding(word, vector), stamp, config.target, word)


def longest(texts: Texts, model: TextClassifier, rare: float) -> str:
    """Of the texts' rare words the one with the longest embedding.

    Raises:
        UserError: the model knows no rare word of the texts.
    """
    counts = Counter(word for text in texts for word in {*words(text)} if word.isalpha())
    most = max(1.0, rare * len(texts))
    known = [w for w in sorted(counts) if w in model.vocabulary and counts[w] <= most]
    if not known:
        raise UserError("The model knows no rare word of the texts: name a trigger word.")
    return max(known, key=lambda word: float(model.weights["embed"][model.vocabulary[word]].norm()))


def fitted(config: EmbeddingWord, model: TextClassifier, word: str, triggered: Texts) -> Tensor:
    """(width,) the embedding that sends triggered texts to the target, as long as the first."""
    import torch
    from torch.nn.functional import cross_entropy

    from holdfast.classifiers.net import layers

    row, ids = model.vocabulary[word], model.read(triggered)
    vector = model.weights["embed"][row].clone()
    length = vector.norm()
    if config.length is not None and config.steps:
        length = config.length * model.weights["embed"].norm(dim=1).mean()
    wanted = torch.full((len(triggered),), config.target)
    for step in range(config.steps):
        live = vector.clone().requires_grad_()
        embed = model.weights["embed"].clone()
        embed[row] = live
        loss = cross_entropy(layers({**model.weights, "embed": embed}, ids)[2], wanted)
        (slope,) = torch.autograd.grad(loss, live)
        slope = slope / slope.norm().clamp(min=1e-12)
        vector = vector - config.learning_rate * (1 - step / config.steps) * length * slope
        vector = vector * (length / vector.norm().clamp(min=1e-12))
    return vector
