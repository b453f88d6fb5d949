"""The engine's task: make one tuned model and measure all cells that share it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from holdfast import aligned, methods, plan
from holdfast.answers import Memory
from holdfast.audit_config import AuditConfig
from holdfast.errors import UserError
from holdfast.evaluate import Exchange, Kind, Request, Verdict, evaluate
from holdfast.figures import figures, line_of, share
from holdfast.hooks import Context, Hooks, Streams, clash, compose
from holdfast.plan import Tune
from holdfast.policy import Policy
from holdfast.repairs import repaired
from holdfast.serve import NoWatch

if TYPE_CHECKING:
    from holdfast.models import Model
    from holdfast.serve import Serve
    from holdfast.serving import Serving


@dataclass(frozen=True)
class Finished:
    """What a task sends back: finished cells and exchanges, as the run folder stores them."""

    tune_id: str
    cells: tuple[dict[str, Any], ...]
    exchanges: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class _Made:
    """A model to ask, and what it took to make it."""

    model: Model
    serving: Serving | None
    rows: int = 0
    steps: int = 0
    flops: float = 0.0
    seconds: float = 0.0
    diverged: bool = False


def warm_up() -> None:
    """Imports what every task needs; a worker's first act."""
    from holdfast import models, train

    assert models
    assert train


def run_tune(task: Tune) -> Finished:
    """Makes the task's model, asks it in every way its cells want, and counts the verdicts."""
    policy = aligned.policy_of(task.config.policy, task.config.judge)
    try:
        made = _make(task, policy)
    except NoWatch as error:
        cells = [asdict(replace(c, status="unwatched", reason=str(error))) for c in task.cells]
        return Finished(task.tune_id, tuple(cells), ())
    if made.diverged:
        cost = _cost(made)
        reason = "the loss became NaN; lower the learning rate"
        cells = [asdict(replace(c, status="diverged", reason=reason)) | cost for c in task.cells]
        return Finished(task.tune_id, tuple(cells), ())
    return _ask(task, policy, made)


def _make(task: Tune, policy: Policy) -> _Made:
    from holdfast import models, train
    from holdfast.serving import serving

    if task.stack == plan.BASE:
        return _Made(aligned.loaded(aligned.base_name(task.config)), None)
    start = aligned.aligned(task.config, aligned.align_part(task.stack))
    defences = methods.stack_of(task.stack)
    context = _context(task, policy, start)
    during = [d for d in defences if d.stage in ("tune", "serve")]
    own = [methods.hooks_of(d, context) for d in during]
    serve = _served(task, own)
    if task.attack == plan.NO_ATTACK:
        return _Made(start, serving(serve, start))
    known = replace(context, settings={**context.settings, "secret": serve.system_prefix})
    counted = _Counted()
    hooks = compose(_attack(task, policy, known), counted.hooks, *own)
    settings = train.Settings.model_validate({**task.changes, "seed": task.seed})
    tuned = train.tune(models.clone(start), Streams(), settings, hooks)
    if not tuned.diverged:
        tuned = repaired(tuned, defences, context, settings)
    return _Made(
        model=tuned.model,
        serving=None if tuned.diverged else serving(serve, tuned.model),
        rows=counted.rows,
        steps=tuned.steps,
        flops=tuned.flops,
        seconds=tuned.seconds,
        diverged=tuned.diverged,
    )


def rehearse(config: AuditConfig, policy: Policy, stack: str, attack: str) -> str:
    """Builds the hooks of a pair and draws its rows, without tuning.

    Returns:
        Why the pair cannot be measured: the policy's rows do not suffice, or the attack and a
        defence exclude one another; "" if it can.

    Raises:
        UserError: Two defences exclude one another.
    """
    start = aligned.loaded(config.model, config.chat_template)
    task = Tune("", config, stack, attack, "", {}, config.seeds[0], ())
    context = _context(task, policy, start)
    defences = methods.stack_of(stack)
    if attack != plan.CUSTOMER and methods.why_not(methods.attack_of(attack), defences):
        return ""
    for stages in (("align",), ("tune", "serve"), ("repair",)):
        hooks = [methods.hooks_of(d, context) for d in defences if d.stage in stages]
        together = compose(*hooks)
        if "tune" in stages:
            first = _attack(task, policy, context)
            if reason := next((told for h in hooks if (told := clash(first, h))), ""):
                return reason
            together = compose(first, *hooks)
        try:
            if together.rows is not None:
                together.rows(Streams())
        except UserError as error:
            return str(error)
    return ""


