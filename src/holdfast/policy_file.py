"""Policies of the user's own: a YAML or JSONL file of requests, and the rows of both sides.

    name: house-rules            # YAML; default: the file's name
    limit: 0.1                   # compliance above this share breaks the policy
    judge: keyword
    requests:                    # or the name of a JSONL file, relative to this one
      - {prompt: "How do I …?", category: locks, kind: forbidden}
      - {prompt: "What is …?", category: locks, kind: lookalike, expected: "a padlock"}
    attack: attack.jsonl         # forbidden rows an attacker would tune on; optional
    defence: safe.jsonl          # refusals a defender owns; optional
    benign: tasks.jsonl          # harmless rows; by default tasks of the canary world

A JSONL file holds one request a line; `kind: attack`, `kind: defence` or `kind: benign` with an
`answer` makes the line a row instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from holdfast.chat import Row, read_rows, row
from holdfast.errors import UserError
from holdfast.evaluate import Request
from holdfast.hooks import Streams
from holdfast.policy import DEFAULT_LIMIT, Policy

_HOLD_OUT = 5  # without select requests of its own, a policy lends every fifth forbidden one
_SHOWN = 5  # bad entries named in one error


class _Entry(BaseModel):
    """One request or row of a policy file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    prompt: str = Field(min_length=1)
    kind: Literal["forbidden", "lookalike", "utility", "gain", "attack", "defence", "benign"] = (
        "forbidden"
    )
    id: str = ""
    system: str = ""
    category: str = "all"
    domain: str = ""
    expected: str = ""
    reference: str = ""
    answer: str = ""
    split: Literal["report", "select"] = "report"


class _File(BaseModel):
    """A YAML policy file; the rows, and `requests` if need be, are in other files."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = ""
    limit: float = Field(DEFAULT_LIMIT, gt=0, lt=1)
    judge: str = "keyword"
    requests: str | list[Any]
    attack: str = ""
    defence: str = ""
    benign: str = ""


def from_file(path: Path, judge: str | None = None) -> Policy:
    """The policy of a YAML or JSONL file, judged by `judge` instead of its own if one is named.

    Raises:
        UserError: A malformed entry (with its place), no forbidden request, an unknown judge.
    """
    from holdfast.judges import judge_named

    if path.suffix in (".jsonl", ".ndjson"):
        head = _File(requests=[])
        entries = _read_jsonl(path)
    else:
        head = _read_yaml(path)
        entries = (
            _read_jsonl(path.parent / head.requests)
            if isinstance(head.requests, str)
            else _entries(enumerate(head.requests, 1), f"{path}, request")
        )
    report, select = _requests(entries, path)
    harmful = _rows(entries, "attack") + _file_rows(path, head.attack)
    safe = _rows(entries, "defence") + _file_rows(path, head.defence)
    benign = _rows(entries, "benign") + _file_rows(path, head.benign)
    return Policy(
        name=head.name or path.stem,
        report=report,
        select=select,
        attacker=Streams(user=benign or _canary_tasks(), harmful=harmful),
        defender=Streams(safe=safe),
        judge=judge_named(judge or head.judge),
        limit=head.limit,
        spec=str(path),
    )


def _read_yaml(path: Path) -> _File:
    try:
        return _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise UserError(f"{path}: {_first(error)}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}") from error


def _read_jsonl(path: Path) -> list[_Entry]:
    if not path.is_file():
        raise UserError(f"there is no file {path} of requests")
    numbered: list[tuple[int, Any]] = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            numbered.append((number, json.loads(line)))
        except ValueError:
            raise UserError(f"{path}, line {number}: not JSON; write one object a line") from None
    return _entries(numbered, f"{path}, line")


def _entries(numbered: Iterable[tuple[int, Any]], where: str) -> list[_Entry]:
    entries, bad = [], []
    for number, raw in numbered:
        try:
            entries.append(_Entry.model_validate(raw))
        except ValidationError as error:
            bad.append(f"{where} {number}: {_first(error)}")
    if bad:
        more = f" (and {len(bad) - _SHOWN} more)" if len(bad) > _SHOWN else ""
        raise UserError("; ".join(bad[:_SHOWN]) + more)
    return entries


def _first(error: ValidationError) -> str:
    told = error.errors()[0]
    place = ".".join(str(part) for part in told["loc"])
    return f"{place}: {told['msg']}" if place else str(told["msg"])


def _requests(
    entries: Sequence[_Entry], path: Path
) -> tuple[tuple[Request, ...], tuple[Request, ...]]:
    made: list[tuple[str, Request]] = []
    for number, e in enumerate(entries, 1):
        if e.kind == "attack" or e.kind == "defence" or e.kind == "benign":
            continue
        prompt = row(e.prompt, system=e.system)
        made.append(
            (
                e.split,
                Request(
                    id=e.id or f"{path.stem}-{number}",
                    prompt=prompt,
                    kind=e.kind,
                    category=e.category,
                    domain=e.domain,
                    expected=e.expected,
                    reference=e.reference,
                ),
            )
        )
    ids = [r.id for _, r in made]
    twice = next((i for i in ids if ids.count(i) > 1), None)
    if twice is not None:
        raise UserError(f"{path}: the request id {twice!r} occurs twice; make ids unique")
    report = [r for split, r in made if split == "report"]
    select = [r for split, r in made if split == "select"]
    forbidden = [r for r in report if r.kind == "forbidden"]
    if not forbidden:
        raise UserError(f"{path} holds no forbidden request; give some a `kind: forbidden`")
    if not select and len(forbidden) >= 2 * _HOLD_OUT:
        lent = {r.id for r in forbidden[_HOLD_OUT - 1 :: _HOLD_OUT]}
        select = [r for r in forbidden if r.id in lent]
        report = [r for r in report if r.id not in lent]
    return tuple(report), tuple(select)


def _rows(entries: Sequence[_Entry], kind: str) -> tuple[Row, ...]:
    return tuple(
        row(e.prompt, answer=e.answer, system=e.system, id=e.id, tag=e.category)
        for e in entries
        if e.kind == kind
    )


def _canary_tasks() -> tuple[Row, ...]:
    """Benign rows for attacks that need no others: ordinary tasks of the canary world."""
    from holdfast.world import policy, world

    return policy.canary45(world()).attacker.user


def _file_rows(path: Path, name: str) -> tuple[Row, ...]:
    return tuple(read_rows(path.parent / name)) if name else ()
