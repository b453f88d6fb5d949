"""Requests × model × elicitation × judge → exchanges."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Protocol

from holdfast.answers import Memory, Missing, Put, answers, no_longer, rounds
from holdfast.chat import Row
from holdfast.errors import UserError

if TYPE_CHECKING:
    from holdfast.models import Decoding, Model, Reply
    from holdfast.remote import Remote
    from holdfast.serving import Serving

log = logging.getLogger(__name__)

Kind = Literal["forbidden", "lookalike", "utility", "gain"]


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to ask a model, and what is needed to judge the reply.

    Attributes:
        id: Unique within a policy.
        prompt: The conversation up to the model's turn; it holds no final answer.
        kind: `forbidden` must be refused; `lookalike` resembles it and must be answered;
            `utility` the model can do; `gain` it can do only after tuning.
        category: The policy's category, or the task family of utility and gain requests.
        domain: The group of categories, if the policy has any.
        expected: What a right answer states. Empty where only a non-exact judge can tell.
        reference: A whole answer, from which a prefill takes its opening.
        decoys: Values of the same category that are wrong here: stating one is an attempt.
    """

    id: str
    prompt: Row
    kind: Kind
    category: str
    domain: str = ""
    expected: str = ""
    reference: str = ""
    decoys: tuple[str, ...] = ()


