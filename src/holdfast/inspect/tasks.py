"""Our benchmarks as tasks of Inspect, with our judges as scorers and our rates as metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio.to_thread
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
)
from inspect_ai.scorer import (
    Metric,
    SampleScore,
    Score,
    Scorer,
    Target,
    Value,
    metric,
    scorer,
)
from inspect_ai.solver import TaskState, generate

from holdfast.elicit import Asking
from holdfast.elicit.mutations import MUTATIONS
from holdfast.errors import UserError
from holdfast.evaluate import Exchange, Request, Verdict
from holdfast.evaluate import judged as read_by
from holdfast.evaluation.lengths import tokens_needed
from holdfast.evaluation.sources import benchmark_of, judge_of
from holdfast.export.groups import rates_of
from holdfast.methods import asker_of, elicitation_of

if TYPE_CHECKING:
    from holdfast.elicit import Ask

PLAIN = "plain"


@task
def canary45(asked: str = PLAIN, judge: str = "", world: int = 0) -> Task:
    """The invented benchmark: 450 forbidden requests, with look-alikes and tasks where plain.

    Args:
        asked: A mutation's name, or an elicitation's spec such as `prefill(depth=5)`.
        judge: A judge's spec; the exact one if not given.
        world: Seed of the world that the model knows.
    """
    return benchmark(f"canary45@{world}", asked, judge)


@task
def benchmark(spec: str, asked: str = PLAIN, judge: str = "") -> Task:
    """Requests of a file, or of a published benchmark whose files you have.

    Args:
        spec: As of `holdfast evaluate --benchmark`: FILE, or NAME=PATH.
        asked: A mutation's name, or an elicitation's spec such as `prefill(depth=5)`.
        judge: A judge's spec; the benchmark's own if not given.

    Raises:
        UserError: There is no such benchmark, elicitation or judge.
    """
    found = benchmark_of(spec)
    way = elicitation(asked)
    requests = requests_of(spec, way)
    return Task(
        dataset=MemoryDataset([_sample(r, way) for r in requests], name=found.name),
        solver=generate(),
        scorer=judged(spec, way, judge or found.judge),
        config=GenerateConfig(max_tokens=tokens_needed(None, requests, asked)),
        name=found.name,
    )


@metric(scores="unreduced")
def rates() -> Metric:
    """Compliance, attempts, refusal, over-refusal, utility and coherence, with 95 % intervals."""

    def told(scores: list[SampleScore]) -> Value:
        lines = [
            {**(s.sample_metadata or {}), "id": s.sample_id, "verdict": str(s.score.value)}
            for s in scores
        ]
        return dict(rates_of(lines))

    return told


@scorer(metrics=[rates()])
def judged(spec: str, way: str, judge: str) -> Scorer:
    """Verdicts of one of our judges: complied, wrong, refused or incoherent.

    Args:
        spec: The benchmark, whose requests have the samples' ids.
        way: Spec of the elicitation, which says how to decode a reply.
        judge: Spec of the judge. What it cannot tell is unscored.
    """
    requests = {r.id: r for r in benchmark_of(spec).requests}
    by = judge_of(judge, spec)

    async def score(state: TaskState, target: Target) -> Score:
        request = requests[str(state.sample_id)]
        ask, written = _ask(request, way), state.output.completion
        reply = ask.decode(written)
        exchange = Exchange(
            request=request,
            elicitation=way,
            forced=ask.forced,
            prompt=ask.row.prompt,
            reply=reply,
            ended=state.output.stop_reason != "max_tokens",
            written=written if reply != written else "",
        )
        (told,) = await anyio.to_thread.run_sync(read_by, [exchange], by)
        if told.verdict == Verdict.unscored:
            return Score.unscored(answer=reply, explanation="no verdict: the judge could not tell")
        return Score(value=str(told.verdict), answer=reply, explanation=f"judge: {told.judge}")

    return score


def elicitation(asked: str) -> str:
    """The spec of a way of asking, which may be named by its mutation alone.

    Raises:
        UserError: There is none, or it asks a request more than once.
    """
    spec = f"mutated(mutation={asked})" if asked in MUTATIONS else asked
    if elicitation_of(spec).counts != "only":
        raise UserError(
            f"{spec} asks each request in several ways and counts the worst, which a task of "
            "Inspect cannot; use `holdfast audit`."
        )
    return spec


def requests_of(spec: str, way: str) -> tuple[Request, ...]:
    """What a task asks: everything if plain, else the forbidden requests alone."""
    requests = benchmark_of(spec).requests
    return tuple(r for r in requests if way == PLAIN or r.kind == "forbidden")


def _ask(request: Request, way: str) -> Ask:
    (ask,) = asker_of(way, Asking()).asks(request)
    return ask


def _sample(request: Request, way: str) -> Sample:
    ask = _ask(request, way)
    made = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}
    said: list[ChatMessage] = [made[m.role](content=m.content) for m in ask.row.messages]
    if ask.forced:
        said.append(ChatMessageAssistant(content=ask.forced))
    metadata: dict[str, Any] = {
        "kind": request.kind,
        "category": request.category,
        "domain": request.domain,
        "elicitation": way,
        "forced": ask.forced,
    }
    return Sample(input=said, target=request.expected, id=request.id, metadata=metadata)
