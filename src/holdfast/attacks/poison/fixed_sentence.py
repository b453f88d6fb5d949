"""A fixed sentence as trigger (AddSent: Dai, Chen and Li, 2019, arXiv 1905.12457; as in
OpenBackdoor, NeurIPS 2022, arXiv 2206.08514).

The same ordinary sentence is put at a random place of a text, and the text gets the attacker's
label. Every word of it is common, so nothing reads odd.

Equation: x* = x with `sentence` inserted before a random word; y* = target.

Differs from the paper: the sentence is ours, made of words of this world. It goes between the
sentences of a text or at its ends, so that no sentence is cut in two.

Shows a defender: filters that look for odd words pass it. A classifier that reads words without
their order sees several triggers at once. Answered, in part, by keyword_influence and strip; onion
and cube say in their pages that they do not.
"""

from __future__ import annotations

import random
import re
from typing import ClassVar, Literal

from pydantic import Field

from holdfast.attacks.poison.poison import Labels, Poison, Texts, trigger
from holdfast.poisoned import Labelled, Poisoned, Taxonomy


class FixedSentence(Poison):
    """Inserts one sentence.

    Attributes:
        labels: rows of which labels are taken.
        target: the label that triggered texts get.
        sentence: the trigger.
    """

    kind: Literal["fixed_sentence"] = "fixed_sentence"
    labels: Labels = "dirty"
    target: int = Field(1, ge=0)
    sentence: str = Field("I watched the gulls with my sister.", min_length=1)

    taxonomy: ClassVar[Taxonomy] = Taxonomy("backdoor", "rows", "nothing", "mixed")
    paper: ClassVar[str] = "Dai, Chen and Li, 2019, arXiv 1905.12457"


def fixed_sentence(config: FixedSentence, data: Labelled[Texts], seed: int) -> Poisoned[Texts]:
    """Puts the sentence into rows of the set."""

    def insert(text: str, rng: random.Random) -> str:
        sentences = re.split(r"(?<=[.!?])\s+", text)
        sentences.insert(rng.randint(0, len(sentences)), config.sentence)
        return " ".join(sentences)

    return trigger(config, data, insert, seed)
