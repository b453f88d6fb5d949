"""What a scanner is: it looks at batches, adds up with its twins, and concludes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

from holdfast.scan.batch import Batch
from holdfast.scan.finding import Conclusion, Finding


@dataclass(frozen=True)
class Context:
    """What every scanner may know before it starts.

    Attributes:
        policy: name or file of the policy, as `holdfast.policy.load` reads it; "" for none.
        forbidden: forbidden requests beside those of the policy.
    """

    policy: str = ""
    forbidden: tuple[str, ...] = ()


class Scanner(Protocol):
    """Looks at rows. One is made for every unit of work; what they know is then merged.

    Merging must be commutative and associative, and what a scanner keeps must not grow with the
    number of rows: then the result is the same for any order of shards and number of workers.
    """

    name: ClassVar[str]

    def __init__(self, context: Context) -> None: ...

    def look(self, batch: Batch) -> Iterable[Finding]:
        """Row findings of a batch; remembers what a conclusion will need."""
        ...

    def merge(self, other: Self) -> None:
        """Takes in what a twin saw."""
        ...

    def conclude(self, rows: int) -> Conclusion:
        """Verdicts on the set, once every row was seen."""
        ...
