"""What a guard is: it watches single inputs at serving time, with an alarm set on clean inputs.

A guard is a function `(config, guarded) -> Watch[Items]`. It is given the deployed model as
functions, and inputs known to be clean: one part to fit on, another to set the threshold on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Guard", "Watch", "threshold"]

Items = TypeVar("Items")


class Guard(BaseModel):
    """A guard's settings, with the paper's names and defaults.

    Attributes:
        false_alarms: share of clean inputs that may be stopped; sets the threshold.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    false_alarms: float = Field(0.01, gt=0, lt=1)

    paper: ClassVar[str]


@dataclass(frozen=True)
class Watch(Generic[Items]):
    """A guard at its post.

    Attributes:
        score: how suspicious inputs are, (n,), higher is more.
        limit: scores above it are an alarm.
        mended: inputs with what looked planted taken out (ONION); None where a guard only stops.
        unjudged: why the guard refuses to judge, "" where it does.
    """

    score: Callable[[Items], NDArray[np.float64]]
    limit: float
    mended: Callable[[Items], Items] | None = None
    unjudged: str = ""


def threshold(clean: NDArray[np.float64], false_alarms: float) -> float:
    """The score that at most this share of clean inputs exceeds.

    Args:
        clean: (n,) scores of clean inputs that the guard was not fitted on.
        false_alarms: the share.
    """
    import numpy as np

    return float(np.quantile(clean, 1 - false_alarms, method="higher"))
