"""Labels flipped at random (the plainest poisoning of Cinà et al., "Wild Patterns Reloaded", ACM
Computing Surveys 2023, arXiv 2205.01992).

Some rows get a wrong label; the texts stay. It makes every answer a little worse and needs to know
nothing.

Equation: y_i* ~ uniform over labels other than y_i, for a random share `rate` of the rows.

Differs from the paper: it is a survey; with more than two labels the wrong one is drawn evenly.

Shows a defender: how much label noise a training run bears. Answered by label_neighbours.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from holdfast.attacks.poison.poison import Poison, Texts, chosen, placed, two_labels
from holdfast.draw import generator
from holdfast.poisoned import Labelled, Poisoned, Taxonomy


class RandomFlip(Poison):
    """Flips labels of random rows."""

    kind: Literal["random_flip"] = "random_flip"

    taxonomy: ClassVar[Taxonomy] = Taxonomy("indiscriminate", "rows", "nothing", "dirty")
    paper: ClassVar[str] = "Cinà et al., ACM Computing Surveys 2023, arXiv 2205.01992"


def random_flip(config: RandomFlip, data: Labelled[Texts], seed: int) -> Poisoned[Texts]:
    """Gives random rows a wrong label."""
    two_labels(data, 0, config.kind)
    count = round(config.rate * len(data.labels))
    rows = chosen(data, count, np.ones(len(data.labels), bool), seed, config.kind)
    rng = generator(seed, f"{config.kind}.labels")
    labels = {}
    for row in rows.tolist():
        labels[row] = rng.choice([c for c in range(data.classes) if c != data.labels[row]])
    return placed(data, {}, labels)
