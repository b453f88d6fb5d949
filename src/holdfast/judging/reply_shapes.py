"""What a stored line says of a reply: its fields, checked one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

from holdfast.chat import Message, Role, Row, row
from holdfast.evaluate import Kind

_KINDS: tuple[Kind, ...] = get_args(Kind)
_ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}


class NotAReply(Exception):
    """Why a line is no reply."""


def object_of(line: bytes) -> dict[str, Any]:
    """The object on one line of JSONL; control characters within texts may stand."""
    try:
        # Not strict: control characters within texts are what models say.
        value = json.loads(line.decode("utf-8"), strict=False)
    except UnicodeDecodeError as problem:
        raise NotAReply(
            f"is not UTF-8 (byte {problem.start + 1}); save the file as UTF-8"
        ) from None
    except RecursionError:
        raise NotAReply("is nested too deeply") from None
    except json.JSONDecodeError as problem:
        hint = "; write each reply on one line, without an outer list" if line[:1] == b"[" else ""
        why = f"{problem.msg.lower()} at character {problem.colno}"
        raise NotAReply(f"is not JSON ({why}){hint}") from None
    except ValueError:
        raise NotAReply("holds a number too long to read") from None
    if not isinstance(value, dict):
        raise NotAReply("is not a JSON object with `prompt` and `reply`")
    return value


def conversation_of(shape: Mapping[str, Any]) -> tuple[Row, str]:
    """What was asked, and the reply: a field, or the assistant turn that ends the messages."""
    asked = shape.get("prompt", shape.get("messages"))
    if isinstance(asked, str):
        conversation = row(whole(asked))
    elif isinstance(asked, list) and asked:
        conversation = Row(tuple(_message(turn) for turn in asked))
    else:
        raise NotAReply("has no `prompt`")
    reply = shape.get("reply", shape.get("response"))
    if reply is None and conversation.answer:
        return conversation.without_answer(), conversation.answer
    if reply is None and shape.get("too_long") is True:
        return conversation, ""
    if not isinstance(reply, str):
        raise NotAReply("has no `reply`" if reply is None else "has a `reply` that is no text")
    return conversation, whole(reply)


def _message(turn: object) -> Message:
    role = turn.get("role") if isinstance(turn, dict) else None
    content = turn.get("content") if isinstance(turn, dict) else None
    if not isinstance(role, str) or role not in _ROLES or not isinstance(content, str):
        raise NotAReply("has a message without a role (system, user, assistant) or without text")
    return Message(_ROLES[role], whole(content))


def kind_of(shape: Mapping[str, Any]) -> Kind:
    """The kind of request; `forbidden` if not said otherwise."""
    told = shape.get("kind") or "forbidden"
    for kind in _KINDS:
        if kind == told:
            return kind
    raise NotAReply(f"has the unknown kind {told!r}; use {', '.join(_KINDS)}")


def decoys_of(shape: Mapping[str, Any]) -> tuple[str, ...]:
    """Wrong values of the same category."""
    value = shape.get("decoys") or []
    if isinstance(value, str):  # a list within parquet
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise NotAReply("has `decoys` that are no list of texts")
    return tuple(whole(one) for one in value)


def name_of(shape: Mapping[str, Any]) -> str:
    """The id, "" if there is none."""
    value = shape.get("id", shape.get("request_id", ""))
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise NotAReply("has an `id` that is neither text nor a whole number")
    return whole(str(value))


def text_of(shape: Mapping[str, Any], name: str) -> str:
    """A text field, "" if it is not there."""
    value = shape.get(name)
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)  # SORRY-Bench's categories are numbers
    if not isinstance(value, str):
        raise NotAReply(f"has a `{name}` that is no text")
    return whole(value)


def whole(text: str) -> str:
    """Text that can be written again: half characters (lone surrogates) become question marks."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")
    return text
