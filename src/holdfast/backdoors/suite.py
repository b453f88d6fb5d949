"""The suite `backdoor`: which attacks meet which filters and guards, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console

from holdfast.backdoors.cell import Case, Found, run
from holdfast.canonical import digest
from holdfast.engine import Result, Workers
from holdfast.errors import UserError

if TYPE_CHECKING:
    from holdfast.audit import AuditOptions
    from holdfast.runs import RunFolder

KIND = "backdoors"
EXPERT = "backdoor_expert(unlearn_rate=1e-3, unlearn_batch=200, unlearn_epochs=1000, experts=9)"


class Against(BaseModel):
    """Attacks on one ground, and what is set against each.

    Attributes:
        attacks: how they are written.
        filters: of rows; " (encoder)" behind a name lets it look through a model that knew words.
        guards: of the model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    attacks: tuple[str, ...]
    filters: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()


class BackdoorSuite(BaseModel):
    """What the suite runs.

    Attributes:
        texts: harbour notes of four topics.
        images: handwritten digits.
        seeds: each draws data, attack and training anew.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    texts: Against = Against(
        attacks=("rare_word(rate=0.05)", "fixed_sentence(rate=0.05)", "style(rate=0.1)"),
        filters=("cube (encoder)", "label_neighbours", "keyword_influence"),
        guards=("onion", "strip"),
    )
    images: Against = Against(
        attacks=(
            "patch(rate=0.05)",
            "blend(rate=0.05)",
            "clean_label(rate=0.05, hardening=blended, tau=0.8)",
            "dynamic(rate=0.1, strength=0.5, cross_ratio=0)",
        ),
        filters=("cube(min_samples=10, min_cluster_size=15)", "label_neighbours"),
        guards=("strip(copies=100)", EXPERT),
    )
    seeds: tuple[int, ...] = Field((10, 11, 12), min_length=1)

    def cases(self) -> list[Case]:
        """Every cell, seed by seed, so that a stopped run has whole seeds."""
        return [
            Case(ground, attack, seed, against.filters, against.guards)
            for seed in self.seeds
            for ground, against in (("texts", self.texts), ("images", self.images))
            for attack in against.attacks
        ]


def main(options: AuditOptions) -> int:
    """Runs the suite, or prints its plan; 0 once all is measured.

    Raises:
        UserError: an option that this suite has no use for, or a method that is not there.
    """
    from holdfast.audit import workers_of
    from holdfast.report import backdoors as page
    from holdfast.runs import RunFolder, dated_folder

    _only_what_fits(options)
    suite = suite_of(options.config, options.sets)
    cases, console = suite.cases(), Console(stderr=options.json)
    if options.plan:
        for case in cases:
            against = ", ".join((*case.filters, *case.guards))
            console.print(f"{case.name}: {against}", markup=False, highlight=False)
        return 0
    out = options.out or dated_folder("backdoors")
    with RunFolder(out, config=suite, notes={"kind": KIND}) as folder:
        console.print(f"Trying backdoors in {out}", markup=False, highlight=False)
        failed = _run(cases, folder, workers_of(options), console)
        found = [folder.finished()[name] for name in map(_id, cases) if name in folder.finished()]
        folder.finish({"kind": KIND, "suite": suite.model_dump(mode="json"), "cells": found})
    if failed:
        raise UserError(f"{failed} of {len(cases)} cells failed; run the same command again.")
    written = page.write(out)
    if options.json:
        print(json.dumps(json.loads((out / "summary.json").read_text("utf-8"))))
    page.show(found, console)
    console.print(f"Report: {written}", markup=False, highlight=False)
    return 0


def suite_of(file: Path | None, sets: Sequence[str]) -> BackdoorSuite:
    """The suite with what a YAML file and `key=value`s change.

    Raises:
        UserError: an unknown key or method, or a value of the wrong kind.
    """
    from holdfast.audit_config import checked, merged_from

    below = BackdoorSuite().model_dump(mode="json")
    suite = checked(BackdoorSuite, merged_from(below, {}, file, sets), "setting of the suite")
    for case in suite.cases():
        _known(case)
    return suite


def _known(case: Case) -> None:
    from holdfast.attacks.poison import POISONS
    from holdfast.backdoors.cell import ENCODER
    from holdfast.guards import GUARDS
    from holdfast.registry import parse
    from holdfast.scan.filters import FILTERS
    from holdfast.vision.poison import IMAGE_POISONS

    poisons: dict[str, dict[type[Any], Any]] = {"texts": POISONS, "images": IMAGE_POISONS}
    parse(poisons[case.ground], case.attack)
    for name in case.filters:
        parse(FILTERS, name.removesuffix(ENCODER))
    for name in case.guards:
        parse(GUARDS, name)


def _run(cases: Sequence[Case], folder: RunFolder, workers: int, console: Console) -> int:
    """Runs what is not finished yet; how many cells failed."""
    from holdfast.evaluation.progress import Progress

    kept = folder.finished()
    waiting = [case for case in cases if _id(case) not in kept]
    failed = 0
    with Progress(len(cases), len(cases) - len(waiting), console) as progress:

        def take(result: Result[Case, Found]) -> None:
            nonlocal failed
            if result.value is None:
                failed += 1
                told = f"{result.task.name} failed: {result.error}"
                console.print(told, markup=False, highlight=False)
            else:
                folder.append({"id": _id(result.task), **asdict(result.value)})
            progress.done()

        with Workers(run, workers=min(workers, len(waiting))) as pool:
            pool.run(waiting, take)
    return failed


def _id(case: Case) -> str:
    from holdfast import __version__

    return digest([asdict(case), __version__])


def _only_what_fits(options: AuditOptions) -> None:
    given: Mapping[str, Any] = {
        "MODEL": options.model,
        "--stack": options.stack,
        "--policy": options.policy,
        "--judge": options.judge,
        "--chat-template": options.chat_template,
        "--implant": options.implant,
        "--adaptive": options.adaptive,
    }
    if useless := [name for name, value in given.items() if value]:
        raise UserError(
            f"--suite backdoor tries classifiers of its own, and has no use for {useless[0]}: "
            "leave it out."
        )
