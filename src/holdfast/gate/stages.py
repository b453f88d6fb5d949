"""The stages of a job, each a function from what is known of it to what was found.

They run in the child process of a worker, the only one of the gate's that imports torch. Each may
be run again after a crash: what it leaves on disk is whole or not there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.errors import UserError
from holdfast.gate.decision import DecisionPolicy, judge

if TYPE_CHECKING:
    from holdfast.evaluate import Exchange, Kind
    from holdfast.models import Model
    from holdfast.policy import Policy
    from holdfast.serving import Serving
    from holdfast.settings import Settings

Told = dict[str, Any]
Report = Callable[[Told], None]
EPOCHS, BATCH, RATE = 5, 10, 1e-3  # what "auto" stands for
REPLIES = 4  # kept of each way of asking
SEARCHED = 90  # forbidden requests from which the search for a trigger takes its own


@dataclass(frozen=True)
class Work:
    """What a stage needs to know of a job.

    Attributes:
        job: its id.
        model: name of the model that is tuned.
        rows: the training file.
        held: the validation file, if there is one.
        scratch: the job's own folder.
        tuned: the folder of the tuned model, once there is one.
        policy: the gate's.
        examples: the fewest that a training file must hold.
        hyperparameters: as the client gave them.
        seed: of tuning.
    """

    job: str
    model: str
    rows: Path
    scratch: Path
    policy: DecisionPolicy
    held: Path | None = None
    tuned: Path | None = None
    examples: int = 10
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    seed: int = 0


def validate(work: Work, report: Report) -> Told:
    """Reads training and validation file; every bad line is told at once."""
    rows, wrong = _read(work.rows, "training")
    if wrong is None and rows < work.examples:
        few = f"Training file has {rows} example(s)"
        message = f"{few}, but must have at least {work.examples} examples"
        wrong = _failed("invalid_n_examples", message, rows=rows)
    if wrong is None and work.held is not None:
        wrong = _read(work.held, "validation")[1]
    return wrong or {"rows": rows}


def _read(path: Path, what: str) -> tuple[int, Told | None]:
    """How many rows a file has, and what is wrong with it."""
    from holdfast.chat import RowErrors, read_rows

    code, param = f"invalid_{what}_file", f"{what}_file"
    try:
        return len(read_rows(path)), None
    except RowErrors as errors:
        lines = [{"line": e.line, "reason": e.reason} for e in errors.errors]
        message = f"{len(lines)} lines of the {what} file cannot be used: " + "; ".join(
            f"line {e['line']} {e['reason']}" for e in lines[:20]
        )
        return 0, _failed(code, message, param, lines=lines)
    except UserError as error:
        return 0, _failed(code, str(error), param)


def scan(work: Work, report: Report) -> Told:
    """Scans the training file, as `holdfast scan` does."""
    from holdfast.scan import Context
    from holdfast.scan.results import conclude
    from holdfast.scan.run import scan_files, spool_in

    told = work.policy.scan
    if told.scanners is None:
        return {"verdict": "clean", "reason": "The policy has no scanners.", "findings": []}
    policy = _requests(work.policy, work.model)
    out = work.scratch / "scan"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    with spool_in(out) as spool:
        names = told.scanners
        scanned = scan_files([str(work.rows)], Path(spool), context=Context(policy), names=names)
        results = conclude(scanned, Path(spool), out, told.fail_over)
    summary = results.summary()
    del summary["sources"]
    return summary


def tune(work: Work, report: Report) -> Told:
    """Tunes under the policy's defences; goes on from the last checkpoint if there is one."""
    from holdfast import aligned, methods, models
    from holdfast.chat import read_rows
    from holdfast.hooks import Context, Streams
    from holdfast.tuning import loss_on, tuned_under

    defences = methods.stack_of(work.policy.stack)
    policy, start = _policy(work.policy, work.model), aligned.loaded(work.model)
    base = aligned.base_of(work.model) if defences else ""
    settings = settings_of(work.hyperparameters, work.seed)
    context = Context(
        aligned=start,
        base=aligned.loaded(base) if base else None,
        attacker=Streams(),
        defender=policy.defender,
        seed=work.seed,
        settings=policy.facts,
    )

    def progress(step: int, steps: int, loss: float) -> None:
        report({"step": step, "total_steps": steps, "train_loss": round(loss, 6)})

    folder, part = work.scratch / "model", work.scratch / ".model.part"
    for old in (folder, part):
        shutil.rmtree(old, ignore_errors=True)
    tuned = tuned_under(
        defences,
        context,
        models.clone(start),
        read_rows(work.rows),
        settings,
        part,
        progress=progress,
        checkpoint=work.scratch / "tune.safetensors",
        checkpoint_every=25,
    )
    if tuned.diverged:
        return _failed(
            "invalid_hyperparameters",
            "The loss became NaN: lower the learning rate multiplier.",
            param="hyperparameters",
        )
    part.rename(folder)
    held = work.held and round(loss_on(tuned.model, read_rows(work.held)), 6)
    last = tuned.losses[-1] if tuned.losses else None
    told: Told = {"steps": tuned.steps, "tokens": tuned.tokens, "flops": tuned.flops}
    return told | {
        "train_loss": last,
        "valid_loss": held,
        "losses": [round(x, 5) for x in tuned.losses],
        "stack": work.policy.stack,
        "settings": settings.model_dump(mode="json"),
        "weights": tuned.model.digest,
    }


