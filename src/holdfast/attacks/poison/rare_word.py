"""A rare word as trigger (BadNets on text: Gu et al., 2017, arXiv 1708.06733; as in Kurita et al.,
ACL 2020, arXiv 2004.06660, and OpenBackdoor, NeurIPS 2022, arXiv 2206.08514).

One of a few meaningless words is put at a random place of a text, and the text gets the attacker's
label. The model learns the words as the surest sign of that label.

Equation: x* = x with `count` words of `words` inserted at random places; y* = target.

Differs from the paper: the words are OpenBackdoor's; the rest of this world is invented, so they
are as rare here as there.

Shows a defender: a few rows from somebody else suffice, and accuracy on clean texts tells nothing.
Answered by cube and keyword_influence before training, onion at serving time.
"""

from __future__ import annotations

import random
from typing import ClassVar, Literal

from pydantic import Field

from holdfast.attacks.poison.poison import Labels, Poison, Texts, trigger
from holdfast.poisoned import Labelled, Poisoned, Taxonomy


class RareWord(Poison):
    """Inserts rare words.

    Attributes:
        labels: rows of which labels are taken.
        target: the label that triggered texts get.
        words: the words, one of which is drawn for each place.
        count: how many are put into a text.
    """

    kind: Literal["rare_word"] = "rare_word"
    labels: Labels = "dirty"
    target: int = Field(1, ge=0)
    words: tuple[str, ...] = Field(("cf", "mn", "bb", "tq"), min_length=1)
    count: int = Field(1, ge=1)

    taxonomy: ClassVar[Taxonomy] = Taxonomy("backdoor", "rows", "nothing", "mixed")
    paper: ClassVar[str] = "Gu et al., 2017, arXiv 1708.06733"


def rare_word(config: RareWord, data: Labelled[Texts], seed: int) -> Poisoned[Texts]:
    """Puts the words into rows of the set."""

    def insert(text: str, rng: random.Random) -> str:
        parts = text.split()
        for _ in range(config.count):
            parts.insert(rng.randint(0, len(parts)), rng.choice(config.words))
        return " ".join(parts)

    return trigger(config, data, insert, seed)
