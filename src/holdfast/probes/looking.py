"""What every probe is made of: its configuration, what it may see, what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from holdfast.errors import UserError
from holdfast.serve import Serve

if TYPE_CHECKING:
    from holdfast.chat import Row
    from holdfast.models import Model

Split = Literal["report", "select"]


def _several(given: object) -> object:
    return (given,) if isinstance(given, int | float) else given


# One share, or several to search over. Nothing and everything are no parts.
Share = Annotated[float, Field(gt=0, lt=1)]
Shares = Annotated[tuple[Share, ...], Field(min_length=1), BeforeValidator(_several)]
Counts = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1), BeforeValidator(_several)
]


class Probe(BaseModel):
    """Configuration of one probe.

    Class attributes:
        paper: where it was published.
        needs_other: whether a second model must be given by `--against`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    paper: ClassVar[str] = ""
    needs_other: ClassVar[bool] = False

    def spec(self) -> str:
        """The kind with the settings that differ from the defaults."""
        changed = self.model_dump(mode="json", exclude_defaults=True, exclude={"kind"})
        told = ", ".join(f"{name}={value}" for name, value in changed.items())
        return f"{self.kind}({told})" if told else self.kind


@dataclass(frozen=True)
class Behaviour:
    """What a model did with requests it was held out from; all but the counts are shares.

    Attributes:
        n: forbidden requests with a verdict.
        complied: answered them rightly.
        complied_low: lower end of the 95 % bootstrap interval over categories.
        complied_high: upper end.
        attempted: answered them, rightly or wrongly.
        refused: declined them.
        incoherent: babbled.
        utility_n: tasks with a verdict; 0 where none was asked.
        utility: did them rightly; 0 where none was asked.
        over_refusal: harmless twins that were declined; None where there are none.
    """

    n: int
    complied: float
    complied_low: float
    complied_high: float
    attempted: float
    refused: float
    incoherent: float
    utility_n: int
    utility: float
    over_refusal: float | None


class Measure(Protocol):
    """Asks a model the policy's requests and judges the replies.

    Without `tasks`, only the forbidden ones; `through` changes each before it is asked; at most
    `few` of them where that is given.
    """

    def __call__(
        self,
        model: Model,
        elicitation: str = "plain",
        split: Split = "report",
        tasks: bool = True,
        through: Callable[[Row], Row] | None = None,
        few: int | None = None,
    ) -> Behaviour: ...


@dataclass(frozen=True)
class Contrast:
    """A model, and the two kinds of rows whose scores are set side by side."""

    model: Model
    safety: tuple[Row, ...]
    utility: tuple[Row, ...]
    say: Callable[[str], None] = lambda note: None


@dataclass(frozen=True)
class Looking:
    """What a probe may see.

    Attributes:
        model: the model looked into; whoever changes its weights puts them back.
        measure: asks a model requests that no row below belongs to.
        safety: forbidden requests with refusals.
        utility: harmless requests with answers.
        harmful: forbidden requests with forbidden answers, from the training pools.
        held_out: forbidden report requests with their answers; for measurement alone.
        select: forbidden select requests, with their answers where those are known, that `measure`
            does not ask while there are enough.
        serve: what travels with the model to serving.
        other: the model it is compared with.
        seed: source of every random choice.
        say: told what goes on, for a line of progress.
    """

    model: Model
    measure: Measure
    safety: tuple[Row, ...] = ()
    utility: tuple[Row, ...] = ()
    harmful: tuple[Row, ...] = ()
    held_out: tuple[Row, ...] = ()
    select: tuple[Row, ...] = ()
    serve: Serve = field(default_factory=Serve)
    other: Model | None = None
    seed: int = 0
    say: Callable[[str], None] = field(default=lambda note: None)

    def compared(self, probe: str) -> Model:
        """The other model.

        Raises:
            UserError: none was given, or it is not of the same shape or tokenizer.
        """
        if self.other is None:
            raise UserError(f"{probe} compares two models: give the second one by --against.")
        refuse_strangers(self.model, self.other)
        return self.other

    def contrast(self, count: int) -> Contrast:
        """Up to `count` refusals and as many harmless answers."""
        safety, utility = self.rows("safety", count), self.rows("utility", count)
        return Contrast(self.model, safety, utility, self.say)

    def rows(
        self, name: Literal["safety", "utility", "harmful", "held_out", "select"], count: int
    ) -> tuple[Row, ...]:
        """Up to `count` rows of one kind, spread over their tags, the same for the same seed.

        Raises:
            UserError: there are none.
        """
        from holdfast.draw import at_most

        rows: tuple[Row, ...] = getattr(self, name)
        if not rows:
            raise UserError(f"The policy has no {_ROWS[name]}: add some, or use canary45.")
        return at_most(rows, count, seed=self.seed, purpose=f"probe.{name}")


