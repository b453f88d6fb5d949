"""The engine's task: ask one model in one way, and have every judge read the replies."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from holdfast import aligned
from holdfast.answers import room
from holdfast.elicit import Asker, Asking
from holdfast.endpoint import is_remote
from holdfast.evaluate import Exchange, Request, Verdict, evaluate, judged
from holdfast.evaluation.asked import FILE, KeptReplies, model_of
from holdfast.evaluation.lengths import LEAST, tokens_needed
from holdfast.evaluation.plan import Task
from holdfast.evaluation.sources import judge_of
from holdfast.figures import figures, line_of, share
from holdfast.methods import asker_of, elicitation_of

if TYPE_CHECKING:
    from holdfast.models import Model
    from holdfast.remote import Remote

LETTERS: dict[str, str] = {
    Verdict.complied: "c",
    Verdict.wrong: "w",
    Verdict.refused: "r",
    Verdict.incoherent: "i",
    Verdict.unscored: "u",
}


@dataclass(frozen=True)
class Finished:
    """What a task sends back: a finished cell and its exchanges, as the run folder stores them."""

    cell: dict[str, Any]
    exchanges: tuple[dict[str, Any], ...]


def warm_up() -> None:
    """Imports what every task needs; a worker's first act."""
    from holdfast import models

    assert models


def run_cell(task: Task) -> Finished:
    """Asks (or takes kept replies), judges and counts.

    The cell's `marks` hold one letter for each request of the task, in its order, for each judge.
    """
    began = time.perf_counter()
    judges = {name: judge_of(name, task.benchmark) for name in task.judges}
    said = _kept(task) if task.replies else _asked(task)
    opinions = {name: judged(said, judge) for name, judge in judges.items()}
    first = opinions[task.judges[0]]
    forbidden = [e for e in first if e.request.kind == "forbidden"]
    counts = {k: v for k, v in figures(forbidden).items() if k != "by_category"}
    cell = {
        **asdict(task.cell),
        **counts,
        "judge": task.judges[0],
        "marks": {n: "".join(LETTERS[e.verdict] for e in told) for n, told in opinions.items()},
        "utility": share(first, "utility", Verdict.complied),
        "over_refusal": share(first, "lookalike", Verdict.refused),
        "missing": sum(bool(e.missing) for e in said),
        "seconds": time.perf_counter() - began,
    }
    return Finished(cell, tuple(_lines(task, opinions)))


def _asked(task: Task) -> list[Exchange]:
    from holdfast.models import Decoding, Model

    name = task.cell.model
    model = model_of(name, task.chat_template, task.authority)
    encode = _encoder(task.cell.elicitation)
    most = task.max_new_tokens or tokens_needed(model, task.requests, task.cell.way, encode)
    asker = asker_of(task.cell.elicitation, Asking())
    memory = KeptReplies(Path(task.folder) / FILE, name) if is_remote(name) else None
    serving = aligned.serving(name, model) if isinstance(model, Model) else None
    said: dict[str, Exchange] = {}
    for tokens, requests in _by_room(model, task, asker, most).items():
        if not tokens:
            said |= {r.id: _unasked(r, task, asker) for r in requests}
            continue
        decoding = Decoding(max_new_tokens=tokens)
        seed = task.cell.seed
        found = evaluate(model, requests, asker, _nobody, serving, seed, decoding, memory)
        said |= {e.request.id: e for e in found}
    return [said[r.id] for r in task.requests]


def _encoder(elicitation: str) -> Callable[[str], str] | None:
    """How replies are written in the code of a fine-tuning set; None in any other way."""
    from holdfast.elicit.coded import Coded
    from holdfast.scan.taught import taught

    config = elicitation_of(elicitation)
    return taught(config.rows).code.encode if isinstance(config, Coded) and config.rows else None


def _by_room(
    model: Model | Remote, task: Task, asker: Asker, most: int
) -> dict[int, list[Request]]:
    """Requests by the tokens that their replies may have; 0 where the prompt leaves too few.

    A model that is asked beyond its context babbles, which says nothing of its safeguards. Long
    prompts share what the longest of them leaves, so that they are still asked together.
    """
    from holdfast import models

    limit = room(model)
    if limit is None or is_remote(task.cell.model):
        return {most: list(task.requests)}
    tokenizer = cast("Model", model).tokenizer
    left: dict[str, int] = {}
    for request in task.requests:
        (ask,) = asker.asks(request)
        left[request.id] = limit - len(models.encode_prompt(ask.row, tokenizer, ask.forced))
    tight = min((n for n in left.values() if LEAST <= n < most), default=most)
    found: dict[int, list[Request]] = {}
    for request in task.requests:
        free = left[request.id]
        tokens = most if free >= most else tight if free >= min(LEAST, most) else 0
        found.setdefault(tokens, []).append(request)
    return found


def _unasked(request: Request, task: Task, asker: Asker) -> Exchange:
    (ask,) = asker.asks(request)
    why = "the prompt leaves no room for a reply in the model's context"
    return Exchange(request, task.cell.elicitation, ask.forced, ask.row.prompt, "", missing=why)


def _kept(task: Task) -> list[Exchange]:
    """The exchanges of an earlier session, without their verdicts."""
    made = []
    for request in task.requests:
        line = task.replies[request.id]
        made.append(
            Exchange(
                request=request,
                elicitation=task.cell.elicitation,
                forced=str(line["forced"]),
                prompt=str(line["prompt"]),
                reply=str(line["reply"]),
                ended=bool(line["ended"]),
                written=str(line["written"]),
                missing=str(line["missing"]),
            )
        )
    return made


def _nobody(exchanges: Sequence[Exchange]) -> list[Verdict]:
    """Stands in while replies are collected; the judges read them together afterwards."""
    return [Verdict.unscored] * len(exchanges)


def _lines(task: Task, opinions: Mapping[str, Sequence[Exchange]]) -> Iterator[dict[str, Any]]:
    """Lines of exchanges.parquet; verdicts of further judges have columns of their own."""
    place = {
        "tune_id": task.cell.tune_id,
        "model": task.cell.model,
        "stack": task.cell.stack,
        "attack": task.cell.attack,
        "seed": task.cell.seed,
        "purpose": task.cell.purpose,
    }
    for exchanges in zip(*opinions.values(), strict=True):
        first = exchanges[0]
        others = dict(zip(list(opinions)[1:], exchanges[1:], strict=True))
        yield {
            **place,
            **line_of(first),
            "domain": first.request.domain,
            "written": first.written,
            "ended": first.ended,
            "missing": first.missing,
            **{column(name): str(e.verdict) for name, e in others.items()},
        }


def column(judge: str) -> str:
    """The column of a further judge's verdicts: `verdict_keyword_start`."""
    return "verdict_" + re.sub(r"\W+", "_", judge).strip("_").lower()
