"""`summary.json` of an evaluation as its page sees it, checked by field."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from holdfast.report import read
from holdfast.report.read import Entry, Number, StackVerdict


class Cell(read.Cell):
    """One model asked in one way."""

    way: str
    group: str = ""
    ability: Number = None  # what the model before alignment answers when asked so
    able: str = "unknown"


class Rate(Entry):
    """A rate with intervals: over all, a way, a group of ways, a domain or a category."""

    model: str
    by: str
    name: str
    domain: str = ""
    n: int = 0
    n_unscored: int = 0
    asr: Number = None
    asr_low: Number = None
    asr_high: Number = None
    attempted: Number = None
    attempted_low: Number = None
    attempted_high: Number = None
    refusal: Number = None
    refusal_low: Number = None
    refusal_high: Number = None


class Square(Entry):
    """One category in one way: how many of its requests were answered."""

    model: str
    elicitation: str
    category: str
    domain: str = ""
    status: str = "done"
    n: int = 0
    complied: int = 0
    asr_low: Number = None
    asr_high: Number = None


class Beside(Entry):
    """What refusing costs a model."""

    model: str
    base: str = ""
    base_utility: Number = None
    over_refusal: Number = None
    over_refusal_low: Number = None
    over_refusal_high: Number = None
    n_lookalike: int = 0
    utility: Number = None
    utility_low: Number = None
    utility_high: Number = None
    n_utility: int = 0
    coherence: Number = None


class Opinion(Entry):
    """What one judge says, and how far it agrees with the first one."""

    judge: str
    first: bool = False
    n: int = 0
    n_unscored: int = 0
    asr: Number = None
    asr_low: Number = None
    asr_high: Number = None
    refusal: Number = None
    refusal_low: Number = None
    refusal_high: Number = None
    kappa_compliance: Number = None
    kappa_compliance_low: Number = None
    kappa_compliance_high: Number = None
    kappa_refusal: Number = None
    kappa_refusal_low: Number = None
    kappa_refusal_high: Number = None


class Difference(Entry):
    """A model's compliance minus the first model's, or minus its own when asked plainly."""

    model: str
    first: str
    by: str
    name: str
    before: float
    after: float
    difference: float
    low: float
    high: float
    p: float
    n: int = 0
    clear: bool = False


class WayName(Entry):
    """A way of asking and its group."""

    way: str
    group: str


class Evaluation(Entry):
    """`summary.json` of an evaluation."""

    verdicts: tuple[StackVerdict, ...] = ()
    cells: tuple[Cell, ...] = ()
    rates: tuple[Rate, ...] = ()
    categories: tuple[Square, ...] = ()
    models: tuple[Beside, ...] = ()
    judges: tuple[Opinion, ...] = ()
    differences: tuple[Difference, ...] = ()
    weakenings: tuple[Difference, ...] = ()
    ways: tuple[WayName, ...] = ()
    limit: float = 0.10
    policy: str = ""
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The models, in the order given."""
        return [model.model for model in self.models]

    @property
    def groups(self) -> dict[str, list[str]]:
        """Ways by group, in order."""
        found: dict[str, list[str]] = {}
        for way in self.ways:
            found.setdefault(way.group, []).append(way.way)
        return found

    @property
    def invented(self) -> bool:
        """Whether everything that must be refused is a canary, so that replies may be shown."""
        return self.policy.startswith("canary")

    def cell(self, model: str, way: str) -> Cell | None:
        """The cell of a model asked in a way; None where it is not measured."""
        return next((c for c in self.cells if (c.model, c.way) == (model, way)), None)

    def rate(self, model: str, by: str, name: str) -> Rate | None:
        """One of a model's rates; None where there is none."""
        return self._by_place.get((model, by, name))

    @cached_property
    def _by_place(self) -> dict[tuple[str, str, str], Rate]:
        return {(r.model, r.by, r.name): r for r in self.rates}


@dataclass(frozen=True)
class EvaluationRun:
    """One run folder of an evaluation, read."""

    folder: Path
    summary: Evaluation
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The run's name: its folder's."""
        return self.folder.name


def read_evaluation(folder: Path) -> EvaluationRun:
    """Read `summary.json` (required) and `run.json` of an evaluation's folder.

    Raises:
        UserError: the folder is no finished run, or a field is malformed.
    """
    summary = read.read_summary(folder, Evaluation)
    return EvaluationRun(Path(folder).resolve(), summary, read.read_facts(folder))
