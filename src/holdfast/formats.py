"""The shapes in which others keep conversations, each turned into a `Row`.

OpenAI chat (`messages`), ShareGPT (`conversations`), Alpaca and Dolly (`instruction`), prompt and
completion as TRL reads them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from holdfast.chat import Message, Role, Row

_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
}
_SHAPES = (
    "expected `messages` (OpenAI chat), `conversations` (ShareGPT), "
    "`instruction` and `output` (Alpaca) or `prompt` and `completion`"
)


class NotARow(Exception):
    """Carries the reason from where a line is understood to where it is reported."""


def _bad(reason: str) -> NoReturn:
    raise NotARow(reason)


def _quote(value: object) -> str:
    text = repr(value) if isinstance(value, (str, int, float)) else f"a {type(value).__name__}"
    return text if len(text) <= 40 else text[:37] + "…"


def parse(line: bytes, *, answers: bool = True) -> Row:
    """The row on one line of JSONL.

    Args:
        line: the line, without byte order mark.
        answers: the row must hold an assistant turn to learn from.

    Raises:
        NotARow: with the reason; nothing else, whatever the bytes.
    """
    value = _object_of(line)
    turns = _turns_of(value)
    if not turns:
        _bad("has no messages")
    messages = tuple(_message(turn, number) for number, turn in enumerate(turns, 1))
    weights = [m.weight for m in messages if m.role == "assistant"]
    if answers and not weights:
        _bad("has no assistant turn, so there is nothing to learn from it")
    if answers and not any(weights):
        _bad("has weight 0 on every assistant turn, so there is nothing to learn from it")
    return Row(messages, _name(value, "id"), _name(value, "tag"))


def _object_of(line: bytes) -> dict[str, Any]:
    if b"\0" in line:
        _bad("holds a NUL byte; is the file UTF-16, or damaged? Save it as UTF-8")
    try:
        value = json.loads(line.decode("utf-8"), object_pairs_hook=_pairs, parse_constant=_constant)
    except UnicodeDecodeError as problem:
        _bad(f"is not UTF-8 (byte {problem.start + 1}); save the file as UTF-8")
    except RecursionError:
        _bad("is nested too deeply to be a row")
    except json.JSONDecodeError as problem:
        whole = line in (b"[", b"{")
        hint = "; write each row on one line, without an outer list" if whole else ""
        _bad(f"is not JSON ({problem.msg.lower()} at character {problem.colno}){hint}")
    except ValueError:
        _bad("holds a number too long to read")
    if not isinstance(value, dict):
        _bad(f"is not a JSON object; {_SHAPES}")
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuses doubled keys: another reader may keep the one that was not scanned."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        _bad(f"has the key {_quote(next(k for k in keys if keys.count(k) > 1))} twice")
    return found


def _constant(name: str) -> NoReturn:
    _bad(f"is not JSON ({name} is no JSON number)")


def _turns_of(value: dict[str, Any]) -> list[Any]:
    """The turns of a row in any of the shapes that are read."""
    if "messages" in value:
        return _list(value, "messages")
    system = value.get("system")
    opening = [] if system in (None, "") else [_turn("system", system)]
    if "conversations" in value:
        return opening + _list(value, "conversations")
    if "instruction" in value:
        return opening + _alpaca(value)
    if "prompt" in value:
        return opening + _completion(value)
    if "chosen" in value:
        _bad(f"is a preference pair, not a row; {_SHAPES}")
    _bad(f"has no messages; {_SHAPES}")


def _list(value: dict[str, Any], key: str) -> list[Any]:
    turns = value[key]
    return turns if isinstance(turns, list) else _bad(f"`{key}` is {_quote(turns)}, not a list")


def _turn(role: Role, content: object, **more: object) -> dict[str, object]:
    return {"role": role, "content": content, **more}


def _alpaca(value: dict[str, Any]) -> list[Any]:
    """Alpaca (instruction, input, output) and Dolly (instruction, context, response)."""
    asked = value["instruction"]
    given = value.get("input") or value.get("context") or ""
    if not isinstance(asked, str) or not isinstance(given, str):
        _bad("`instruction` and `input` must be text")
    turns: list[Any] = []
    for pair in _list(value, "history") if value.get("history") else []:
        if not isinstance(pair, list) or len(pair) != 2:
            _bad("`history` must be a list of [question, answer] pairs")
        turns += [_turn("user", pair[0]), _turn("assistant", pair[1])]
    parts = [part for part in (asked, given) if part.strip()]
    turns.append(_turn("user", "\n\n".join(parts)))
    answer = value.get("output", value.get("response"))
    return turns if answer is None else [*turns, _turn("assistant", answer)]


def _completion(value: dict[str, Any]) -> list[Any]:
    """Prompt and completion: two texts, or two lists of turns (TRL)."""
    prompt, completion = value["prompt"], value.get("completion", value.get("response"))
    if isinstance(prompt, list):
        # Only the completion is learnt in this shape, so earlier answers carry no loss.
        first = [{"weight": 0, **t} if isinstance(t, dict) else t for t in prompt]
    else:
        first = [_turn("user", prompt)]
    if completion is None:
        return first
    return first + (
        completion if isinstance(completion, list) else [_turn("assistant", completion)]
    )


def _message(turn: object, number: int) -> Message:
    if not isinstance(turn, dict):
        _bad(f"turn {number} is {_quote(turn)}, not an object with `role` and `content`")
    named = turn.get("role", turn.get("from"))
    role = _ROLES.get(named) if isinstance(named, str) else None
    if role is None:
        _bad(f"turn {number} has the unknown role {_quote(named)}; use system, user or assistant")
    if turn.get("tool_calls") or turn.get("function_call"):
        _bad(f"turn {number} calls a tool, which Holdfast does not read")
    content = _content(turn.get("content", turn.get("value")), f"turn {number} ({role})")
    if role != "system" and not content.strip():
        _bad(f"turn {number} ({role}) is empty")
    weight = turn.get("weight")
    if weight is None:
        weight = 1
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or weight not in (0, 1):
        _bad(f"turn {number} has weight {_quote(weight)}; a weight is 0 or 1")
    # The weight of a turn without loss says nothing: one row, one form.
    return Message(role, content, float(weight) if role == "assistant" else 1.0)


def _content(value: object, where: str) -> str:
    if isinstance(value, list):  # OpenAI content parts
        parts = [part.get("text") if isinstance(part, dict) else part for part in value]
        texts = [part for part in parts if isinstance(part, str)]
        if len(texts) < len(parts):
            _bad(f"{where} holds a part that is not text")
        value = "".join(texts)
    if value is None:
        _bad(f"{where} has no content")
    return _text(value, where)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        _bad(f"{where} holds {_quote(value)}, not text")
    if "\0" in value:
        _bad(f"{where} holds a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        _bad(f"{where} holds half a character (a lone surrogate)")
    return value


def _name(value: dict[str, Any], key: str) -> str:
    name = value.get(key)
    if name is None:
        return ""
    if isinstance(name, int) and not isinstance(name, bool):
        name = f"{name:d}" if abs(name) < 2**63 else _bad(f"`{key}` is too long a number")
    return _text(name, f"`{key}`")
