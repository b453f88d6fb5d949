"""What an attack or a defence may change in tuning, and how several are stacked.

A method is a function `(config, context) -> Hooks`. Every field is optional; `compose()` joins the
hooks of several methods into one; `train.tune` is the only loop that runs them. What a method must
remember from one step to the next (masks, reference weights, counters) lives in its closure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import reduce
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar, Literal, ParamSpec, TypeVar

from pydantic import BaseModel, ConfigDict

from holdfast.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from holdfast.chat import Row
    from holdfast.models import Model
    from holdfast.serve import Serve
    from holdfast.train import Batch, Settings

__all__ = ["Attack", "Context", "Defence", "Hooks", "Method", "Pair", "Streams", "clash", "compose"]

Step = int
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Pair:
    """One prompt with an answer to prefer over another.

    For recovery training `chosen` is the refusal and `rejected` the forbidden answer.
    """

    prompt: Row
    chosen: str
    rejected: str


@dataclass(frozen=True)
class Streams:
    """The rows a tune draws from: the customer's, and what the defender (or attacker) adds."""

    user: tuple[Row, ...] = ()
    safe: tuple[Row, ...] = ()
    harmful: tuple[Row, ...] = ()
    pairs: tuple[Pair, ...] = ()

    def rows(self, name: str) -> tuple[Row, ...]:
        """Rows of the stream called `name`: user, safe or harmful.

        Raises:
            UserError: there is no such stream of rows.
        """
        if name == "user":
            return self.user
        if name == "safe":
            return self.safe
        if name == "harmful":
            return self.harmful
        raise UserError(f"There is no stream of rows called {name!r}: use user, safe or harmful.")


@dataclass(frozen=True)
class Context:
    """What a method may see: models and rows, never a report row.

    Attributes:
        aligned: the model before the attack; read-only.
        base: the model before alignment, where there is one; read-only.
        attacker: rows the attacker holds.
        defender: rows the defender holds.
        seed: source of every random choice the method makes.
        settings: facts of the cell a method may ask for, such as a leaked secret.
        customer: rows of an honest customer, whose task an attacker may hide among.
    """

    aligned: Model
    base: Model | None
    attacker: Streams
    defender: Streams
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    customer: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Hooks:
    """What a method changes in one tune; None leaves the loop as it is.

    Order in `train.tune`: rows, settings, start, live; then in every step pick, around (entered),
    loss and its backward pass, around (left), penalty and its backward pass, gradient, masks of
    live, clipping, optimiser step, after_step; weights at the end.

    Attributes:
        name: the method's name, for messages.
        rows: changes the streams before tuning.
        settings: changes the optimiser's settings.
        start: called once before the first step, after low-rank adapters are in place.
        live: parameter name -> mask of the entries that may change (bool or 0/1, broadcastable);
            parameters left out stay frozen. Names are those of `model.net.named_parameters()`.
        pick: stream that a step draws its batch from ("user" where nobody picks).
        around: context around the forward and backward pass of the loss.
        loss: replaces the loss; returns a scalar tensor with a graph.
        penalty: a scalar added to the loss; computed outside `around`.
        gradient: called with `.grad` filled; may run passes of its own and edit `.grad`.
        after_step: called after the optimiser has stepped.
        weights: maps the tuned model to the model that is handed on.
        serve: what travels with the model to serving.
    """

    name: str = ""
    rows: Callable[[Streams], Streams] | None = None
    settings: Callable[[Settings], Settings] | None = None
    start: Callable[[Model, Streams, Settings], None] | None = None
    live: Callable[[Model], dict[str, Tensor]] | None = None
    pick: Callable[[Step], str] | None = None
    around: Callable[[Model, Batch, Step], AbstractContextManager[None]] | None = None
    loss: Callable[[Model, Batch, Step], Tensor] | None = None
    penalty: Callable[[Model, Batch, Step], Tensor] | None = None
    gradient: Callable[[Model, Batch, Step], None] | None = None
    after_step: Callable[[Model, Step], None] | None = None
    weights: Callable[[Model], Model] | None = None
    serve: Serve | None = None


