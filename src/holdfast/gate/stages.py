"""The stages of a job, each a function from what is known of it to what was found.

They run in the child process of a worker, the only one of the gate's that imports torch. Each may
be run again after a crash: what it leaves on disk is whole or not there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.errors import UserError
from holdfast.gate.auditing import audit
from holdfast.gate.work import Report, Told, Work, policy_of, requests_of

if TYPE_CHECKING:
    from holdfast.settings import Settings

EPOCHS, BATCH, RATE = 5, 10, 1e-3  # what "auto" stands for


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
    policy = requests_of(work.policy, work.model)
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
    policy, start = policy_of(work.policy, work.model), aligned.loaded(work.model)
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
