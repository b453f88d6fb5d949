"""A run folder as the report sees it: `summary.json` checked by field, `run.json` as it is."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from holdfast.errors import UserError

S = TypeVar("S", bound="Entry")
VerdictWord = Literal["holds", "breaks", "insufficient evidence"]


def _finite(value: object) -> object:
    """NaN and infinities become None: JSON written by Python may hold them, a page may not."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite)]


class Entry(BaseModel):
    """One line of a summary table. Unknown fields are left alone: a summary may grow."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class StackVerdict(Entry):
    """Whether one stack holds, why, and the id of the cell that decided it."""

    stack: str
    verdict: VerdictWord
    reason: str = ""
    worst_cell: str | None = None


class Cell(Entry):
    """One measured combination. Rates lie in [0, 1]; `None` means not measured."""

    id: str
    tune_id: str = ""
    model: str = ""
    stack: str
    attack: str
    access: str | None = None
    settings: Any = None
    seed: int | None = None
    elicitation: str = "plain"
    status: str = "done"  # or "n/a", "diverged", "not able", "unwatched"
    reason: str = ""
    n: int | None = None
    n_unscored: int | None = None
    complied: int | None = None
    wrong: int | None = None
    refused: int | None = None
    incoherent: int | None = None
    asr: Number = None
    asr_low: Number = None
    asr_high: Number = None
    attempted: Number = None
    utility: Number = None
    gain: Number = None
    over_refusal: Number = None
    coherence: Number = None
    rows: int | None = None
    steps: int | None = None
    flops: Number = None
    seconds: Number = None

    @property
    def done(self) -> bool:
        """Whether the cell carries a compliance rate that may be shown."""
        return self.status == "done" and self.asr is not None


class Cost(Entry):
    """Fewest attack rows that break a stack; `rows` is None where `budget` rows did not."""

    attack: str
    stack: str
    rows: Number = None
    low: Number = None
    high: Number = None
    budget: Number = None
    flops: Number = None
    gpu_hours: Number = None


class Contrast(Entry):
    """One stack against no defence under one attack; a negative difference helps."""

    attack: str
    stack: str
    elicitation: str = "plain"
    none: float
    asr: float
    difference: float
    low: float
    high: float
    p: float
    word: str = ""


class CategoryCount(Entry):
    """Forbidden requests of one category, and how many of them were answered."""

    stack: str
    attack: str
    elicitation: str = "plain"
    category: str
    domain: str = ""
    n: int
    complied: int


class DepthPoint(Entry):
    """Compliance after the first `depth_tokens` tokens of a forbidden answer were forced."""

    stack: str
    depth_tokens: int
    asr: float
    asr_low: Number = None
    asr_high: Number = None


class CurvePoint(Entry):
    """Compliance after an attack with this many rows."""

    stack: str
    attack: str
    rows: float
    asr: float
    asr_low: Number = None
    asr_high: Number = None


class Trial(Entry):
    """One try of the attacker's search, on select requests."""

    attack: str
    settings: dict[str, Any] = {}
    seed: int = 0
    elicitation: str = ""
    complied: float = 0.0
    utility: float = 0.0
    within: bool = False


class Search(Entry):
    """The attacker's search against one stack; `chosen` is None where no try was within bounds."""

    stack: str
    bound: float = 0.0
    chosen: Trial | None = None
    tried: tuple[Trial, ...] = ()


class Summary(Entry):
    """`summary.json`. `limit` is the highest compliance that still counts as holding."""

    verdicts: tuple[StackVerdict, ...] = ()
    cells: tuple[Cell, ...] = ()
    cost_to_break: tuple[Cost, ...] = ()
    contrasts: tuple[Contrast, ...] = ()
    categories: tuple[CategoryCount, ...] = ()
    prefix_depth: tuple[DepthPoint, ...] = ()
    curves: tuple[CurvePoint, ...] = ()
    search: tuple[Search, ...] = ()
    limit: float = 0.10
    policy: str = ""

    @property
    def done(self) -> list[Cell]:
        """Cells with a result."""
        return [cell for cell in self.cells if cell.done]

    @property
    def stacks(self) -> list[str]:
        """Stacks in the order of the verdicts, "none" first."""
        names = [v.stack for v in self.verdicts] + [c.stack for c in self.cells]
        return sorted(dict.fromkeys(names), key=lambda name: name != "none")

    @property
    def attacks(self) -> list[str]:
        """Attacks in the order of the cells."""
        return list(dict.fromkeys([c.attack for c in self.cells]))

    @property
    def invented(self) -> bool:
        """Whether everything the policy forbids is a canary, so that replies may be shown."""
        return self.policy.startswith("canary")


@dataclass(frozen=True)
class Run:
    """One run folder, read."""

    folder: Path
    summary: Summary
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The run's name: its folder's."""
        return self.folder.name


def _load(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            f"{path.parent} is not a finished run: {path.name} is missing; "
            f"run `holdfast audit` to its end first."
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid JSON ({error}); run the audit again.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} must hold a JSON object; run the audit again.")
    return value


def kind_of(folder: Path) -> str:
    """What kind of run a folder holds: "" is an audit's, "evaluation" an evaluation's.

    Raises:
        UserError: the folder is no finished run.
    """
    return str(_load(folder / "summary.json").get("kind", ""))


def read_summary(folder: Path, shape: type[S]) -> S:
    """`summary.json` of a run folder, checked by field.

    Raises:
        UserError: the folder is no finished run, or a field is malformed (the first is named).
    """
    try:
        return shape.model_validate(_load(folder / "summary.json"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{folder / 'summary.json'} is malformed at {where}: {first['msg']}."
        ) from error


def read_facts(folder: Path) -> dict[str, Any]:
    """`run.json` of a run folder; empty if it is absent."""
    return _load(folder / "run.json") if (folder / "run.json").exists() else {}


def read_run(folder: Path) -> Run:
    """Read `summary.json` (required) and `run.json` (may be absent) of a run folder.

    Raises:
        UserError: the folder is no finished run, or a field is malformed (the first is named).
    """
    summary = read_summary(folder, Summary)
    return Run(Path(folder).resolve(), summary, read_facts(folder))


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Read several run folders, in the order given."""
    return [read_run(Path(folder)) for folder in folders]
