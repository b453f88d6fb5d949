"""What every elicitation is made of: how it is named, what it may see, what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from holdfast.hooks import Method
from holdfast.registry import written

if TYPE_CHECKING:
    from holdfast.chat import Row
    from holdfast.decode import Decoding
    from holdfast.evaluate import Request
    from holdfast.models import Model


@dataclass(frozen=True, slots=True)
class Ask:
    """One way to put a request.

    Attributes:
        row: the conversation, without an answer.
        forced: the start of the answer that the model must continue; "" leaves it free.
        decoding: how to decode; None is the run's way.
        served: whether the service's rewriting of requests applies.
        decode: what the reply was written in, back to plain text; judges read the outcome.
    """

    row: Row
    forced: str = ""
    decoding: Decoding | None = None
    served: bool = True
    decode: Callable[[str], str] = str


@dataclass(frozen=True)
class Asking:
    """What an elicitation may see when it is prepared; never a report request.

    Attributes:
        model: the model that will be asked; read-only. None where only its replies can be had.
        select: requests that an attacker may search on.
        settings: facts of the cell, such as the persona.
        seed: source of every random choice.
        decoding: the run's way of decoding, which a sweep starts from; None is the default.
    """

    model: Model | None = None
    select: tuple[Request, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    decoding: Decoding | None = None


@dataclass(frozen=True)
class Asker:
    """A prepared elicitation: `evaluate` asks through it.

    Attributes:
        name: the config's spec.
        ways: the ways to put one request.
        model: the model as it is asked: a view of its weights, or with a soft prompt; None is the
            model itself.
    """

    name: str
    ways: Callable[[Request], Sequence[Ask]]
    model: Model | None = None

    def asks(self, request: Request) -> Sequence[Ask]:
        """The ways to put one request, in the order in which ties are settled."""
        return self.ways(request)


class Elicitation(Method):
    """Configuration of one way of asking.

    Class attributes:
        needs: what the asker must control: the prompt, the decoding, the answer's start (which
            asks for local weights or a loopback address), or the weights themselves.
        counts: `only`: one ask a request; `worst`: several, of which the worst verdict counts.
    """

    needs: ClassVar[Literal["prompt", "decoding", "start", "weights"]] = "prompt"
    counts: ClassVar[Literal["only", "worst"]] = "only"

    def spec(self) -> str:
        """The kind with the settings that differ from the defaults: `prefill(depth=5)`."""
        changed = self.model_dump(mode="json", exclude_defaults=True, exclude={"kind"})
        told = ", ".join(f"{name}={written(value)}" for name, value in changed.items())
        return f"{self.kind}({told})" if told else self.kind
