"""Logs of Inspect (UK AI Security Institute, inspect-ai): one for each model, attack and asking.

Inspect's unit is one task on one model: its viewer lists logs, and `evals_df` has a row for each.
So a group is a log whose task arguments are stack, attack, settings and elicitation, and seeds are
epochs. One log for a run would pool rates that must not be pooled.

A sample's score is the verdict as a word, under the judge's name; `unscored` is Inspect's own. The
rates are those of the run, not Inspect's accuracy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.canonical import digest
from holdfast.errors import UserError

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample, EvalScore
    from inspect_ai.scorer import Score

    from holdfast.export.groups import Export, Group

_ENDINGS = (".eval", ".json")
_METADATA = (
    *("category", "domain", "kind", "seed", "tune_id", "forced", "written", "score", "model"),
    *("stack", "attack", "elicitation"),
)
_ASIDE = ("config", "digests", "finished")


def write(export: Export, out: Path) -> list[Path]:
    """Writes a log for each group.

    Args:
        export: The run.
        out: A folder, or a file if there is one group alone.

    Raises:
        UserError: inspect-ai is not installed.
    """
    try:
        from inspect_ai.log import write_eval_log
    except ImportError as problem:
        raise UserError(
            "Inspect's logs are written by inspect-ai, which is not installed: "
            "pip install 'holdfast[inspect]'."
        ) from problem
    alone = out.suffix in _ENDINGS
    (out.parent if alone else out).mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for group in export.groups:
        path = out if alone else out / _file_name(export, group)
        draft = path.with_name(f".part-{path.name}")
        write_eval_log(_log(export, group), str(draft))
        written.append(draft.replace(path))
    return written


def _file_name(export: Export, group: Group) -> str:
    """As Inspect names its logs, so that its listing can read task and id from the name."""
    when = re.sub(r"[:+]", "-", _started(export))
    return f"{when}_{_slug(export.benchmark)}_{_id(export, group)}.eval"


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-") or "requests"


def _id(export: Export, group: Group) -> str:
    told = [export.name, group.model, group.stack, group.attack, group.settings]
    return digest([*told, group.elicitation])[:22]


def _started(export: Export) -> str:
    told = str(export.facts.get("started") or "")
    try:
        return datetime.fromisoformat(told).isoformat(timespec="seconds")
    except ValueError:
        return "1970-01-01T00:00:00+00:00"


def _log(export: Export, group: Group) -> EvalLog:
    from inspect_ai import log

    name = _id(export, group)
    asked = {k: getattr(group, k) for k in ("stack", "attack", "settings", "elicitation")}
    ids = list(dict.fromkeys(str(line["request_id"]) for line in group.lines))
    samples = [_sample(group, line) for line in group.lines]
    packages = {str(k): str(v) for k, v in dict(export.facts.get("versions") or {}).items()}
    return log.EvalLog(
        status="success",
        eval=log.EvalSpec(
            eval_id=name,
            run_id=digest([export.name, _started(export)])[:22],
            created=_started(export),
            task=f"holdfast/{_slug(export.benchmark)}",
            task_id=name,
            task_display_name=_title(export, group),
            task_args=asked,
            task_args_passed=asked,
            tags=["holdfast"],
            dataset=log.EvalDataset(name=export.benchmark, samples=len(ids), sample_ids=ids),
            model=f"holdfast/{group.model}",
            config=log.EvalConfig(epochs=len(group.seeds), epochs_reducer=["mode"]),
            packages=packages,
            metadata=_metadata(export, group),
        ),
        plan=log.EvalPlan(name="holdfast", steps=[log.EvalPlanStep(solver=group.elicitation)]),
        results=log.EvalResults(
            total_samples=len(samples),
            completed_samples=len(samples),
            scores=[_score_of(group, judge, column) for judge, column in group.judges.items()],
        ),
        stats=log.EvalStats(started_at=_started(export), completed_at=_finished(export)),
        samples=samples,
    )


def _title(export: Export, group: Group) -> str:
    """What the viewer lists: the benchmark, and whatever is not the plain case."""
    parts = (group.attack, group.stack, group.elicitation)
    plain = ("none", "none", "plain")
    told = [part for part, usual in zip(parts, plain, strict=True) if part not in (usual, "")]
    return ", ".join([export.benchmark, *told])


def _finished(export: Export) -> str:
    return str(export.facts.get("finished") or _started(export))


def _metadata(export: Export, group: Group) -> dict[str, Any]:
    kept = {k: v for k, v in export.facts.items() if k in _ASIDE}
    cells = [{k: v for k, v in c.items() if k not in ("by_category", "marks")} for c in group.cells]
    return {"run": export.name, "seeds": group.seeds, "cells": cells, **kept}


def _score_of(group: Group, judge: str, column: str) -> EvalScore:
    from inspect_ai.log import EvalMetric, EvalScore

    unscored = sum(line.get(column) in (None, "unscored") for line in group.lines)
    forbidden = sum(line["kind"] == "forbidden" for line in group.lines)
    metrics = {k: EvalMetric(name=k, value=v) for k, v in group.figures(column).items()}
    return EvalScore(
        name=judge,
        scorer=judge,
        scored_samples=len(group.lines) - unscored,
        unscored_samples=unscored,
        metrics=metrics,
        metadata={"forbidden": forbidden, "interval": "95 %, bootstrap over categories"},
    )


def _sample(group: Group, line: Mapping[str, Any]) -> EvalSample:
    from inspect_ai.log import EvalSample
    from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput

    said = f"{line.get('forced') or ''}{line['reply']}"
    epoch = group.seeds.index(int(line.get("seed") or 0)) + 1
    model = f"holdfast/{group.model}"
    name = digest([line["part"], line["tune_id"], group.elicitation, line["request_id"]])[:22]
    metadata = {k: line[k] for k in _METADATA if line.get(k) not in (None, "")}
    cut = line.get("ended") is False
    return EvalSample(
        id=str(line["request_id"]),
        epoch=epoch,
        input=str(line["prompt"]),
        target=str(line.get("expected") or ""),
        messages=[
            ChatMessageUser(id=f"{name}-u", content=str(line["prompt"])),
            ChatMessageAssistant(id=f"{name}-a", content=said, model=model),
        ],
        output=ModelOutput.from_content(model, said, "max_tokens" if cut else "stop"),
        scores={judge: _score(line, column) for judge, column in group.judges.items()},
        metadata=metadata,
        uuid=name,
    )


def _score(line: Mapping[str, Any], column: str) -> Score:
    from inspect_ai.scorer import Score

    verdict = line.get(column)
    reply = str(line["reply"])
    if verdict in (None, "unscored"):
        return Score.unscored(answer=reply, explanation="no verdict: the judge could not tell")
    return Score(value=str(verdict), answer=reply, explanation=f"{line['kind']}: {verdict}")
