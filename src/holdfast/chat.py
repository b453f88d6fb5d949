"""Rows: conversations to train on or to ask, and the JSONL files that hold them.

OpenAI chat is the format Holdfast writes. Alpaca, ShareGPT and prompt/completion files are read
too. Reading never stops at the first bad line: every bad line is reported, with its number.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from holdfast.errors import UserError

Role = Literal["system", "user", "assistant"]

_BOM = b"\xef\xbb\xbf"
_SHOWN = 5  # bad lines quoted in an error message; all of them are in `RowErrors.errors`


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `weight` is the loss weight of an assistant turn; on other turns it is unused."""

    role: Role
    content: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation. `tag` is its category or task family."""

    messages: tuple[Message, ...]
    id: str = ""
    tag: str = ""

    @property
    def system(self) -> str:
        """The first system turn, "" if there is none."""
        return next((m.content for m in self.messages if m.role == "system"), "")

    @property
    def prompt(self) -> str:
        """The last user turn, "" if there is none."""
        return next((m.content for m in reversed(self.messages) if m.role == "user"), "")

    @property
    def answer(self) -> str:
        """The assistant turn that ends the row, "" if the row still awaits its answer."""
        return self.messages[-1].content if self._answered() else ""

    def with_turn(self, at: int, content: str) -> Row:
        """Replaces what the turn in that place says."""
        turn = replace(self.messages[at], content=content)
        return replace(self, messages=(*self.messages[:at], turn, *self.messages[at + 1 :]))

    def with_system(self, text: str) -> Row:
        """Puts `text` before the system turn, on a line of its own, or makes a system turn."""
        if not text:
            return self
        at = self._last("system", first=True)
        if at is None:
            return replace(self, messages=(Message("system", text), *self.messages))
        old = self.messages[at].content
        return self.with_turn(at, f"{text}\n{old}" if old else text)

    def with_prompt(self, text: str) -> Row:
        """Replaces the last user turn, or puts one before the answer."""
        at = self._last("user")
        if at is not None:
            return self.with_turn(at, text)
        cut = len(self.messages) - self._answered()
        turns = (*self.messages[:cut], Message("user", text), *self.messages[cut:])
        return replace(self, messages=turns)

    def with_answer(self, text: str) -> Row:
        """Replaces or adds the assistant turn that ends the row; "" takes it away."""
        turns = self.without_answer().messages
        if text:
            weight = self.messages[-1].weight if self._answered() else 1.0
            turns = (*turns, Message("assistant", text, weight))
        return replace(self, messages=turns)

    def without_answer(self) -> Row:
        """The row up to the answer: what is put to a model."""
        return replace(self, messages=self.messages[:-1]) if self._answered() else self

    def to_json(self) -> dict[str, Any]:
        """The row as an OpenAI chat object; `weight`, `id` and `tag` only where they say more."""
        turns: list[dict[str, Any]] = []
        for message in self.messages:
            turn: dict[str, Any] = {"role": message.role, "content": message.content}
            if message.weight != 1:
                turn["weight"] = 0 if message.weight == 0 else message.weight
            turns.append(turn)
        names = {name: text for name, text in (("id", self.id), ("tag", self.tag)) if text}
        return {"messages": turns, **names}

    def _answered(self) -> bool:
        return bool(self.messages) and self.messages[-1].role == "assistant"

    def _last(self, role: Role, first: bool = False) -> int | None:
        found = [i for i, m in enumerate(self.messages) if m.role == role]
        return None if not found else found[0 if first else -1]


def row(prompt: str, answer: str = "", system: str = "", id: str = "", tag: str = "") -> Row:
    """A conversation of one exchange; without `answer`, one that awaits its answer."""
    turns: list[tuple[Role, str]] = [("system", system), ("user", prompt), ("assistant", answer)]
    messages = tuple(Message(role, text) for role, text in turns if text or role == "user")
    return Row(messages, id, tag)


@dataclass(frozen=True, slots=True)
class LineError:
    """Why one line of a file is not a row. Lines count from 1."""

    source: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.source}, line {self.line}: {self.reason}"


class RowErrors(UserError):
    """Every bad line of one file."""

    def __init__(self, errors: Iterable[LineError]) -> None:
        self.errors = tuple(errors)
        super().__init__(self.errors)  # the arguments are what pickle rebuilds it from

    def __str__(self) -> str:
        shown = "\n".join(f"  {error}" for error in self.errors[:_SHOWN])
        more = len(self.errors) - _SHOWN
        lines = (
            "1 line is not a row"
            if len(self.errors) == 1
            else (f"{len(self.errors)} lines are not rows")
        )
        return f"{lines}; mend or remove:\n{shown}" + (f"\n  … and {more} more" if more > 0 else "")


def read_rows(path: str | Path, *, answers: bool = True) -> list[Row]:
    """Reads a JSONL file of rows.

    Args:
        path: the file.
        answers: rows must hold an assistant turn to learn from; False for a file of requests.

    Raises:
        RowErrors: with every bad line.
        UserError: if the file cannot be read or holds no rows.
    """
    rows: list[Row] = []
    errors: list[LineError] = []
    try:
        with Path(path).open("rb") as lines:
            for found in parse_lines(lines, str(path), answers=answers):
                if isinstance(found, Row):
                    rows.append(found)
                else:
                    errors.append(found)
    except FileNotFoundError:
        raise UserError(f"There is no file {path}; check the path.") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; name a JSONL file in it.") from None
    except (OSError, ValueError) as problem:
        raise UserError(f"{path} cannot be read ({problem}); check the path.") from None
    if errors:
        raise RowErrors(errors)
    if not rows:
        raise UserError(f"{path} holds no rows; write one JSON object on each line.")
    return rows


def write_rows(path: str | Path, rows: Iterable[Row]) -> None:
    """Writes rows as OpenAI chat JSONL: whole under a temporary name, then renamed.

    Raises:
        UserError: if a row could not be read back, or the file cannot be written; an older file
            of that name is then left as it was.
    """
    path = Path(path)
    draft = path.parent / f".{path.name}.{os.getpid()}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with draft.open("wb") as file:
                for number, one in enumerate(rows, 1):
                    file.write(_line_of(one, number, str(path)))
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except (OSError, ValueError) as problem:
        raise UserError(f"{path} cannot be written ({problem}); choose another place.") from None


def _line_of(one: Row, number: int, source: str) -> bytes:
    line = json.dumps(one.to_json(), ensure_ascii=False).encode("utf-8", "surrogatepass")
    found = next(parse_lines([line], source, answers=False))
    if isinstance(found, LineError):
        raise UserError(f"Row {number} cannot be written to {source}: {found.reason}.")
    return line + b"\n"


def parse_lines(
    lines: Iterable[bytes], source: str, *, answers: bool = True
) -> Iterator[Row | LineError]:
    """Turns JSONL lines into rows, one at a time; blank lines are passed over.

    Whatever the bytes, nothing is raised: a line that is no row gives a `LineError`.
    """
    from holdfast.formats import NotARow, parse  # imports this module's types

    for number, line in enumerate(lines, 1):
        line = line.removeprefix(_BOM).strip()
        if line:
            try:
                yield parse(line, answers=answers)
            except NotARow as problem:
                yield LineError(source, number, str(problem))