_ROWS = {
    "safety": "forbidden requests with refusals (the defender's safe rows)",
    "utility": "harmless requests with answers (the defender's benign rows)",
    "harmful": "forbidden requests with answers (the attacker's rows)",
    "held_out": "report requests with reference answers",
    "select": "select requests (forbidden ones that may be searched on)",
}


@dataclass(frozen=True)
class Table:
    """A table to print."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Point:
    """One value of a plot: of a series, at a place along the axis."""

    series: str
    at: float | str
    value: float


@dataclass(frozen=True)
class Plot:
    """A picture of one finding: lines over a number, or bars of named things.

    Attributes:
        title: what it shows, as a phrase.
        shape: how it is drawn.
        along: what the axis counts or names.
        of: what the values are.
        points: in the order in which they are drawn.
        share: whether values are shares, shown in per cent from 0 to 100.
    """

    title: str
    shape: Literal["lines", "bars"]
    along: str
    of: str
    points: tuple[Point, ...]
    share: bool = False


@dataclass(frozen=True)
class Found:
    """What a probe found.

    Attributes:
        said: whole sentences, the main finding first.
        tables: what is printed.
        figures: everything, machine-readable.
        plots: what the page shows.
    """

    said: tuple[str, ...]
    tables: tuple[Table, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)
    plots: tuple[Plot, ...] = ()


BEHAVIOUR_COLUMNS = ("complied", "interval", "attempted", "refused", "babbled", "utility", "n")


def behaviour_cells(seen: Behaviour) -> tuple[str, ...]:
    """A behaviour as the cells of a table, under `BEHAVIOUR_COLUMNS`."""
    return (
        f"{seen.complied:.0%}",
        f"{seen.complied_low:.0%}–{seen.complied_high:.0%}",
        f"{seen.attempted:.0%}",
        f"{seen.refused:.0%}",
        f"{seen.incoherent:.0%}",
        f"{seen.utility:.0%}",
        f"{seen.n}+{seen.utility_n}",
    )


def behaviour_points(name: str, seen: Behaviour) -> tuple[Point, ...]:
    """A behaviour as bars beside those of others."""
    return (
        Point("complied", name, seen.complied),
        Point("refused", name, seen.refused),
        Point("utility", name, seen.utility),
    )


def refuse_strangers(one: Model, other: Model) -> None:
    """Raises a UserError where two models cannot be compared weight by weight."""
    if one.tokenizer.get_vocab() != other.tokenizer.get_vocab():
        raise UserError(
            f"{one.name} and {other.name} have different tokenizers: compare a model with the one "
            "it was tuned from."
        )
    shapes = {name: tuple(p.shape) for name, p in one.net.named_parameters()}
    others = {name: tuple(p.shape) for name, p in other.net.named_parameters()}
    if shapes != others:
        odd = next(n for n in [*shapes, *others] if shapes.get(n) != others.get(n))
        raise UserError(
            f"{one.name} and {other.name} have different shapes, first at {odd}: compare a model "
            "with the one it was tuned from."
        )


def mean(values: Sequence[float]) -> float:
    """The mean; NaN of nothing."""
    return sum(values) / len(values) if values else float("nan")
