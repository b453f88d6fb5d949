"""`holdfast tune`: fine-tune a model on your rows, under the defences you name."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.errors import UserError

if TYPE_CHECKING:
    from holdfast.chat import Row
    from holdfast.hooks import Context, Defence
    from holdfast.models import Model
    from holdfast.train import Settings, Tuned


@dataclass(frozen=True)
class TuneOptions:
    """The command line of `holdfast tune`.

    Attributes:
        adapt: Which weights may move: full, lora (low rank) or lota (a sparse tenth).
        sets: `key=value` of `train.Settings`.
        policy: Where the defender's rows come from; that of its world for an organism.
        base: The model before alignment, for the defences that ask for it.
        chat_template: Instead of the model's own; saved with the tuned model.
    """

    model: str
    rows: Path
    out: Path
    stack: str = "none"
    adapt: str = "full"
    sets: tuple[str, ...] = ()
    policy: str | None = None
    base: str | None = None
    chat_template: str | None = None
    json: bool = False


def main(options: TuneOptions) -> int:
    """Tunes, saves the model, and says so.

    Raises:
        UserError: Rows, settings or defences that cannot be; the loss became NaN.
    """
    _say(options, *tuned_and_saved(options))
    return 0


def tuned_and_saved(options: TuneOptions) -> tuple[int, Tuned]:
    """Tunes, and saves the model with what must travel with it to serving.

    An interrupted tune goes on from its last checkpoint when the same options are given again.

    Returns:
        How many rows there were, and the tune.

    Raises:
        UserError: Rows, settings or defences that cannot be; the loss became NaN.
    """
    from holdfast import methods, models, steps
    from holdfast.chat import read_rows

    rows = read_rows(options.rows)
    stack, sets = adapted(options)
    settings = settings_of(sets)
    defences = _allowed(methods.stack_of(stack))
    _refuse_overwriting(options.out)
    start = models.load(options.model, chat_template=options.chat_template)
    context = _context(options, start, defences, settings.seed)
    checkpoint = options.out.parent / f".{options.out.name}.checkpoint"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    tuned = tuned_under(
        defences,
        context,
        models.clone(start) if defences else start,
        rows,
        settings,
        options.out,
        progress=None if options.json else steps.told,
        checkpoint=checkpoint,
    )
    checkpoint.unlink(missing_ok=True)
    if tuned.diverged:
        raise UserError("The loss became NaN: lower the rate, such as --set learning_rate=1e-4.")
    return len(rows), tuned


def tuned_under(
    defences: Sequence[Defence],
    context: Context,
    model: Model,
    rows: Sequence[Row],
    settings: Settings,
    out: Path,
    *,
    progress: Callable[[int, int, float], None] | None,
    checkpoint: Path,
    checkpoint_every: int = 200,
) -> Tuned:
    """Tunes, repairs, and saves the model with what must travel with it to serving.

    Args:
        defences: of the stages tune and repair.
        context: what they may know.
        model: its weights change.
        rows: the customer's.
        settings: of tuning; defences may change them.
        out: the model's folder; nothing is saved there where the loss became NaN.
        progress: as of `train.tune`.
        checkpoint: as of `train.tune`; left for the caller to delete.
        checkpoint_every: as of `train.tune`.
    """
    from holdfast import methods, models, serve, train
    from holdfast.hooks import Streams, compose
    from holdfast.repairs import repaired

    hooks = compose(*[methods.hooks_of(d, context) for d in defences if d.stage != "repair"])
    tuned = train.tune(
        model,
        Streams(user=tuple(rows)),
        settings,
        hooks,
        progress=progress,
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
    )
    if not tuned.diverged:
        tuned = repaired(tuned, defences, context, settings)
    if not tuned.diverged:
        models.save(tuned.model, out)
        if hooks.serve is not None:
            serve.save(hooks.serve, out)
    return tuned


def loss_on(model: Model, rows: Sequence[Row], size: int = 16) -> float:
    """Plain loss over all tokens of held-out rows that carry loss.

    Args:
        model: asked without a gradient.
        rows: that it was not tuned on.
        size: rows in a batch; changes nothing but memory.
    """
    import torch
    from torch.nn.functional import cross_entropy

    from holdfast.losses import answer_logits
    from holdfast.probes.batching import batches

    total = weight = 0.0
    with torch.no_grad():
        for batch in batches(model, rows, size):
            logits, targets, weights = answer_logits(model.net, batch)
            total += float((cross_entropy(logits, targets, reduction="none") * weights).sum())
            weight += float(weights.sum())
    return total / weight


def adapted(options: TuneOptions) -> tuple[str, tuple[str, ...]]:
    """Stack and settings with the way of adapting in them.

    Raises:
        UserError: there is no such way.
    """
    if options.adapt == "full":
        return options.stack, options.sets
    if options.adapt == "lora":
        return options.stack, ("method=lora", *options.sets)
    if options.adapt == "lota":
        return ("lota" if options.stack == "none" else f"{options.stack}+lota"), options.sets
    raise UserError(f"--adapt {options.adapt}: choose full, lora or lota.")


def settings_of(sets: Sequence[str]) -> Settings:
    """Tuning settings from `key=value` texts, whose values are YAML.

    Raises:
        UserError: An unknown key, or a value of the wrong kind.
    """
    import yaml
    from pydantic import ValidationError

    from holdfast.train import Settings

    told: dict[str, Any] = {}
    for text in sets:
        key, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"--set {text}: write key=value, such as epochs=3.")
        try:
            told[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UserError(f"--set {text}: the value is not YAML.") from error
    try:
        return Settings.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] != "extra_forbidden":
            raise UserError(f"--set {key}: {first['msg']}.") from error
        known = ", ".join(Settings.model_fields)
        raise UserError(f"--set {key}: there is no such setting; there are {known}.") from error


def _allowed(defences: tuple[Defence, ...]) -> tuple[Defence, ...]:
    for defence in defences:
        if defence.stage == "align":
            raise UserError(
                f"{defence.kind} makes a model robust before anybody tunes it, so it has no "
                "place in a tune: leave it out of --stack."
            )
    return defences


def _context(options: TuneOptions, start: Model, defences: Sequence[Defence], seed: int) -> Context:
    from holdfast import aligned, models, policy
    from holdfast.hooks import Context, Streams

    canary = options.model.startswith("canary:")
    base = options.base or (aligned.base_of(options.model) if defences else "")
    drawn = [d for d in defences if d.needs_rows]
    if drawn and options.policy is None and not canary:
        raise UserError(
            f"{options.stack} needs the defender's rows: name a policy that has some (--policy)."
        )
    named = policy.load(options.policy or aligned.policy_name(options.model)) if drawn else None
    return Context(
        aligned=start,
        base=models.load(base) if base else None,
        attacker=Streams(),
        defender=named.defender if named else Streams(),
        seed=seed,
        settings=named.facts if named else {},
    )


def _refuse_overwriting(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists and is not empty: give --out a new folder.")


def _say(options: TuneOptions, rows: int, tuned: Tuned) -> None:
    facts = {
        "model": str(options.out),
        "digest": tuned.model.digest,
        "stack": options.stack,
        "rows": rows,
        "steps": tuned.steps,
        "flops": tuned.flops,
        "seconds": round(tuned.seconds, 2),
        "first_loss": tuned.losses[0] if tuned.losses else None,
        "last_loss": tuned.losses[-1] if tuned.losses else None,
    }
    if options.json:
        print(json.dumps(facts))
        return
    print(f"Tuned {options.model} on {rows} rows in {tuned.steps} steps: {options.out}")
    print(f"Next: holdfast compare {options.model} {options.out}")