class Method(BaseModel):
    """Configuration of one published method; subclasses name the paper's settings as it does.

    Class attributes:
        null: settings at which the method equals plain tuning.
        paper: citation, one line.
        built_on: modules that do the method's work beside its own file, by their paths without the
            ending; a cell is measured anew when one of them changes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    null: ClassVar[dict[str, Any]] = {}
    paper: ClassVar[str] = ""
    built_on: ClassVar[tuple[str, ...]] = ()


class Attack(Method):
    """A method that tampers with a model.

    Class attributes:
        access: rows (a customer of a tuning service), training (also chooses the settings) or
            weights (has them all).
        asked_as: the elicitation under which the attack is measured unless told otherwise.
    """

    access: ClassVar[Literal["rows", "training", "weights"]]
    asked_as: ClassVar[str] = "plain"

    @property
    def asked(self) -> str:
        """Spec of that elicitation, with what it must know of this very attack."""
        return self.asked_as


class Defence(Method):
    """A method that keeps safeguards, at one stage of a model's life.

    Class attributes:
        stage: align (before the attacker has the model), tune (how rows of a customer are trained
            on), repair (after tuning) or serve (around the deployed model).
        keeps_secret: whether it rests on something that may leak, such as a prefix.
        needs_rows: whether it draws on the defender's rows.
        needs_aligned: whether a repair compares with the model before the tune.
    """

    stage: ClassVar[Literal["align", "tune", "repair", "serve"]]
    keeps_secret: ClassVar[bool] = False
    needs_rows: ClassVar[bool] = True
    needs_aligned: ClassVar[bool] = True


def compose(*hooks: Hooks) -> Hooks:
    """Joins the hooks of several methods into one.

    rows, settings and weights chain left to right; penalties add; contexts nest, the first
    outermost; start, gradient and after_step run in order; system prefixes join.

    Raises:
        UserError: two methods both replace the loss, pick streams or choose live weights.
    """
    if len(hooks) == 1:
        return hooks[0]
    for one, other in combinations(hooks, 2):
        if reason := clash(one, other):
            raise UserError(f"{reason}: leave one of them out.")
    from holdfast import serve as serving

    serves = [h.serve for h in hooks if h.serve is not None]
    return Hooks(
        name="+".join(h.name for h in hooks if h.name),
        rows=_chain([h.rows for h in hooks if h.rows]),
        settings=_chain([h.settings for h in hooks if h.settings]),
        start=_in_order([h.start for h in hooks if h.start]),
        live=next((h.live for h in hooks if h.live), None),
        pick=next((h.pick for h in hooks if h.pick), None),
        around=_nest([h.around for h in hooks if h.around]),
        loss=next((h.loss for h in hooks if h.loss), None),
        penalty=_add([h.penalty for h in hooks if h.penalty]),
        gradient=_in_order([h.gradient for h in hooks if h.gradient]),
        after_step=_in_order([h.after_step for h in hooks if h.after_step]),
        weights=_chain([h.weights for h in hooks if h.weights]),
        serve=serving.compose(*serves) if serves else None,
    )


def clash(one: Hooks, other: Hooks) -> str:
    """Why two methods cannot be stacked; empty if they can."""
    for what in ("live", "pick", "loss"):
        if getattr(one, what) is not None and getattr(other, what) is not None:
            first, second = (h.name or "an unnamed method" for h in (one, other))
            return f"{first} and {second} cannot be stacked, because each sets its own {what!r}"
    return ""


def _chain(steps: Sequence[Callable[[T], T]]) -> Callable[[T], T] | None:
    if not steps:
        return None
    return lambda value: reduce(lambda so_far, step: step(so_far), steps, value)


def _in_order(calls: Sequence[Callable[P, None]]) -> Callable[P, None] | None:
    if not calls:
        return None

    def all_of_them(*args: P.args, **kwargs: P.kwargs) -> None:
        for call in calls:
            call(*args, **kwargs)

    return all_of_them


def _nest(
    contexts: Sequence[Callable[[Model, Batch, Step], AbstractContextManager[None]]],
) -> Callable[[Model, Batch, Step], AbstractContextManager[None]] | None:
    if not contexts:
        return None

    @contextmanager
    def nested(model: Model, batch: Batch, step: Step) -> Iterator[None]:
        with ExitStack() as stack:
            for context in contexts:
                stack.enter_context(context(model, batch, step))
            yield

    return nested


def _add(
    penalties: Sequence[Callable[[Model, Batch, Step], Tensor]],
) -> Callable[[Model, Batch, Step], Tensor] | None:
    if not penalties:
        return None

    def added(model: Model, batch: Batch, step: Step) -> Tensor:
        total = penalties[0](model, batch, step)
        for penalty in penalties[1:]:
            total = total + penalty(model, batch, step)
        return total

    return added
