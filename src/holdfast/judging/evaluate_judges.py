"""`holdfast judges evaluate`: how far can each judge be believed? Judges beside labels."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from holdfast.canonical import finite, plain, write_bytes, write_json
from holdfast.errors import UserError
from holdfast.evaluate import Judge, Verdict, judged
from holdfast.judging import stored_replies
from holdfast.judging.figures import Labelled, calibration_of, figures_of
from holdfast.judging.judge_replies import judges_of, worlds_of
from holdfast.judging.labels import truth_of
from holdfast.judging.stored_replies import Stored

log = logging.getLogger(__name__)

THINGS = 90
"""Things of the canary world that replies are said about where no labels are given."""
WORLD = 1
"""The world they are from: not the one that shipped judges were raised in."""
EXACT = "exact"


@dataclass(frozen=True)
class JudgesOptions:
    """The command line of `holdfast judges evaluate`.

    Without `judges`, all that can be made by their name alone; without `labelled`, replies that
    the canary policy says by grammar about `things` things of `world`.
    """

    judges: tuple[str, ...] = ()
    labelled: tuple[Path, ...] = ()
    label: str | None = None
    strict: bool = False
    things: int = THINGS
    world: int = WORLD
    out: Path | None = None
    json: bool = False


def main(options: JudgesOptions) -> int:
    """Measures judges against labels, prints the table, writes judges.json and judges.md.

    Returns:
        0: nobody passes or fails here.

    Raises:
        UserError: Anything the user can mend.
    """
    from holdfast.judging.evaluate_tables import markdown, print_told

    console = Console(stderr=options.json)
    told, left_out = labelled_of(options)
    judges, skipped = _judges(options)
    lines = [measured(name, judge, told, options.strict) for name, judge in judges.items()]
    summary = {
        "source": source_of(options),
        "strict": options.strict,
        "n": len(told),
        "left_out": left_out,
        "judges": lines,
        "skipped": skipped,
    }
    if options.out is not None:
        _write(options.out, summary, markdown(summary))
    if options.json:
        print(json.dumps(finite(plain(summary)), ensure_ascii=False))
    else:
        print_told(summary, console)
    return 0


def measured(
    name: str, judge: Judge, told: Sequence[Labelled], strict: bool = False
) -> dict[str, Any]:
    """The figures of one judge, with the time and money that 1,000 exchanges take."""
    exchanges = [one.exchange for one in told]
    spent, began = _spent(judge), time.perf_counter()
    verdicts = [e.verdict for e in judged(exchanges, judge)]
    seconds = time.perf_counter() - began
    after = _spent(judge)
    each = 1000 / len(told)
    return {
        "judge": name,
        **figures_of(told, verdicts, strict),
        "calibration": _calibration(name, judge, told, strict),
        "seconds_per_1000": seconds * each,
        "cost_per_1000": None if spent is None or after is None else (after - spent) * each,
    }


def labelled_of(options: JudgesOptions) -> tuple[list[Labelled], dict[str, int]]:
    """The labelled exchanges, and how many replies were left out for which reason.

    Raises:
        UserError: a bad line, a run whose verdicts are no truth, no label at all.
    """
    if not options.labelled:
        return _by_grammar(options.world, options.things), {}
    sources = stored_replies.sources(options.labelled, options.label or "")
    stored_replies.check(sources, labels=True)
    told: list[Labelled] = []
    left_out = {"no label": 0, "tasks": 0}
    for source in sources:
        for one in source.read():
            if not isinstance(one, Stored):
                continue
            truth = truth_of(one.label)
            if one.exchange.request.kind not in ("forbidden", "lookalike"):
                left_out["tasks"] += 1
            elif truth is None or one.exchange.missing:
                left_out["no label"] += 1
            else:
                _check_truth(one, source.path, options)
                told.append(Labelled(one.exchange, truth))
    if not told:
        named = " and ".join(map(str, options.labelled))
        raise UserError(f"no reply of {named} has a label; name its field by --label.")
    return told, {why: n for why, n in left_out.items() if n}


def source_of(options: JudgesOptions) -> str:
    """What the judges were measured on, in words."""
    if options.labelled:
        return ", ".join(map(str, options.labelled))
    return f"replies by grammar about {options.things} things of canary world {options.world}"


def _by_grammar(world: int, things: int) -> list[Labelled]:
    from holdfast.world import replies_of_policy
    from holdfast.world import world as make_world

    if things < 1:
        raise UserError(f"--things is {things}; ask about at least one thing.")
    said = replies_of_policy.replies_of_policy(make_world(world), things)
    return [Labelled(replace(e, verdict=Verdict.unscored, judge=""), e.verdict) for e in said]


def _check_truth(one: Stored, path: Path, options: JudgesOptions) -> None:
    """Refuses to take for the truth what some judge of a run said."""
    if options.label is None and one.judge not in ("", EXACT):
        raise UserError(
            f"the verdicts of {path} are those of the judge {one.judge}, not the truth; name a "
            "field of labels by --label."
        )


def _judges(options: JudgesOptions) -> tuple[dict[str, Judge], dict[str, str]]:
    """The judges to measure; without a name all, and why some of them cannot be made so."""
    from holdfast import judges

    worlds = worlds_of(options.labelled) if options.labelled else [f"canary45@{options.world}"]
    if options.judges:
        return judges_of(options.judges, worlds), {}
    found: dict[str, Judge] = {}
    skipped: dict[str, str] = {}
    for name in judges.judges():
        try:
            found |= judges_of([name], worlds)
        except UserError as problem:
            skipped[name] = str(problem)
    return found, skipped


def _calibration(
    name: str, judge: Judge, told: Sequence[Labelled], strict: bool
) -> dict[str, Any] | None:
    scores = getattr(judge, "scores", None)
    if not callable(scores):
        return None
    try:
        return calibration_of(told, scores([one.exchange for one in told]), strict)
    except UserError:
        raise
    except Exception as error:  # a judge may be anybody's code, or a remote service
        log.warning("judge %s gave no scores: %s", name, error)
        return None


def _spent(judge: Judge) -> float | None:
    """Money that the judge has spent so far, if it counts: `usage.cost`."""
    cost = getattr(getattr(judge, "usage", None), "cost", None)
    return float(cost) if isinstance(cost, int | float) else None


def _write(out: Path, summary: dict[str, Any], page: str) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / "judges.json", summary)
        write_bytes(out / "judges.md", page.encode())
    except OSError as error:
        raise UserError(f"Cannot write to {out}: {error.strerror or error}.") from error
