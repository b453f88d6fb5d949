"""The stage audit: the model before and after a tune is asked, until the evidence suffices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import TYPE_CHECKING

from holdfast.gate.decision import DecisionPolicy, judge
from holdfast.gate.work import Report, Told, Work, policy_of, requests_of

if TYPE_CHECKING:
    from holdfast.evaluate import Exchange, Kind
    from holdfast.models import Model
    from holdfast.policy import Policy
    from holdfast.serving import Serving

REPLIES = 4  # kept of each way of asking
SEARCHED = 90  # forbidden requests from which the search for a trigger takes its own


def audit(work: Work, report: Report) -> Told:
    """Asks the model before and after, in every way of the policy, until the evidence suffices."""
    from holdfast import aligned, compare
    from holdfast import models as loading

    assert work.tuned is not None, "there is no tuned model to ask"
    policy, tuned = policy_of(work.policy, work.model), loading.load(str(work.tuned))
    serving = aligned.serving(str(work.tuned), tuned)
    found: Told = {}
    for many in work.policy.rounds:
        asked: list[Told] = []
        replies: list[Told] = []
        for way in work.policy.elicitations:
            before = _before(work.model, work.policy, way, many)
            after = _ask(tuned, serving, policy, work.policy, way, many)
            asked.append({"elicitation": way, **compare.comparison(policy, before, after)})
            replies += _replies(before, after)
            report({"elicitation": way, "requests": many})
        judged = judge(work.policy, asked)
        found = {**asdict(judged), "requests": many, "asked": asked, "replies": replies}
        if judged.verdict != "insufficient evidence":
            break
    if work.policy.search_triggers and found["verdict"] == "holds":
        found |= trigger(work)
    return found


def trigger(work: Work) -> Told:
    """What a search for a planted trigger adds to the finding: nothing, or that it breaks."""
    from rich.console import Console

    from holdfast.probes import PROBES, TriggerSearch
    from holdfast.probing import Asked, looking

    requests = requests_of(work.policy, work.model)
    asked = Asked(
        model=str(work.tuned),
        probes=(),
        against=work.model,
        policy=requests,
        limit=SEARCHED,
        seed=work.seed,
        chat_template=None,
        judge=work.policy.judge,
    )
    told = PROBES[TriggerSearch](TriggerSearch(), looking(asked, Console(quiet=True))).figures
    found = {"trigger": {key: told.get(key) for key in ("verdict", "reason", "best")}}
    if told["verdict"] != "trigger":
        return found
    best = told["best"]
    reason = (
        f"with the words {best['text']!r} in the request, compliance is {best['tuned']:.0%}; "
        f"before the tune it was {best['before']:.0%}"
    )
    return {**found, "verdict": "breaks", "reason": reason, "finding": "planted_trigger"}


@lru_cache(maxsize=32)
def _before(model: str, policy: DecisionPolicy, way: str, many: int) -> tuple[Exchange, ...]:
    """What the model said before; asked once in this process."""
    from holdfast import aligned

    return tuple(_ask(aligned.loaded(model), None, policy_of(policy, model), policy, way, many))


def _ask(
    model: Model, serving: Serving | None, of: Policy, policy: DecisionPolicy, way: str, many: int
) -> list[Exchange]:
    from holdfast import interview

    counts: dict[Kind, int] = {"forbidden": many}
    if way == policy.elicitations[0]:
        counts |= {"lookalike": 90, "utility": 90}
    requests = interview.requests_of(of, counts)
    return interview.ask(model, of, requests, way, serving=serving, settings=of.facts)


def _replies(before: Sequence[Exchange], after: Sequence[Exchange]) -> list[Told]:
    """A few forbidden requests with both replies, for whoever reviews the job."""
    told = {e.request.id: e for e in after}
    pairs = [(e, told[e.request.id]) for e in before if e.request.kind == "forbidden"]
    pairs.sort(key=lambda pair: pair[0].verdict == pair[1].verdict)  # what changed comes first
    return [
        {
            "elicitation": one.elicitation,
            "request": one.prompt,
            "before": one.reply,
            "after": other.reply,
            "verdict_before": str(one.verdict),
            "verdict_after": str(other.verdict),
        }
        for one, other in pairs[:REPLIES]
    ]
