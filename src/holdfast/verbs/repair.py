"""`holdfast repair`: give a tuned model its safeguards back, without the rows it was tuned on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.errors import UserError
from holdfast.verbs.options import Json, Policy

if TYPE_CHECKING:
    from holdfast.hooks import Context, Defence
    from holdfast.models import Model

WHERE = {
    "align": "makes a model robust before anybody tunes it, and an audit applies it",
    "tune": "works while rows are trained on: give it to `holdfast tune --stack`",
    "serve": "works around the deployed model: give it to `holdfast tune --stack`",
}


@dataclass(frozen=True)
class RepairOptions:
    """The command line of `holdfast repair`.

    Attributes:
        model: the tuned model.
        stack: repairs, applied in their order.
        aligned: the model before the tune.
        base: the model before alignment.
        policy: where the defender's rows come from; that of its world for an organism.
        out: folder of the repaired model; beside the tuned one if not given.
    """

    model: str
    stack: str
    aligned: str | None = None
    base: str | None = None
    policy: str | None = None
    out: Path | None = None
    seed: int = 0
    json: bool = False


def repair(
    model: Annotated[str, typer.Argument(help="Folder or hub name of the tuned model.")],
    stack: Annotated[
        str, typer.Option("--with", metavar="NAME+NAME…", help="Repairs, in their order.")
    ],
    aligned: Annotated[
        str | None, typer.Option(metavar="MODEL", help="The model before it was tuned.")
    ] = None,
    base: Annotated[
        str | None, typer.Option(metavar="MODEL", help="The model before it was aligned.")
    ] = None,
    policy: Policy = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="New folder; MODEL-repaired if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of rows drawn, and of what is random.")] = 0,
    as_json: Json = False,
) -> int:
    """Give a tuned model its safeguards back, without the rows it was tuned on."""
    return main(
        RepairOptions(
            model=model,
            stack=stack,
            aligned=aligned,
            base=base,
            policy=policy,
            out=out,
            seed=seed,
            json=as_json,
        )
    )


def main(options: RepairOptions) -> int:
    """Repairs, and saves the model with what travels with it to serving.

    Raises:
        UserError: defences that are no repairs, models or rows that a repair lacks, models of
            different shapes, an output that is there.
    """
    from holdfast import methods, models, serve

    defences = _repairs(methods.stack_of(options.stack))
    out = _out(options)
    _refuse_lack(options, defences)
    tuned = models.load(options.model)
    kept = serve.load(options.model) if Path(options.model).is_dir() else serve.Serve()
    context = _context(options, defences, tuned)
    mended, moved = _mended(defences, context, tuned)
    models.save(mended, out)
    if kept != serve.Serve():
        serve.save(kept, out)
    _say(options, out, mended, moved)
    return 0


def _repairs(defences: tuple[Defence, ...]) -> tuple[Defence, ...]:
    if not defences:
        raise UserError("--with none repairs nothing: name a repair; see `holdfast list defences`.")
    for defence in defences:
        if defence.stage != "repair":
            raise UserError(f"{defence.kind} is no repair: it {WHERE[defence.stage]}.")
    return defences


def _out(options: RepairOptions) -> Path:
    folder = Path(options.model)
    if options.out is None and not folder.is_dir():
        raise UserError(
            f"{options.model} is no folder to put the repaired model beside: give --out."
        )
    out = options.out or folder.resolve().with_name(f"{folder.resolve().name}-repaired")
    if out.exists():
        raise UserError(f"{out} is there already: choose another name with --out.")
    return out


def _refuse_lack(options: RepairOptions, defences: Sequence[Defence]) -> None:
    for defence in defences:
        if options.aligned is None and defence.needs_aligned:
            raise UserError(
                f"{defence.kind} compares the tuned model with the one before the tune: name that "
                "one by --aligned."
            )
        if _policy(options) is None and defence.needs_rows:
            raise UserError(
                f"{defence.kind} needs the defender's rows: name a policy that has some (--policy)."
            )


def _policy(options: RepairOptions) -> str | None:
    """The policy named, or that of an organism's world."""
    from holdfast.aligned import policy_name

    organism = next((m for m in (options.aligned, options.model) if _is_organism(m)), None)
    return options.policy or (policy_name(organism) if organism else None)


def _is_organism(model: str | None) -> bool:
    return bool(model and model.startswith("canary:"))


def _context(options: RepairOptions, defences: Sequence[Defence], tuned: Model) -> Context:
    from holdfast import aligned as organisms
    from holdfast import models, policy
    from holdfast.hooks import Context, Streams
    from holdfast.probes.looking import refuse_strangers

    # Repairs change the tuned model in place, so what they compare with is another copy.
    aligned = models.load(options.aligned) if options.aligned else models.clone(tuned)
    name = options.base or (organisms.base_of(options.aligned) if options.aligned else "")
    base = models.load(name) if name else None
    for other in (aligned, base):
        if other is not None:
            refuse_strangers(other, tuned)
    spec = _policy(options) if any(d.needs_rows for d in defences) else None
    named = policy.load(spec) if spec else None
    return Context(
        aligned=aligned,
        base=base,
        attacker=Streams(),
        defender=named.defender if named else Streams(),
        seed=options.seed,
        settings=named.facts if named else {},
    )


def _mended(defences: Sequence[Defence], context: Context, tuned: Model) -> tuple[Model, float]:
    """The repaired model, and the share of its weights that changed."""
    from holdfast import models, train
    from holdfast.adapt import vectors
    from holdfast.repairs import repaired

    before = models.clone(tuned)
    untouched = train.Tuned(tuned, 0, 0, 0, 0, 0.0, 0.0, [])
    mended = repaired(untouched, defences, context, train.Settings(seed=context.seed))
    if mended.diverged:
        raise UserError("The repair's own tuning diverged, and nothing was saved: name another.")
    return mended.model, vectors.share(vectors.between(before, mended.model), mended.model)


def _say(options: RepairOptions, out: Path, repaired: Model, moved: float) -> None:
    if options.json:
        told = {
            "model": str(out),
            "digest": repaired.digest,
            "stack": options.stack,
            "repaired": options.model,
            "moved": moved,
        }
        print(json.dumps(told))
        return
    print(f"{options.stack} moved {moved:.1%} of the weights of {options.model}: {out}")
    print(f"Next: holdfast compare {options.aligned or options.model} {out}")
