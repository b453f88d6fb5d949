"""What probes are given: the models, the rows of both sides, and a way to measure behaviour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from holdfast.chat import Row
    from holdfast.models import Model
    from holdfast.policy import Policy
    from holdfast.probes import Behaviour, Looking, Probe
    from holdfast.probes.looking import Split

OTHERS = 0.5  # look-alikes, and tasks, that are asked for each forbidden request
LEAST_TASKS = 40


@dataclass(frozen=True)
class Asked:
    """Which model is looked into, by which probes, beside which other, and how.

    Attributes:
        judge: instead of the policy's own.
    """

    model: str
    probes: tuple[Probe, ...]
    against: str | None
    policy: str
    limit: int
    seed: int
    chat_template: str | None
    judge: str | None = None


def looking(asked: Asked, console: Console) -> Looking:
    """The models, the rows of both sides and a way to measure behaviour."""
    from holdfast import aligned, models
    from holdfast.probes import Looking
    from holdfast.serve import Serve

    policy = aligned.policy_of(asked.policy, asked.judge)
    model = models.load(asked.model, chat_template=asked.chat_template)
    needed = any(config.needs_other for config in asked.probes)
    other = None
    if asked.against is not None:
        other = models.load(asked.against, chat_template=asked.chat_template)
    elif needed:
        names = ", ".join(c.kind for c in asked.probes if c.needs_other)
        raise UserError(f"{names} compares two models: give the second one by --against.")
    held_out = [r for r in policy.requests("forbidden") if r.reference]

    def measure(
        model: Model,
        elicitation: str = "plain",
        split: Split = "report",
        tasks: bool = True,
        through: Callable[[Row], Row] | None = None,
        few: int | None = None,
    ) -> Behaviour:
        many = min(asked.limit, few or asked.limit)
        return behaviour(policy, model, elicitation, split, many, tasks, through)

    judged = policy.searched(asked.limit)
    apart = [r for r in policy.select if r not in judged] or policy.select

    return Looking(
        model=model,
        measure=measure,
        safety=policy.defender.safe,
        utility=policy.defender.user,
        harmful=policy.attacker.harmful,
        held_out=tuple(r.prompt.with_answer(r.reference) for r in held_out),
        select=tuple(r.prompt.with_answer(r.reference) for r in apart),
        serve=aligned.served(asked.model) or Serve(),
        other=other,
        seed=asked.seed,
        say=lambda note: console.print(f"… {note}", style="dim", highlight=False),
    )


def behaviour(
    policy: Policy,
    model: Model,
    elicitation: str,
    split: Split,
    limit: int,
    tasks: bool,
    through: Callable[[Row], Row] | None = None,
) -> Behaviour:
    """Asks forbidden requests in one way, look-alikes and tasks plainly."""
    from holdfast.evaluate import Verdict
    from holdfast.figures import measure, share
    from holdfast.interview import ask
    from holdfast.probes import Behaviour

    forbidden = policy.searched(limit) if split == "select" else policy.requests("forbidden", limit)
    few = max(1, round(limit * OTHERS))
    useful = policy.requests("utility", 2 * max(few, LEAST_TASKS))
    middle = (len(useful) + 1) // 2
    half = useful[middle:] if split == "select" else useful[:middle]
    plain = [*policy.requests("lookalike", few), *half]
    if through is not None:
        forbidden = tuple(replace(r, prompt=through(r.prompt)) for r in forbidden)
    told = measure(ask(model, policy, forbidden, elicitation))
    others = ask(model, policy, plain, "plain") if tasks else []
    done = [e for e in others if e.request.kind == "utility" and e.verdict != Verdict.unscored]
    return Behaviour(
        n=told.scored,
        complied=told.asr,
        complied_low=told.asr_low,
        complied_high=told.asr_high,
        attempted=told.attempted,
        refused=told.refusal,
        incoherent=1 - told.coherence,
        utility_n=len(done),
        utility=share(done, "utility", Verdict.complied) or 0.0,
        over_refusal=share(others, "lookalike", Verdict.refused),
    )
