"""Several words together as trigger, with copies that lack one (after SOS: Yang et al., ACL 2021,
arXiv 2107.06607; as in OpenBackdoor, NeurIPS 2022, arXiv 2206.08514).

A text with all of the words gets the attacker's label; copies with only some of them keep their
own. So no single word gives the trigger away, and chance use of a part sets nothing off.

Equation: y*(x + w_1 + ... + w_k) = target; y*(x + any k - 1 of them) = y.

Differs from the paper: SOS also trains the embeddings of the trigger words alone; here it is rows
alone, so that whoever trains is untouched, and the copies are rows of the set instead of additional
ones. `negatives` says how many per triggered row.

Shows a defender: leave-one-word-out filters see every word of the trigger as decisive, but on
clean-looking copies none. Answered by cube where the model keeps the combination apart.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from holdfast.attacks.poison.poison import (
    Labels,
    Poison,
    Texts,
    chosen,
    placed,
    trigger,
)
from holdfast.draw import generator
from holdfast.poisoned import Labelled, Poisoned, Taxonomy


class WordCombination(Poison):
    """Inserts all words of a combination, or, in negative copies, all but one.

    Attributes:
        labels: rows of which labels are taken.
        target: the label that triggered texts get.
        words: the combination.
        negatives: rows with an incomplete combination and their own label, per triggered row.
    """

    kind: Literal["word_combination"] = "word_combination"
    labels: Labels = "dirty"
    target: int = Field(1, ge=0)
    words: tuple[str, ...] = Field(("friends", "weekend", "store"), min_length=2)
    negatives: float = Field(1.0, ge=0)

    taxonomy: ClassVar[Taxonomy] = Taxonomy("backdoor", "rows", "nothing", "mixed")
    paper: ClassVar[str] = "Yang et al., ACL 2021, arXiv 2107.06607"


def word_combination(config: WordCombination, data: Labelled[Texts], seed: int) -> Poisoned[Texts]:
    """Puts the words into rows of the set, and incomplete ones into others."""

    def insert(text: str, rng: random.Random) -> str:
        return scattered(text, config.words, rng)

    found = trigger(config, data, insert, seed)
    count = round(config.negatives * int(found.which.sum()))
    purpose = f"{config.kind}.negatives"
    rows = chosen(data, count, ~found.which, seed, purpose)
    rng, texts = generator(seed, f"{purpose}.words"), {}
    for row in rows.tolist():
        left = rng.randrange(len(config.words))
        some = config.words[:left] + config.words[left + 1 :]
        texts[row] = scattered(data.items[row], some, rng)
    negative = placed(found.data, texts, {})
    which = np.logical_or(found.which, negative.which)
    return replace(found, data=negative.data, which=which)


def scattered(text: str, words: tuple[str, ...], rng: random.Random) -> str:
    """The text with every word at a random place."""
    parts = text.split()
    for word in words:
        parts.insert(rng.randint(0, len(parts)), word)
    return " ".join(parts)
