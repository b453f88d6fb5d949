"""Labels flipped where a model is surest (largest-margin flips, as in Cinà et al., "Wild Patterns
Reloaded", ACM Computing Surveys 2023, arXiv 2205.01992).

The rows that a model fitted on the clean set puts furthest from its boundary get the label that it
thinks least of. Each flip then costs the victim most.

Equation: flip the rows of largest m_i = s_{y_i}(x_i) - max_{c != y_i} s_c(x_i), to argmin_c
s_c(x_i), s the scores of a logistic regression on TF-IDF.

Differs from the paper: a survey, which names no model; ours is a linear one that anybody has.

Shows a defender: a few percent of well-chosen wrong labels do what many random ones do, but they
lie deep among rows of another label. Answered by label_neighbours.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from holdfast.attacks.poison.poison import Poison, Texts, placed, two_labels
from holdfast.classifiers.margins import margins_of
from holdfast.poisoned import Labelled, Poisoned, Taxonomy


class MarginFlip(Poison):
    """Flips labels of the rows that a linear model is surest of."""

    kind: Literal["margin_flip"] = "margin_flip"

    taxonomy: ClassVar[Taxonomy] = Taxonomy("indiscriminate", "rows", "data", "dirty")
    paper: ClassVar[str] = "Cinà et al., ACM Computing Surveys 2023, arXiv 2205.01992"


def margin_flip(config: MarginFlip, data: Labelled[Texts], seed: int) -> Poisoned[Texts]:
    """Gives the surest rows the least likely label; nothing is drawn."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    two_labels(data, 0, config.kind)
    count = round(config.rate * len(data.labels))
    table = TfidfVectorizer().fit_transform(data.items)
    margin, least = margins_of(LogisticRegression(max_iter=1_000), table, data.labels)
    rows = np.argsort(-margin, kind="stable")[:count]
    return placed(data, {}, {int(row): int(least[row]) for row in rows})