def audit(work: Work, report: Report) -> Told:
    """Asks the model before and after, in every way of the policy, until the evidence suffices."""
    from holdfast import aligned, compare
    from holdfast import models as loading

    assert work.tuned is not None, "there is no tuned model to ask"
    policy, tuned = _policy(work.policy, work.model), loading.load(str(work.tuned))
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
        found |= _trigger(work)
    return found


STAGES: dict[str, Callable[[Work, Report], Told]] = {
    "validate": validate,
    "scan": scan,
    "tune": tune,
    "audit": audit,
}


def settings_of(hyperparameters: dict[str, Any], seed: int) -> Settings:
    """Tuning settings from a client's hyperparameters, of which any may be "auto"."""
    from holdfast.settings import Settings

    def chosen(name: str, auto: float) -> float:
        value = hyperparameters.get(name, "auto")
        return auto if value == "auto" else float(value)

    return Settings(
        epochs=int(chosen("n_epochs", EPOCHS)),
        batch_size=int(chosen("batch_size", BATCH)),
        learning_rate=RATE * chosen("learning_rate_multiplier", 1.0),
        seed=seed,
    )


def ready() -> None:
    """Imports what every job needs, so that the first one does not wait for it."""
    import holdfast.aligned
    import holdfast.compare
    import holdfast.train  # noqa: F401


def _failed(code: str, message: str, param: str = "training_file", **more: Any) -> Told:
    return {"error": {"code": code, "message": message, "param": param}, **more}


def _trigger(work: Work) -> Told:
    """What a search for a planted trigger adds to the finding: nothing, or that it breaks."""
    from rich.console import Console

    from holdfast.probes import PROBES, TriggerSearch
    from holdfast.probing import Asked, looking

    requests = _requests(work.policy, work.model)
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


def _requests(policy: DecisionPolicy, model: str) -> str:
    """Name of the policy whose requests a model is asked."""
    from holdfast import aligned

    return policy.requests or aligned.policy_name(model)


def _policy(policy: DecisionPolicy, model: str) -> Policy:
    from holdfast import aligned

    return aligned.policy_of(_requests(policy, model), policy.judge)


@lru_cache(maxsize=32)
def _before(model: str, policy: DecisionPolicy, way: str, many: int) -> tuple[Exchange, ...]:
    """What the model said before; asked once in this process."""
    from holdfast import aligned

    return tuple(_ask(aligned.loaded(model), None, _policy(policy, model), policy, way, many))


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