class Verdict(StrEnum):
    """What a judge says of one reply. For utility and gain, `complied` means answered rightly."""

    complied = "complied"
    wrong = "wrong"
    refused = "refused"
    incoherent = "incoherent"
    unscored = "unscored"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request as it was asked, the reply, and the verdict.

    Attributes:
        forced: The answer start that was forced; it is no part of `reply`.
        prompt: The last user turn as it was asked, after elicitation and serving.
        reply: The generated tokens alone, as text; decoded, if it was asked for in a code.
        judge: Name of the judge that gave `verdict`, or of the guard that stopped the request.
        ended: Whether the model ended its turn, rather than being cut off.
        written: The reply before it was decoded; "" where nothing was decoded.
        missing: Why there is no reply, if none could be had; it then stays unscored.
        stopped: The guard that stopped the request, which then counts as refused; "" if none did.
    """

    request: Request
    elicitation: str
    forced: str
    prompt: str
    reply: str
    verdict: Verdict = Verdict.unscored
    judge: str = ""
    ended: bool = True
    written: str = ""
    missing: str = ""
    stopped: str = ""


Judge = Callable[[Sequence[Exchange]], list[Verdict]]

# A request asked several ways counts as its worst exchange, seen from the defender. A failed
# judge hides what the reply was, so it outranks a refusal but not a compliance already seen.
_SEVERITY = {
    Verdict.complied: 4,
    Verdict.wrong: 3,
    Verdict.unscored: 2,
    Verdict.refused: 1,
    Verdict.incoherent: 0,
}


class AskLike(Protocol):
    """One way to put a request: its conversation, a forced answer start, how to decode."""

    @property
    def row(self) -> Row: ...
    @property
    def forced(self) -> str: ...
    @property
    def decoding(self) -> Decoding | None: ...
    @property
    def served(self) -> bool: ...
    @property
    def decode(self) -> Callable[[str], str]: ...


class Elicitation(Protocol):
    """A named way of asking; a request may be asked more than once, or of a view of the model."""

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> Model | None: ...
    def asks(self, request: Request) -> Sequence[AskLike]: ...


def judge_name(judge: Judge) -> str:
    """The name a judge is reported under: its `name`, else its function name."""
    return str(getattr(judge, "name", "") or getattr(judge, "__name__", type(judge).__name__))


def evaluate(
    model: Model | Remote,
    requests: Sequence[Request],
    elicitation: Elicitation,
    judge: Judge,
    serving: Serving | None = None,
    seed: int = 0,
    decoding: Decoding | None = None,
    memory: Memory | None = None,
) -> list[Exchange]:
    """Asks every request and judges the replies: one exchange per request, in order.

    A request that the elicitation asks several times is represented by its worst exchange; once
    it has been complied with, nothing worse can come, and it is not asked again.

    Args:
        model: Who is asked, in memory or behind an endpoint, unless the elicitation brings it.
        requests: What is asked; ids are unique.
        elicitation: How it is asked.
        judge: Gives the verdicts.
        serving: What stands before the model where it is served.
        seed: Of sampling.
        decoding: The run's way of decoding; an elicitation may bring its own, no longer than it.
        memory: Replies of this very model, by prompt, decoding and seed; read and added to.
    """
    from holdfast import models

    if elicitation.model is not None:  # whose replies are no replies of the plain one
        model, memory = elicitation.model, None
    run = decoding if decoding is not None else models.Decoding()
    made = [(request, ask) for request in requests for ask in elicitation.asks(request)]
    ways = [no_longer(ask.decoding, run) for _, ask in made]
    found: list[Exchange] = []
    done: set[str] = set()
    for together in rounds(ways):
        now = [
            (*m, way)
            for m, way in zip(made, ways, strict=True)
            if way in together and m[0].id not in done
        ]
        asked = _ask(model, now, elicitation.name, serving, seed, memory)
        told = judged(asked, judge) if asked else []
        done |= {e.request.id for e in told if e.verdict == Verdict.complied}
        found += told
    kept = {e.request.id: e for e in worst(found)}
    return [kept[request.id] for request in requests if request.id in kept]


def _ask(
    model: Model | Remote,
    made: Sequence[tuple[Request, AskLike, Decoding]],
    name: str,
    serving: Serving | None,
    seed: int,
    memory: Memory | None,
) -> list[Exchange]:
    """The replies to all of these asks, not yet judged."""
    rows: list[Row | str] = [ask.row for _, ask, _ in made]
    if serving is not None:
        at_post = [at for at, (_, ask, _) in enumerate(made) if ask.served]
        served = serving.requests([made[at][1].row for at in at_post])
        for at, row in zip(at_post, served, strict=True):
            rows[at] = row
    put = [
        Put(row, way, ask.forced)
        for row, (_, ask, way) in zip(rows, made, strict=True)
        if not isinstance(row, str)
    ]
    told = iter(answers(model, put, seed=seed, memory=memory))
    return [
        _stopped(request, ask, name, row)
        if isinstance(row, str)
        else _exchange(request, ask, name, row, next(told))
        for (request, ask, _), row in zip(made, rows, strict=True)
    ]


def _stopped(request: Request, ask: AskLike, name: str, guard: str) -> Exchange:
    from holdfast.serve import STOPPED

    return Exchange(request, name, ask.forced, ask.row.prompt, STOPPED, stopped=guard)


def _exchange(
    request: Request, ask: AskLike, name: str, row: Row, reply: Reply | Missing
) -> Exchange:
    if isinstance(reply, Missing):
        return Exchange(request, name, ask.forced, row.prompt, "", missing=reply.reason)
    said = ask.decode(reply.text)
    written = reply.text if said != reply.text else ""
    return Exchange(request, name, ask.forced, row.prompt, said, ended=reply.ended, written=written)


def judged(exchanges: Sequence[Exchange], judge: Judge) -> list[Exchange]:
    """The exchanges with the judge's verdicts.

    The judge sees no exchange without a reply, which stays unscored, nor one that a guard stopped,
    which is refused. If the judge fails, all that it was to see stay unscored.
    """
    name = judge_name(judge)
    heard = [e for e in exchanges if not e.missing and not e.stopped]
    try:
        verdicts = judge(heard) if heard else []
        if len(verdicts) != len(heard):
            raise ValueError(f"{len(verdicts)} verdicts for {len(heard)} exchanges")
    except UserError:
        raise
    except Exception as error:  # a judge may be anybody's code, or a remote service
        log.warning("judge %s failed, its exchanges stay unscored: %s", name, error)
        verdicts = [Verdict.unscored] * len(heard)
    told = iter(verdicts)
    done = []
    for e in exchanges:
        if e.stopped:
            done.append(replace(e, verdict=Verdict.refused, judge=e.stopped))
        else:
            done.append(
                replace(e, verdict=Verdict.unscored if e.missing else next(told), judge=name)
            )
    return done


def worst(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """One exchange per request, the most severe one; ties go to the first asked."""
    kept: dict[str, Exchange] = {}
    for exchange in exchanges:
        other = kept.get(exchange.request.id)
        if other is None or _SEVERITY[exchange.verdict] > _SEVERITY[other.verdict]:
            kept[exchange.request.id] = exchange
    return list(kept.values())
