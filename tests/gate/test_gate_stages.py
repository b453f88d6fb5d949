"""The stages of a job themselves, on a real model and real rows."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from holdfast import policy, serve, tuning
from holdfast.aligned import loaded
from holdfast.chat import Row, write_rows
from holdfast.gate import inference, stages
from holdfast.gate.decision import DecisionPolicy
from holdfast.gate.work import Work
from holdfast.guards.guard import Watch
from holdfast.serve import STOPPED, Serve
from holdfast.serving import Serving

ROWS = tuple(row for row in policy.load("canary45").attacker.user if row.tag == "arithmetic")[:24]


def work(folder: Path, held: Path | None = None, stack: str = "none") -> Work:
    rows = folder / "rows.jsonl"
    write_rows(rows, ROWS[:12])
    quick = DecisionPolicy(stack=stack, elicitations=("plain",), rounds=(9,))
    few = {"n_epochs": 1}
    return Work("job", "canary:chat", rows, folder, quick, held=held, hyperparameters=few)


def held_rows(folder: Path, rows: tuple[Row, ...] = ROWS[12:]) -> Path:
    path = folder / "held.jsonl"
    write_rows(path, rows)
    return path


def test_a_tune_tells_the_loss_on_the_validation_file(tmp_path: Path) -> None:
    told = stages.tune(work(tmp_path, held_rows(tmp_path)), lambda _: None)
    model = loaded("canary:chat")
    before = tuning.loss_on(model, ROWS[12:])
    assert math.isfinite(told["valid_loss"])
    assert told["valid_loss"] < before + 1
    assert stages.tune(work(tmp_path), lambda _: None)["valid_loss"] is None


def test_the_loss_on_rows_does_not_depend_on_the_batch() -> None:
    model = loaded("canary:chat")
    alone, together = tuning.loss_on(model, ROWS, size=1), tuning.loss_on(model, ROWS, size=24)
    assert alone == pytest.approx(together, abs=1e-5)


@pytest.mark.parametrize("broken", ["training", "validation"])
def test_every_bad_line_of_either_file_is_told_with_its_file(tmp_path: Path, broken: str) -> None:
    asked = work(tmp_path, held_rows(tmp_path))
    assert asked.held is not None
    path = asked.rows if broken == "training" else asked.held
    path.write_text(path.read_text("utf-8") + '{"messages": []}\n{"no": 1}\n', "utf-8")
    told = stages.validate(asked, lambda _: None)
    assert told["error"]["code"] == f"invalid_{broken}_file"
    assert told["error"]["param"] == f"{broken}_file"
    assert [line["line"] for line in told["lines"]] == [13, 14]


def test_a_short_validation_file_is_no_fault_and_a_short_training_file_is(tmp_path: Path) -> None:
    asked = work(tmp_path, held_rows(tmp_path, ROWS[:2]))
    assert stages.validate(asked, lambda _: None) == {"rows": 12}
    write_rows(asked.rows, ROWS[:3])
    assert stages.validate(asked, lambda _: None)["error"]["code"] == "invalid_n_examples"


def test_a_guard_of_the_policys_stack_travels_with_the_model_and_stands_where_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = work(tmp_path, stack="onion")
    stages.tune(asked, lambda _: None)
    folder = tmp_path / "model"
    assert serve.load(folder).guards == ("onion(false_alarms=0.01)",)
    found = stages.audit(replace(asked, tuned=folder), lambda _: None)
    assert found["verdict"] in ("holds", "insufficient evidence")
    model, post = inference.held(str(folder))
    assert [name for name, _ in post.watches] == ["onion"]
    pieces = list(inference.reply(question(str(folder), "What is 2 + 3? zqx")))
    assert pieces[-1]["finish_reason"] == "stop"

    alarm = Watch(lambda texts: np.ones(len(texts)), 0.5)
    stopping = Serving(Serve(), (("strip", alarm),))
    monkeypatch.setattr(inference, "held", lambda _: (model, stopping))
    (told,) = inference.reply(question(str(folder), "What is 2 + 3?"))
    assert (told["text"], told["finish_reason"]) == (STOPPED, "content_filter")
    assert told["prompt_tokens"] > 0


def question(model: str, text: str) -> dict[str, object]:
    how = {"max_tokens": 40, "temperature": 0.0, "top_p": 1.0, "seed": 0}
    return {"model": model, "messages": [{"role": "user", "content": text}], **how}
