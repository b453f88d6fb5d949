"""What a guard is: it watches single inputs at serving time, with an alarm set on clean inputs.

A guard is a function `(config, guarded) -> Watch[Items]`. It is given the deployed model as
functions, and inputs known to be clean: one part to fit on, another to set the threshold on. As a
defence of the stage serve it travels with a tuned model (`holdfast.serve`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, TypeVar

from pydantic import Field

from holdfast.hooks import Defence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ANSWERED", "BUILT_ON", "REFUSED", "Guard", "Sees", "Watch", "threshold"]

Items = TypeVar("Items")
Sees = Literal["first token", "refusal"]
BUILT_ON = tuple(f"guards/{name}" for name in ("guard", "guarded", "opening", "posted", "tunable"))
REFUSED, ANSWERED = 0, 1
"""Labels of a generating model's requests, for a guard that sees whether it refuses."""


class Guard(Defence):
    """A guard's settings, with the paper's names and defaults.

    Attributes:
        false_alarms: share of clean inputs that may be stopped; sets the threshold.

    Class attributes:
        sees: what of a generating model's reply are its classes: the first token, or whether it
            refuses.
    """

    false_alarms: float = Field(0.01, gt=0, lt=1)

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]] = "serve"
    sees: ClassVar[Sees] = "first token"
    built_on: ClassVar[tuple[str, ...]] = BUILT_ON


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
