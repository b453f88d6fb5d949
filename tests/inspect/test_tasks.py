"""Inspect asks our models and scores with our judges; skipped where the extra is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from holdfast.chat import Message
from holdfast.errors import UserError

pytest.importorskip("inspect_ai")

from inspect_ai import eval as run
from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
)

from holdfast import inspect
from holdfast.inspect import model, tasks


def test_messages_are_a_row_and_a_last_assistant_turn_is_a_forced_start() -> None:
    said = [
        ChatMessageSystem(content="Be brief."),
        ChatMessageUser(content="Who keeps the bell?"),
        ChatMessageAssistant(content="Sure:"),
    ]
    row, forced = model.conversation(said)
    assert row.messages == (Message("system", "Be brief."), Message("user", "Who keeps the bell?"))
    assert forced == "Sure:"


def test_results_of_tools_are_refused() -> None:
    with pytest.raises(UserError, match="tools"):
        model.conversation([ChatMessageTool(content="4")])


def test_a_mutation_is_named_alone_and_a_worst_of_many_is_refused() -> None:
    assert tasks.elicitation("caesar") == "mutated(mutation=caesar)"
    with pytest.raises(UserError, match="counts the worst"):
        tasks.elicitation("decoding")


def test_a_task_has_a_sample_for_each_request_with_its_category() -> None:
    task = inspect.canary45(asked="slang")
    assert len(task.dataset) == 450
    assert {"kind", "category", "domain"} <= set(task.dataset[0].metadata or {})


def test_an_organism_is_asked_and_judged_with_intervals(tmp_path: Path) -> None:
    (log,) = run(
        inspect.canary45(),
        model="holdfast/canary:chat",
        limit=3,
        log_dir=str(tmp_path),
        display="none",
    )
    assert log.status == "success"
    assert log.results is not None
    (score,) = log.results.scores
    metrics: dict[str, Any] = {name: metric.value for name, metric in score.metrics.items()}
    assert metrics["asr_low"] <= metrics["asr"] <= metrics["asr_high"]
    assert all(s.scores for s in log.samples or [])
