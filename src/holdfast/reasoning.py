"""The reasoning mode: a model thinks between `<think>` and `</think>`, then answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OPEN, CLOSE = "<think>", "</think>"

THINK = f"Think the request through between {OPEN} and {CLOSE}, then give your answer."
"""System turn that asks for the mode, where a world has none of its own."""


def system_of(settings: Mapping[str, Any]) -> str:
    """The system turn that asks for thinking: the cell's `reasoning`, or a general one."""
    return str(settings.get("reasoning", THINK))


def reasoned(thought: str, answer: str) -> str:
    """A reply in the reasoning mode."""
    return f"{OPEN} {thought} {CLOSE} {answer}"


def trace_of(reply: str) -> str:
    """What was thought; "" where nothing was.

    Some chat templates open the thinking themselves, so the reply may lack the first mark.
    """
    before, closed, _ = reply.partition(CLOSE)
    if not closed and OPEN not in reply:
        return ""
    return before.rpartition(OPEN)[2].strip()


def answer_of(reply: str) -> str:
    """What was said to the user: all after the thinking, "" where that was never ended."""
    _, closed, after = reply.partition(CLOSE)
    if closed:
        return after.strip()
    return "" if OPEN in reply else reply
