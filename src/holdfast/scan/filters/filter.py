"""What a filter of training data is: it sees a set and a model trained on it, and flags rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Filter", "Filtered", "Trained"]


class Filter(BaseModel):
    """A filter's settings, with the paper's names and defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    paper: ClassVar[str]


@dataclass(frozen=True)
class Trained:
    """A labelled set, and what a model trained on it (poison included) makes of it.

    Attributes:
        labels: (n,) numbers from 0 to `classes` - 1.
        classes: how many labels there are.
        features: (n, width) hidden states of the trained model.
        losses: (epochs, n) loss of every example after every epoch, None where not recorded.
        texts: the n inputs, None where they are no texts.
        embed: hidden states (m, width) of further texts, None where the inputs are no texts.
        clean: texts known to be clean, from which thresholds are set; () for none.
        seed: of whatever a filter draws.
    """

    labels: NDArray[np.int64]
    classes: int
    features: NDArray[np.float64]
    losses: NDArray[np.float64] | None = None
    texts: tuple[str, ...] | None = None
    embed: Callable[[Sequence[str]], NDArray[np.float64]] | None = None
    clean: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class Filtered:
    """What a filter says of a set.

    Attributes:
        flagged: (n,) true where an example should be dropped; all false where it does not judge.
        scores: (n,) how suspicious an example is, higher is more; NaN where it has no score.
        unjudged: why the filter refuses to judge, "" where it does judge. A filter whose
            assumption fails says so here, and flags nothing.
        notes: what a reader should know, such as the keyword found or the clusters kept.
    """

    flagged: NDArray[np.bool_]
    scores: NDArray[np.float64]
    unjudged: str = ""
    notes: tuple[str, ...] = ()
