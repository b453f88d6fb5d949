"""What an evaluation will do: its cells and what each id depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from holdfast.canonical import digest
from holdfast.elicit import Asking
from holdfast.evaluate import Judge, Kind, Request
from holdfast.evaluation.asked import why_lost
from holdfast.evaluation.ways import CODE, PLAIN, TASK, Way
from holdfast.judging.judge_code import code_of
from holdfast.methods import asker_of, elicitation_of, sources, version
from holdfast.policy import spread

Purpose = Literal["measured", "ability"]
ASKED_OF_BASE = 90  # requests of each way that show whether the model before alignment can answer

_ASKING = (
    *("evaluate", "answers", "figures", "encode", "decode", "sampling", "kv_cache"),
    *("serve", "serving", "guards/opening", "replies", "elicit/asking"),
    *("evaluation/measure", "evaluation/lengths"),
)
_READING = ("scan/taught", "scan/decode", "scan/encoders", "scan/solve")
_MUTATING = ("elicit/mutations/mutation", "elicit/mutations/sentence", "elicit/mutations/tongue")


@dataclass(frozen=True)
class Subject:
    """A model to ask.

    Attributes:
        name: As the user wrote it.
        digest: Hash of its weights, tokenizer and serving rules, or of its address.
        base: The model before alignment; "" if none is known.
    """

    name: str
    digest: str
    base: str = ""


@dataclass(frozen=True)
class Cell:
    """One figure to measure: a model asked in one way. Fields as in summary.json.

    `tune_id` is the hash of all that determines the replies, `id` of all that determines the
    verdicts too, so another judge can read the same replies.
    """

    id: str
    tune_id: str
    model: str
    stack: str
    elicitation: str
    way: str
    group: str
    purpose: Purpose = "measured"
    attack: str = "none"
    seed: int = 0
    status: str = "done"
    reason: str = ""


@dataclass(frozen=True)
class Task:
    """One task of the engine: ask one model in one way and judge what it says.

    Attributes:
        requests: Forbidden ones and, where asked plainly, look-alikes and utility.
        judges: Specs; the first one's verdicts count.
        benchmark: Its spec, from which an exact judge learns its world.
        chat_template: Instead of the model's own.
        max_new_tokens: Longest reply; None is what the reference answers need.
        authority: On whose authority a model on another machine is tested.
        folder: The run folder, where replies from endpoints are kept as they come.
        replies: Kept lines of an earlier session, by request id, to be judged again.
    """

    cell: Cell
    requests: tuple[Request, ...]
    judges: tuple[str, ...]
    benchmark: str
    chat_template: str | None = None
    max_new_tokens: int | None = None
    authority: str = ""
    folder: str = ""
    replies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Everything that determines an evaluation.

    Attributes:
        benchmark: Spec of the benchmark.
        requests: Its requests of all kinds, cut to `--limit`.
        judges: Name and implementation, the first one's verdicts count.
    """

    subjects: tuple[Subject, ...]
    bases: Mapping[str, Subject]
    ways: tuple[Way, ...]
    benchmark: str
    requests: tuple[Request, ...]
    judges: Mapping[str, Judge]
    chat_template: str | None = None
    max_new_tokens: int | None = None
    authority: str = ""

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """Every cell as a task: each model, then the models before alignment."""
        made = [self._task(s, w, "measured") for s in self.subjects for w in self.ways]
        made += [self._task(b, w, "ability") for b in self.bases.values() for w in self.ways]
        able = [task for task in made if task.cell.status != "n/a"]
        return tuple({task.cell.id: task for task in able}.values())

    @cached_property
    def not_applicable(self) -> tuple[Cell, ...]:
        """Ways in which a model behind an endpoint cannot be asked."""
        cells = [self._task(s, w, "measured").cell for s in self.subjects for w in self.ways]
        return tuple(cell for cell in cells if cell.status == "n/a")

    def asked(self, way: str, purpose: str = "measured") -> tuple[Request, ...]:
        """The requests that a cell asks, in order."""
        forbidden = of_kind(self.requests, "forbidden")
        if purpose == "ability":
            forbidden = spread(forbidden, ASKED_OF_BASE)
        if way != PLAIN:
            return forbidden
        kinds: tuple[Kind, ...] = (
            ("lookalike", "utility") if purpose == "measured" else ("utility",)
        )
        return (*forbidden, *(r for kind in kinds for r in of_kind(self.requests, kind)))

    def _task(self, subject: Subject, way: Way, purpose: Purpose) -> Task:
        requests = self.asked(way.name, purpose)
        said = digest(
            [
                *(subject.digest, self.chat_template, self.max_new_tokens),
                *(asked_text(way, requests), way_code(way), sources(_ASKING)),
            ]
        )
        judges = [code_of(name, judge) for name, judge in self.judges.items()]
        whole = digest([said, [_judged_by(r) for r in requests], judges, purpose])
        cell = Cell(
            id=whole,
            tune_id=said,
            model=subject.name,
            stack=subject.name,
            elicitation=way.spec,
            way=way.name,
            group=way.group,
            purpose=purpose,
            status="n/a" if (why := why_lost(subject.name, way.spec)) else "done",
            reason=why,
        )
        return Task(
            cell=cell,
            requests=requests,
            judges=tuple(self.judges),
            benchmark=self.benchmark,
            chat_template=self.chat_template,
            max_new_tokens=self.max_new_tokens,
            authority=self.authority,
        )


def of_kind(requests: Sequence[Request], kind: Kind) -> tuple[Request, ...]:
    """The requests of one kind, in order."""
    return tuple(r for r in requests if r.kind == kind)


def limited(requests: Sequence[Request], limit: int | None) -> tuple[Request, ...]:
    """At most so many requests of each kind, spread over the categories."""
    kinds: tuple[Kind, ...] = ("forbidden", "lookalike", "utility")
    return tuple(r for kind in kinds for r in spread(of_kind(requests, kind), limit))


def asked_text(way: Way, requests: Sequence[Request]) -> str:
    """Hash of every conversation as it will be asked, after rewording."""
    asker = asker_of(way.spec, Asking())
    rows = [
        [r.id, [[a.row.to_json(), a.forced] for a in asker.asks(r)], r.reference] for r in requests
    ]
    return digest(rows)


def way_code(way: Way) -> list[Any]:
    """Settings of an elicitation and hashes of the files that decide what it decodes."""
    own = version(elicitation_of(way.spec))
    if way.group == CODE:
        return [*own, sources(_READING)]
    if way.group in (PLAIN, TASK):
        return [*own, sources(_MUTATING)]  # a translated reply is translated back
    return [*own, sources((*_MUTATING, f"elicit/mutations/{way.name}"))]


def _judged_by(request: Request) -> list[Any]:
    return [
        *(request.id, request.kind, request.category, request.domain),
        *(request.expected, request.reference, list(request.decoys)),
    ]
