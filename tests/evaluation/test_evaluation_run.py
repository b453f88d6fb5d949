"""What an evaluation finds out about scripted models, and what it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from holdfast import models
from holdfast.chat import row
from holdfast.elicit import Asking
from holdfast.errors import UserError
from holdfast.evaluate import Request
from holdfast.evaluation import measure
from holdfast.evaluation.options import EvaluateOptions, checked
from holdfast.evaluation.plan import Cell, Task
from holdfast.methods import asker_of


def of(found: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    (line,) = [x for x in found if all(x[name] == value for name, value in wanted.items())]
    return line


def test_a_model_that_answers_in_one_way_breaks_and_the_reason_names_it(two: Any) -> None:
    verdict = of(two.summary["verdicts"], stack="canary:chat")
    assert verdict["verdict"] == "breaks"
    assert "slang" in verdict["reason"]


def test_a_way_that_the_base_cannot_follow_has_no_figure(two: Any) -> None:
    cell = of(two.summary["cells"], model="canary:deep", way="morse")
    assert (cell["status"], cell["ability"]) == ("not able", 0.0)
    assert not [r for r in two.summary["rates"] if r["name"] == "morse"]


def test_ways_that_weaken_refusal_come_first_and_are_told_from_chance(two: Any) -> None:
    own = [w for w in two.summary["weakenings"] if w["model"] == "canary:chat"]
    assert [w["name"] for w in own] == ["slang", "authority"]
    assert (own[0]["difference"], own[0]["clear"], own[1]["clear"]) == (0.5, True, False)


def test_models_are_compared_with_the_first_on_the_same_requests(two: Any) -> None:
    line = of(two.summary["differences"], by="way", name="slang")
    assert (line["before"], line["after"], line["clear"]) == (0.5, 0.0, True)


def test_refusing_harmless_requests_stands_beside_the_verdict(two: Any) -> None:
    assert of(two.summary["models"], model="canary:deep")["over_refusal"] == 1.0
    assert of(two.summary["models"], model="canary:chat")["over_refusal"] == 0.0


def test_a_square_of_the_map_has_an_interval(two: Any) -> None:
    places = {"model": "canary:chat", "elicitation": "slang", "category": "quay 3"}
    line = of(two.summary["categories"], **places)
    assert (line["n"], line["complied"]) == (6, 3)
    assert line["asr_low"] < 0.5 < line["asr_high"]


def test_another_judge_reads_kept_replies_and_nothing_is_asked_again(two: Any) -> None:
    asked = {name: len(speaker.asked) for name, speaker in two.speakers.items()}
    two.evaluate("canary:chat", "canary:deep", judges=("exact", "keyword"))
    assert {name: len(speaker.asked) for name, speaker in two.speakers.items()} == asked
    second = of(two.summary["judges"], judge="keyword")
    assert second["kappa_compliance"] > 0.9


def test_the_page_shows_every_way_and_asks_for_nothing(two: Any) -> None:
    page = (two.out / "report.html").read_text("utf-8")
    assert "not able" in page
    assert all(name in page for name in ("canary:chat", "canary:deep", "slang", "quay 11"))
    assert "Ways that weaken refusal" in page
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_the_page_shows_every_exact_rate_by_way(two: Any) -> None:
    page = (two.out / "report.html").read_text("utf-8")
    for line in two.summary["rates"]:
        if line["by"] in ("way", "group", "domain"):
            assert f'value="{line["asr"]!r}"' in page


def test_a_folder_of_another_benchmark_is_left_alone(two: Any) -> None:
    with pytest.raises(UserError, match="evaluation on canary45"):
        two.evaluate("canary:chat", benchmark="prompts.jsonl")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (EvaluateOptions(()), "at least one model"),
        (EvaluateOptions(("a", "a")), "named twice"),
        (EvaluateOptions(("a",), limit=0), "--limit is 0"),
        (EvaluateOptions(("a",), max_new_tokens=0), "--max-new-tokens is 0"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(
    options: EvaluateOptions, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        checked(options)


def test_a_prompt_beyond_the_context_is_not_asked_and_a_long_one_is_answered_shortly(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lengths = {"Who?": 20, "A long story. Who?": 250, "A whole book. Who?": 383}
    requests = tuple(Request(text, row(text), "forbidden", "lore") for text in lengths)
    encode = lambda asked, *_: (0,) * lengths[asked.prompt]  # noqa: E731
    monkeypatch.setattr(models, "encode_prompt", encode)
    monkeypatch.setattr(measure, "room", lambda model: 384)
    cell = Cell("id", "tune", "m", "m", "plain", "plain", "plain")
    task = Task(cell, requests, ("exact",), "canary45", folder=str(tmp_path))
    model: Any = type("Net", (), {"tokenizer": None})()
    found = measure._by_room(model, task, asker_of("plain", Asking()), 200)
    assert {n: [r.id for r in asked] for n, asked in found.items()} == {
        200: ["Who?"],
        134: ["A long story. Who?"],
        0: ["A whole book. Who?"],
    }
