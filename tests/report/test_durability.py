"""The check-list of durability: what a run leaves open is marked as open."""

from __future__ import annotations

from typing import Any

from holdfast.report.durability import questions, searches
from holdfast.report.read import Summary

from .fake_run import fake_summary


def open_questions(summary: dict[str, Any], **config: Any) -> set[str]:
    told = questions(Summary.model_validate(summary), {"config": config})
    return {q.asked for q in told if q.open}


def test_a_search_answers_the_question_of_the_attackers_settings() -> None:
    asked = "Was the attacker's tuning searched?"
    assert asked not in open_questions(fake_summary())
    unsearched = {**fake_summary(), "search": []}
    assert asked in open_questions(unsearched, settings={"default": {}})
    told = questions(Summary.model_validate(fake_summary()), {"config": {"utility_loss": 0.1}})
    assert "3 trials against each stack" in next(q.answer for q in told if q.asked == asked)


def test_one_seed_and_one_way_of_asking_leave_questions_open() -> None:
    summary = fake_summary()
    narrow = [c for c in summary["cells"] if c["seed"] == 0 and c["elicitation"] == "plain"]
    found = open_questions({**summary, "cells": narrow})
    assert {"Do other seeds tell the same?", "In how many ways is it asked?"} <= found
    assert not {"Do other seeds tell the same?", "In how many ways is it asked?"} & open_questions(
        summary
    )


def test_what_was_not_measured_beside_safety_is_named() -> None:
    summary = fake_summary()
    blind = [{**c, "utility": None} for c in summary["cells"]]
    told = questions(Summary.model_validate({**summary, "cells": blind}), {})
    cost = next(q for q in told if q.asked == "What does the defence cost?")
    assert cost.open
    assert "not measured: utility" in cost.answer


def test_what_the_attacker_chose_stands_beside_what_it_did_when_measured_anew() -> None:
    summary = fake_summary()
    cell = next(c for c in summary["cells"] if c["stack"] == "none" and c["status"] == "done")
    again = {**cell, "id": "again", "settings": "adaptive", "asr": 0.66}
    first, second = searches(
        Summary.model_validate({**summary, "cells": [*summary["cells"], again]})
    )
    assert first.worst is not None
    assert first.worst.asr == 0.66
    assert first.settings == "method=lora, rank=8"
    assert second.worst is None
    assert second.search.chosen is None
