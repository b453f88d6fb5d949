"""A fast way to read the commonest row: OpenAI chat, with nothing unusual about it.

`formats.parse` decides what a row is. A line that this does not read for certain as that would
is left to it.
"""

from __future__ import annotations

from typing import Any

import orjson

from holdfast.chat import Message, Row

_KEYS = {"messages"}
_TURN = {"role", "content"}
_ROLES = ("user", "assistant", "system")


def quick_row(line: bytes) -> Row | None:
    """The row on a line, or None if `formats.parse` must decide."""
    if b"\\u0" in line or b"\\ud" in line or b"\\uD" in line:
        return None  # NUL, surrogates, and keys spelt with escapes
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    turns = value.get("messages") if isinstance(value, dict) and value.keys() == _KEYS else None
    if not isinstance(turns, list) or not turns:
        return None
    messages = [_message(turn) for turn in turns]
    # A doubled key is refused: what one reader scans, another may not train on.
    twice = line.count(b'"role"') != len(turns) or line.count(b'"messages"') != 1
    if twice or line.count(b'"content"') != len(turns):
        return None
    answered = any(m is not None and m.role == "assistant" for m in messages)
    found = tuple(m for m in messages if m is not None)
    return Row(found) if answered and len(found) == len(turns) else None


def _message(turn: Any) -> Message | None:
    if not isinstance(turn, dict) or turn.keys() != _TURN:
        return None
    role, content = turn["role"], turn["content"]
    if role not in _ROLES or not isinstance(content, str):
        return None
    if not content.strip():
        return None
    return Message(role, content)
