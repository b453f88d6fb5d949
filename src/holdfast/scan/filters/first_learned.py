"""What is learned first (isolation of Anti-Backdoor Learning: Li et al., NeurIPS 2021, arXiv
2110.11571), as a report.

A trigger is the easiest thing in a set to learn, so triggered rows have the lowest loss early in
training. A small share of the rows with the lowest loss after an early epoch is set aside.

Equation: flag the `share` of rows with the lowest l_i after epoch `epoch`.

Differs from the paper: it trains with local gradient ascent, sign(L - gamma) L, so that other rows
are held above a loss; here the losses are those of plain training, recorded anyway, and `epoch`
counts in its few epochs, not the paper's 20 of 100. Unlearning by ascent is left to whoever trains.

Shows a defender: rows to read first. It always sets aside the same share, poisoned or not, so it is
no verdict, and says so. It fails at low poison rates and where topics are as easy as the trigger.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from holdfast.scan.filters.filter import Filter, Filtered, Trained
from holdfast.scan.filters.fitness import nothing, unfit


class FirstLearned(Filter):
    """Sets aside what is learned first.

    Attributes:
        share: of all rows, 0.01 in the paper.
        epoch: after which losses are compared, counted from 1.
    """

    kind: Literal["first_learned"] = "first_learned"
    share: float = Field(0.01, gt=0, lt=1)
    epoch: int = Field(3, ge=1)

    paper: ClassVar[str] = "Li et al., NeurIPS 2021, arXiv 2110.11571"


def first_learned(config: FirstLearned, seen: Trained) -> Filtered:
    """Flags the rows with the lowest early loss."""
    if why := unfit(seen):
        return nothing(seen, why)
    if seen.losses is None or len(seen.losses) < config.epoch:
        return nothing(seen, f"no losses were recorded after epoch {config.epoch}")
    early = seen.losses[config.epoch - 1]
    if float(np.ptp(early)) < 1e-9:
        return nothing(seen, f"after epoch {config.epoch} every row has the same loss")
    flagged = np.zeros(len(early), bool)
    flagged[np.argsort(early, kind="stable")[: max(1, int(config.share * len(early)))]] = True
    note = f"sets aside {flagged.sum()} rows whether or not any is poisoned: read them"
    return Filtered(flagged, -early, notes=(note,))