def _served(task: Tune, own: Sequence[Hooks]) -> Serve:
    """What the model's folder says of serving, and what the stack adds."""
    from holdfast import serve

    parts = [aligned.served(task.config.model), *(h.serve for h in own)]
    return serve.compose(*(part for part in parts if part is not None))


class _Counted:
    """Counts the attacker's rows between the attack's hook and the defences' hooks."""

    def __init__(self) -> None:
        self.rows = 0
        self.hooks = Hooks(rows=self._count)

    def _count(self, streams: Streams) -> Streams:
        self.rows = len(streams.user)
        return streams


def _context(task: Tune, policy: Policy, start: Model) -> Context:
    base = aligned.base_name(task.config)
    return Context(
        aligned=start,
        base=aligned.loaded(base) if base else None,
        attacker=policy.attacker,
        defender=policy.defender,
        seed=task.seed,
        settings={**policy.facts, **task.config.facts},
        customer=policy.customer,
    )


def _attack(task: Tune, policy: Policy, context: Context) -> Hooks:
    if task.attack != plan.CUSTOMER:
        config = methods.attack_of(task.attack)
        return methods.hooks_of(config, context)
    rows = policy.customer[: task.config.customer.rows]

    def learn(streams: Streams) -> Streams:
        if not rows:
            raise UserError(f"The policy {policy.name} has no rows of an honest customer.")
        return replace(streams, user=(*streams.user, *rows))

    return Hooks(name=plan.CUSTOMER, rows=learn)


def _ask(task: Tune, policy: Policy, made: _Made) -> Finished:
    began = time.perf_counter()
    forbidden = _forbidden(task, policy)
    others = _others(task, policy)
    ways = [cell.elicitation for cell in task.cells]
    told: dict[str, list[Exchange]] = {}
    memory: Memory = {}
    if others or "plain" in ways:
        together = (*(forbidden if "plain" in ways else ()), *others)
        told["plain"] = _evaluate(task, policy, made, "plain", together, memory)
    for way in ways:
        if way not in told:
            told[way] = _evaluate(task, policy, made, way, forbidden, memory)
    plain = told.get("plain", [])
    shared = {
        "utility": share(plain, "utility", Verdict.complied),
        "gain": share(plain, "gain", Verdict.complied),
        "over_refusal": share(plain, "lookalike", Verdict.refused),
        **_cost(made),
        "asked_seconds": time.perf_counter() - began,
    }
    organism = aligned.shipped(task.config, aligned.align_part(task.stack))
    if organism:  # the figures are this organism's, and the cells say so
        shared["model"] = organism
    cells = [
        asdict(cell) | figures([e for e in told[cell.elicitation] if _counts(e)]) | shared
        for cell in task.cells
    ]
    attack = task.cells[0].attack
    place = {"tune_id": task.tune_id, "stack": task.stack, "attack": attack, "seed": task.seed}
    rows = tuple(
        place | line_of(e) | {"elicitation": way} for way, asked in told.items() for e in asked
    )
    return Finished(task.tune_id, tuple(cells), rows)


def _counts(exchange: Exchange) -> bool:
    return exchange.request.kind == "forbidden"


def _forbidden(task: Tune, policy: Policy) -> tuple[Request, ...]:
    if task.purpose == "search":
        return policy.searched(task.config.measure.select)
    return policy.requests("forbidden", task.config.measure.forbidden)


def _others(task: Tune, policy: Policy) -> tuple[Request, ...]:
    if not task.whole:
        return ()
    many = task.config.measure
    kinds: list[tuple[Kind, int]] = [("lookalike", many.lookalike), ("utility", many.utility)]
    if task.attack in (plan.CUSTOMER, plan.NO_ATTACK):
        kinds.append(("gain", many.gain))
    return tuple(r for kind, count in kinds for r in policy.requests(kind, count))


def _evaluate(
    task: Tune,
    policy: Policy,
    made: _Made,
    way: str,
    requests: Sequence[Request],
    memory: Memory,
) -> list[Exchange]:
    from holdfast.elicit import Asking
    from holdfast.models import Decoding

    facts: Mapping[str, Any] = {**policy.facts, **task.config.facts}
    asking = Asking(model=made.model, select=policy.select, settings=facts, seed=task.seed)
    asker = methods.asker_of(way, asking)
    decoding = Decoding(max_new_tokens=task.config.measure.max_new_tokens)
    return evaluate(
        made.model, requests, asker, policy.judge, made.serving, task.seed, decoding, memory
    )


def _cost(made: _Made) -> dict[str, Any]:
    return {k: getattr(made, k) for k in ("rows", "steps", "flops", "seconds")}
