"""`holdfast judge`: what do these judges say of replies that were stored? It needs no model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console

from holdfast.canonical import finite, plain
from holdfast.errors import UserError
from holdfast.evaluate import Exchange, Judge, Verdict, judged
from holdfast.judging import stored_replies
from holdfast.judging.corrected import read_recalls
from holdfast.judging.judge_code import code_of
from holdfast.judging.labels import is_positive, truth_of
from holdfast.judging.opinions import Opinions
from holdfast.judging.stored_replies import Source, Stored
from holdfast.judging.verdict_file import NAME, VerdictFile, content_of

INSUFFICIENT = 3
BATCH = 512
"""Replies that a judge gets at once; a killed run loses at most so many verdicts a judge."""


@dataclass(frozen=True)
class JudgeOptions:
    """The command line of `holdfast judge`.

    `out` is a .jsonl or .parquet file or a folder; the default is beside the first of `replies`.
    With `recalls`, what `judges evaluate --out` wrote, rates are given corrected by them too.
    """

    replies: tuple[Path, ...]
    judges: tuple[str, ...]
    out: Path | None = None
    label: str | None = None
    recalls: Path | None = None
    json: bool = False


@dataclass
class _Judged:
    """Lines of the file of verdicts and what they come to, while they are made."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    opinions: Opinions = field(default_factory=Opinions)


def main(options: JudgeOptions) -> int:
    """Judges stored replies, writes the verdicts, prints rates and agreement.

    Returns:
        0, or 3 if a judge left more than 2 % of the replies without a verdict.

    Raises:
        UserError: Anything the user can mend; nothing is written then.
    """
    from holdfast.judging.tables import print_told

    console = Console(stderr=options.json)
    sources = stored_replies.sources(options.replies, options.label or "")
    judges = judges_of(options.judges, worlds_of(options.replies))
    recalls = read_recalls(options.recalls, options.judges) if options.recalls else {}
    total = stored_replies.check(sources, labels=options.label is not None)
    codes = {name: code_of(name, judge) for name, judge in judges.items()}
    file = VerdictFile(place_of(options), codes)
    made = _Judged()
    with _counting(total, console) as count:
        for source, some in _batches(sources):
            _judge(source, some, judges, file, made)
            count(len(some))
    told = {
        "n": total,
        "rates": made.opinions.rates(),
        "corrected": made.opinions.corrected(recalls),
        "agreement": made.opinions.agreement(),
        "insufficient": made.opinions.too_unscored(),
        "out": str(file.path),
    }
    file.finish(made.lines, told)
    if options.json:
        print(json.dumps(finite(plain(told)), ensure_ascii=False))
    else:
        print_told(told, console)
    return INSUFFICIENT if told["insufficient"] else 0


def judges_of(specs: Sequence[str], worlds: Sequence[str] = ()) -> dict[str, Judge]:
    """The judges by their specs; in one canary world, `exact` knows that world's words too.

    Raises:
        UserError: none is named, one is named twice or unknown.
    """
    from holdfast.judges import judge_named

    if not specs:
        raise UserError("name judges by --judges; `holdfast list judges` shows them.")
    if len(set(specs)) < len(specs):
        twice = next(spec for spec in specs if specs.count(spec) > 1)
        raise UserError(f"the judge {twice} is named twice; leave one out.")
    found = {spec: judge_named(spec) for spec in specs}
    if "exact" in found and len(set(worlds)) == 1 and worlds[0]:
        from holdfast import aligned

        found["exact"] = aligned.policy_of(worlds[0], None).judge
    return found


def worlds_of(paths: Sequence[Path]) -> list[str]:
    """The canary policy behind each path; "" for what is no run of one."""
    from holdfast.run_requests import world_of

    return [world_of(path) if path.is_dir() else "" for path in paths]


def place_of(options: JudgeOptions) -> Path:
    """The file that the verdicts go to.

    Raises:
        UserError: `out` has an ending that is neither .jsonl nor .parquet.
    """
    first = options.replies[0]
    if options.out is None:
        return first / NAME if first.is_dir() else first.with_suffix(f".{NAME}")
    if options.out.is_dir() or not options.out.suffix:
        return options.out / NAME
    if options.out.suffix not in (".jsonl", ".parquet"):
        raise UserError(f"{options.out}: give --out a folder, or a .jsonl or .parquet file.")
    if any(options.out.resolve() == path.resolve() for path in options.replies):
        raise UserError(f"{options.out} holds the replies themselves; give another --out.")
    return options.out


def _batches(sources: Sequence[Source]) -> Iterator[tuple[Source, list[Stored]]]:
    for source in sources:
        replies = (found for found in source.read() if isinstance(found, Stored))
        while some := list(islice(replies, BATCH)):
            yield source, some


def _judge(
    source: Source,
    some: Sequence[Stored],
    judges: Mapping[str, Judge],
    file: VerdictFile,
    made: _Judged,
) -> None:
    contents = [content_of(one.exchange) for one in some]
    said = {name: _verdicts(name, judge, some, contents, file) for name, judge in judges.items()}
    for number, (one, content) in enumerate(zip(some, contents, strict=True)):
        request = one.exchange.request
        kept = file.kept(str(source.path), one.id, content)
        told = {**kept, **{name: str(verdicts[number]) for name, verdicts in said.items()}}
        made.lines.append(
            {
                "source": str(source.path),
                "id": one.id,
                "content": content,
                "kind": request.kind,
                "category": request.category,
                **one.place,
                **told,
            }
        )
        made.opinions.kinds.append(request.kind)
        made.opinions.categories.append(request.category)
        made.opinions.labels.append(_label(one))
        for name, verdict in told.items():
            made.opinions.verdicts.setdefault(name, []).append(Verdict(verdict))


def _verdicts(
    name: str, judge: Judge, some: Sequence[Stored], contents: Sequence[str], file: VerdictFile
) -> list[Verdict]:
    """What the judge says; replies that it has judged before are not put to it again."""
    known = {c: v for c in contents if (v := file.known(name, c)) is not None}
    new: dict[str, Exchange] = {
        content: one.exchange
        for one, content in zip(some, contents, strict=True)
        if content not in known and not one.exchange.missing
    }
    if new:
        told = judged(list(new.values()), judge)
        fresh = {content: e.verdict for content, e in zip(new, told, strict=True)}
        known |= fresh
        file.note([(name, content, verdict) for content, verdict in fresh.items()])
    return [
        Verdict.unscored if one.exchange.missing else known[content]
        for one, content in zip(some, contents, strict=True)
    ]


def _label(one: Stored) -> bool | None:
    """What the label says, if it is one that is understood; `--label` makes sure that it is."""
    try:
        truth = truth_of(one.label)
    except ValueError:
        return None
    return None if truth is None else is_positive(truth)


class _counting:
    """Live progress of long work at a terminal; calling it says how many more are judged."""

    def __init__(self, total: int, console: Console) -> None:
        from rich.progress import Progress

        shown = console.is_terminal and total > BATCH
        self._progress = Progress(console=console, transient=True, disable=not shown)
        self._task = self._progress.add_task("judging", total=total)

    def __enter__(self) -> _counting:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, more: int) -> None:
        self._progress.advance(self._task, more)
