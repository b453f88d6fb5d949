"""Wrong labels without any trigger (as classed by Cinà et al., "Wild Patterns Reloaded", ACM
Computing Surveys 2023, arXiv 2205.01992).

Some labels are changed and no image is. By margin, those images are taken that a linear model is
surest of, so that each wrong label does the most harm.

Equation: margin_i = s(x_i)_{y_i} - max_{c != y_i} s(x_i)_c, s the log-probabilities of a logistic
regression on the clean set; the largest are flipped, to argmin_c s(x_i)_c. At random: images drawn
evenly, to a label drawn from the others.

Differs from the paper: a survey, which names no model. Any numbers will do for images: a table
(n, columns) as well as (n, height, width).

Shows a defender: whose labels are trusted matters more than how many. Answered by:
label_neighbours, which is strong against random flips and weaker against these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from holdfast.classifiers.margins import margins_of
from holdfast.errors import UserError
from holdfast.poisoned import Labelled, Poisoned, Taxonomy
from holdfast.vision.images import numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Flips", "flips", "margins"]


class Flips(BaseModel):
    """Wrong labels.

    Attributes:
        rate: share of the labels that are changed.
        by: which ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["flips"] = "flips"
    rate: float = Field(0.1, ge=0, lt=1)
    by: Literal["random", "margin"] = "margin"

    taxonomy: ClassVar[Taxonomy] = Taxonomy("indiscriminate", "rows", "data", "dirty")
    paper: ClassVar[str] = "Cinà et al., ACM Computing Surveys 2023, arXiv 2205.01992"


def flips(
    config: Flips, data: Labelled[NDArray[np.float64]], seed: int
) -> Poisoned[NDArray[np.float64]]:
    """Poisons the labels of a set.

    Raises:
        UserError: the data have fewer than two classes.
    """
    import numpy as np

    if len(np.unique(data.labels)) < 2:
        raise UserError("Labels of a single class cannot be flipped: bring data of at least two.")
    count, n = round(config.rate * len(data.labels)), len(data.labels)
    chance = numbers(seed, "flips")
    if config.by == "margin":
        margin, least = margins(data)
        rows = np.argsort(-margin, kind="stable")[:count]
        wrong = least[rows]
    else:
        rows = chance.permutation(n)[:count]
        wrong = (data.labels[rows] + chance.integers(1, data.classes, count)) % data.classes
    labels, which = data.labels.copy(), np.zeros(n, bool)
    labels[rows], which[rows] = wrong, True
    return Poisoned(Labelled(data.items, labels, data.classes), which)


def margins(
    data: Labelled[NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(n,) how sure a linear model is of every label, and (n,) the label it thinks least of."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2_000))
    return margins_of(model, data.items.reshape(len(data.labels), -1), data.labels)
