"""Replies that were stored, by us or by others, as exchanges that a judge can read.

JSONL holds one reply a line: `prompt` (text or messages) and `reply`, and optionally `id`,
`category`, `kind`, `expected`, `reference`, `decoys`, `ended`, and a label. Parquet holds the same
as columns; a run folder's `exchanges.parquet` is read with the requests of its policy, if that is
a canary world's, so that judges see the whole request again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from holdfast.chat import LineError
from holdfast.errors import UserError
from holdfast.evaluate import Exchange, Request
from holdfast.judging.labels import truth_of
from holdfast.judging.reply_shapes import (
    NotAReply,
    conversation_of,
    decoys_of,
    kind_of,
    name_of,
    object_of,
    text_of,
)

PLACE = ("model", "stack", "attack", "seed", "elicitation", "tune_id")
"""Columns of a run that say where a reply comes from; they are kept beside the verdicts."""
LABELS = ("label", "verdict")
"""Fields that may hold a label, the first one present counts."""
_SHOWN = 5
_TEXTS = ("category", "domain", "expected", "reference", "forced", "elicitation", "written")


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored reply.

    Attributes:
        id: Unique in its file.
        exchange: As judges take it, without a verdict.
        label: What the label field holds; None if there is none.
        judge: Who gave the label, if the file says so.
        place: The columns of `PLACE` that the file has.
    """

    id: str
    exchange: Exchange
    label: Any = None
    judge: str = ""
    place: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """A JSONL or parquet file of replies, or a run folder.

    Attributes:
        path: The file or folder.
        label: The field that holds labels; "" for the first of `LABELS` that is there.
        known: Requests of a run's policy by id.
    """

    path: Path
    label: str = ""
    known: Mapping[str, Request] = field(default_factory=dict)

    def read(self, labels: bool = False) -> Iterator[Stored | LineError]:
        """Every reply in order, one at a time; what is wrong with a line takes its place.

        With `labels`, a label that is not understood is wrong.
        """
        whole = self.path.suffix not in (".jsonl", ".ndjson", ".json")
        for number, found in self._read_rows() if whole else self._read_lines():
            if labels and isinstance(found, Stored):
                try:
                    truth_of(found.label)
                except ValueError as problem:
                    found = LineError(str(self.path), number, str(problem))
            yield found

    def _read_lines(self) -> Iterator[tuple[int, Stored | LineError]]:
        seen: dict[str, int] = {}
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                line = line.removeprefix(b"\xef\xbb\xbf").strip()
                if not line:
                    continue
                try:
                    found = self._stored(object_of(line), str(number))
                    _once(found.id, number, seen)
                    yield number, found
                except NotAReply as problem:
                    yield number, LineError(str(self.path), number, str(problem))

    def _read_rows(self) -> Iterator[tuple[int, Stored | LineError]]:
        seen: dict[str, int] = {}
        told: dict[str, list[int]] = {}
        for number, shape in enumerate(_rows(self.path), 1):
            shape = {key: value for key, value in shape.items() if value is not None}
            try:
                found = self._stored(shape, str(number))
                if "request_id" not in shape:
                    _once(found.id, number, seen)
            except NotAReply as problem:
                yield number, LineError(str(self.path), number, str(problem))
                continue
            replies = told.setdefault(found.id, [])
            reply = hash(found.exchange.reply)
            if reply in replies:
                continue  # a run may measure one cell for two purposes
            replies.append(reply)
            again = f"~{len(replies)}" if len(replies) > 1 else ""
            yield number, replace(found, id=found.id + again)

    def _stored(self, shape: Mapping[str, Any], number: str) -> Stored:
        texts = {name: text_of(shape, name) for name in _TEXTS}
        conversation, answer = conversation_of(shape)
        name = name_of(shape)
        request = Request(
            id=name or number,
            prompt=conversation,
            kind=kind_of(shape),
            category=texts["category"] or "all",
            domain=texts["domain"],
            expected=texts["expected"],
            reference=texts["reference"],
            decoys=decoys_of(shape),
        )
        known = self.known.get(name)
        if known is not None and known.expected == request.expected:
            request = known
        exchange = Exchange(
            request=request,
            elicitation=texts["elicitation"],
            forced=texts["forced"],
            prompt=conversation.prompt,
            reply=answer,
            ended=shape.get("ended") is not False,
            written=texts["written"],
            missing="the request was too long" if shape.get("too_long") is True else "",
        )
        place = {column: shape[column] for column in PLACE if column in shape}
        where = [place.get("tune_id") or place.get("stack"), place.get("elicitation"), name]
        full = "/".join(str(part) for part in where if part) if "request_id" in shape else name
        label = shape.get(self.label or next((n for n in LABELS if n in shape), ""))
        return Stored(full or number, exchange, label, text_of(shape, "judge"), place)


def sources(paths: Sequence[Path], label: str = "") -> list[Source]:
    """What is to be read.

    Raises:
        UserError: a path that does not exist, a folder that is no run, an unknown ending.
    """
    return [_source(path, label) for path in paths]


def check(given: Sequence[Source], labels: bool = False) -> int:
    """Reads everything once and counts the replies, so that nothing is begun on bad input.

    Args:
        given: What is to be read.
        labels: A label that is not understood is an error too.

    Raises:
        UserError: with the first bad lines and their number; or there are no replies.
    """
    errors: list[LineError] = []
    bad = n = 0
    for source in given:
        try:
            for found in source.read(labels):
                if isinstance(found, Stored):
                    n += 1
                    continue
                bad += 1
                if bad <= _SHOWN:
                    errors.append(found)
        except OSError as problem:
            reason = problem.strerror or problem
            raise UserError(f"{source.path} cannot be read ({reason}).") from problem
    if bad:
        shown = "\n".join(f"  {error}" for error in errors)
        more = f"\n  … and {bad - _SHOWN} more" if bad > _SHOWN else ""
        what = "1 line is no reply" if bad == 1 else f"{bad} lines are no replies"
        raise UserError(f"{what}; mend or remove:\n{shown}{more}")
    if not n:
        named = " and ".join(str(source.path) for source in given)
        raise UserError(f"{named} holds no replies; write one JSON object on each line.")
    return n


def _source(path: Path, label: str) -> Source:
    if path.is_dir():
        from holdfast.run_requests import requests_of

        if not (path / "exchanges.parquet").is_file():
            raise UserError(f"{path} holds no exchanges.parquet; name a finished run folder.")
        return Source(path / "exchanges.parquet", label, requests_of(path))
    if not path.is_file():
        raise UserError(f"There is no file {path}; check the path.")
    if path.suffix not in (".jsonl", ".ndjson", ".json", ".parquet"):
        raise UserError(f"{path} is neither .jsonl nor .parquet nor a run folder.")
    return Source(path, label)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                yield from batch.to_pylist()
    except pa.ArrowInvalid as problem:
        reason = str(problem).splitlines()[0]
        raise UserError(f"{path} is no parquet file ({reason}).") from problem


def _once(name: str, number: int, seen: dict[str, int]) -> None:
    before = seen.setdefault(name, number)
    if before != number:
        raise NotAReply(f"has the id {name!r} of line {before}")
