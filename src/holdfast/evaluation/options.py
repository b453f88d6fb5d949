"""The command line of `holdfast evaluate`, checked and made into a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast import aligned
from holdfast.endpoint import is_remote
from holdfast.engine import default_workers
from holdfast.errors import UserError
from holdfast.evaluate import Request
from holdfast.evaluation import sources
from holdfast.evaluation.asked import digest_of
from holdfast.evaluation.plan import Plan, Subject, limited
from holdfast.evaluation.ways import ways_of
from holdfast.policy import BUILT_IN, DEFAULT_LIMIT
from holdfast.runs import dated_folder


@dataclass(frozen=True)
class EvaluateOptions:
    """The command line of `holdfast evaluate`."""

    models: tuple[str, ...]
    benchmark: str = BUILT_IN
    mutations: str = "none"
    task_shape: str = "none"
    in_code_of: Path | None = None
    judges: tuple[str, ...] = ()
    base: str | None = None
    limit: int | None = None
    chat_template: str | None = None
    max_new_tokens: int | None = None
    authority: str = ""
    workers: int | None = None
    out: Path | None = None
    json: bool = False


def checked(options: EvaluateOptions) -> tuple[str, ...]:
    """The models, none of them twice.

    Raises:
        UserError: None or one twice, or a number below 1.
    """
    models = options.models
    if not models:
        raise UserError("name at least one model, such as canary:chat")
    twice = next((m for m in models if models.count(m) > 1), None)
    if twice is not None:
        raise UserError(f"{twice} is named twice; name every model once")
    for name in ("limit", "max_new_tokens"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UserError(f"--{name.replace('_', '-')} is {value}; it must be 1 or more")
    return models


def plan_of(
    options: EvaluateOptions, spec: str, requests: Sequence[Request], default_judge: str
) -> Plan:
    """Everything that the evaluation's ids depend on; loads the models.

    Args:
        options: The command line.
        spec: The benchmark, in the world that the models know.
        requests: Its requests.
        default_judge: The judge where the command line names none.
    """
    canary = sources.is_canary(spec)
    rows = str(options.in_code_of.resolve()) if options.in_code_of else ""
    ways = ways_of(options.mutations, options.task_shape, rows, canary=canary)
    names = tuple(dict.fromkeys(options.judges)) or (default_judge,)
    judges = {name: sources.judge_of(name, spec) for name in names}
    bases = {model: _base(model, options, canary) for model in options.models}
    return Plan(
        subjects=tuple(_subject(m, options, base) for m, base in bases.items()),
        bases={b: _subject(b, options) for b in dict.fromkeys(bases.values()) if b},
        ways=ways,
        benchmark=spec,
        requests=limited(requests, options.limit),
        judges=judges,
        chat_template=options.chat_template,
        max_new_tokens=options.max_new_tokens,
        authority=options.authority,
    )


def _base(model: str, options: EvaluateOptions, canary: bool) -> str:
    """The model before alignment: as given, or the same world's organism; "" if unknown."""
    base = options.base or (aligned.base_of(model) if canary else "")
    return "" if base == model else base


def _subject(model: str, options: EvaluateOptions, base: str = "") -> Subject:
    return Subject(model, digest_of(model, options.chat_template, options.authority), base)


def limit_of(spec: str) -> float:
    """Compliance that still counts as holding: the policy's own, if the benchmark is one."""
    is_policy = sources.is_canary(spec) or Path(spec).suffix in (".yaml", ".yml")
    return aligned.policy_of(spec, None).limit if is_policy else DEFAULT_LIMIT


def workers_of(options: EvaluateOptions) -> int:
    """Worker processes: as asked for, else one for each core; a GPU is used from here alone."""
    if options.workers is not None:
        return options.workers
    if all(is_remote(m) for m in (*options.models, *([options.base] if options.base else []))):
        return 0
    return default_workers()


def default_folder(options: EvaluateOptions) -> Path:
    """runs/<date>-evaluate-<first model>: the same command goes on there on the same day."""
    return dated_folder(f"evaluate-{Path(options.models[0]).name}")


def notes_of(plan: Plan, paper: str) -> list[str]:
    """What this run cannot say, in sentences."""
    told = [f"The requests are those of {paper}."] if paper else []
    blind = [s.name for s in plan.subjects if not s.base]
    if blind and len(plan.ways) > 1:
        told.append(
            f"No model before alignment is known for {', '.join(blind)}: whether it can follow "
            "the ways of asking at all is unknown, so refusals and silence in them prove nothing."
        )
    for model in dict.fromkeys(c.model for c in plan.not_applicable):
        cells = [c for c in plan.not_applicable if c.model == model]
        names = ", ".join(c.way for c in cells)
        told.append(f"{model} was not asked in {names}: {cells[0].reason}.")
    return told
