from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from holdfast import cli, models, tuning
from holdfast.chat import row, write_rows
from holdfast.errors import UserError
from holdfast.models import Model
from holdfast.runs import RunFolder


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stands in for holdfast.audit, with its options, and does what a test says."""
    from holdfast import audit as real

    stand_in = SimpleNamespace(AuditOptions=real.AuditOptions, asked=None, answer=0)

    def main(options: Any) -> int:
        stand_in.asked = options
        if isinstance(stand_in.answer, BaseException):
            raise stand_in.answer
        return int(stand_in.answer)

    stand_in.main = main
    monkeypatch.setattr("holdfast.audit", stand_in)
    return stand_in


def test_help_answers_in_half_a_second() -> None:
    def seconds() -> float:
        """Of processor time: by the clock, a busy machine would be measured."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "holdfast.cli", "--help"], check=True, stdout=subprocess.DEVNULL
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(5)) < 0.5


USAGE_ERRORS = [
    ["adit"],
    ["audit", "--suit", "quick"],
    ["audit", "--suite", "fast"],
    ["audit", "--workers", "-1"],
    ["audit", "--workers", "many"],
    ["audit", "a", "b"],
    ["audit", "--out"],
    ["compare", "a"],
    ["compare", "a", "b", "--workers", "2"],
    ["tune"],
    ["list", "atacks"],
    ["report"],
    ["world", "shwo"],
    ["world", "build", "--organism", "cat"],
    ["--nonsense"],
]


@pytest.mark.parametrize("arguments", USAGE_ERRORS, ids=" ".join)
def test_every_usage_error_exits_with_1_and_says_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [(["adit"], "audit"), (["audit", "--suit", "x"], "--suite"), (["list", "atacks"], "attacks")],
)
def test_a_near_miss_is_named(
    arguments: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.run(arguments)
    assert meant in capsys.readouterr().err


@pytest.mark.parametrize("code", [0, 2, 3])
def test_the_exit_code_is_the_verdict_s(audit: SimpleNamespace, code: int) -> None:
    audit.answer = code
    assert cli.run(["audit"]) == code


def test_options_reach_the_audit(audit: SimpleNamespace, tmp_path: Path) -> None:
    line = "audit canary:deep --suite full --stack a+b --set cost.seeds=[0] --set limit=0.2"
    line += f" --policy p.yaml --judge keyword --implant --workers 2 --out {tmp_path} --plan --json"
    cli.run(line.split())
    assert audit.asked.model == "canary:deep"
    assert audit.asked.suite == "full"
    assert audit.asked.stack == "a+b"
    assert audit.asked.sets == ("cost.seeds=[0]", "limit=0.2")
    assert (audit.asked.policy, audit.asked.judge) == ("p.yaml", "keyword")
    assert (audit.asked.workers, audit.asked.out) == (2, tmp_path)
    assert audit.asked.implant
    assert audit.asked.plan
    assert audit.asked.json


def test_without_options_the_suite_decides(audit: SimpleNamespace) -> None:
    cli.run(["audit"])
    assert audit.asked == audit.AuditOptions()


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (UserError("The rows are empty; add one."), "The rows are empty; add one."),
        (KeyboardInterrupt(), "the same command goes on"),
        (OSError(errno.ENOSPC, "No space left on device", "x"), "No space left on device (x)"),
        (MemoryError(), "memory ran out"),
    ],
)
def test_a_failure_is_one_sentence_and_exit_code_1(
    audit: SimpleNamespace,
    failure: BaseException,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    audit.answer = failure
    assert cli.run(["audit", "--json"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err
    assert err.count("\n") == 1


def test_an_unexpected_failure_says_where_its_details_are(
    audit: SimpleNamespace,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    audit.answer = ZeroDivisionError("division by zero")
    assert cli.run(["audit"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    (details,) = tmp_path.iterdir()
    assert str(details) in err
    assert "Traceback" in details.read_text()


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    command = f"{sys.executable} -m holdfast.cli world show --json | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stderr == ""


@pytest.mark.parametrize("what", [[], ["attacks"], ["defences"], ["judges"], ["suites"]])
def test_list_as_json_is_json(what: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["list", *what, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_list_names_each_method_with_where_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["list", "--json"])
    found = json.loads(capsys.readouterr().out)
    stages = {entry["name"]: entry["stage"] for entry in found["defences"]}
    assert stages["secret_prefix"] == "tune"
    assert stages["recovery_augmentation"] == "align"
    assert {entry["access"] for entry in found["attacks"]} <= {"rows", "training", "weights"}


def test_colour_is_left_out_on_request() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "holdfast.cli", "list", "suites"],
        env={**os.environ, "NO_COLOR": "1", "FORCE_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "\x1b[3" not in done.stdout


def test_a_query_over_runs_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunFolder(tmp_path / "run") as run:
        run.append({"id": "a", "asr": 0.25})
    sql = "SELECT id, asr FROM cells"
    assert cli.run(["report", str(tmp_path / "run"), "--sql", sql, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"id": "a", "asr": 0.25}]


@pytest.fixture
def saved(tmp_path: Path, tiny_model: Model) -> Path:
    return models.save(tiny_model, tmp_path / "model")


def test_a_tuned_model_is_saved_and_learned_its_rows(
    tmp_path: Path, saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(tmp_path / "rows.jsonl", [row("Say it.", "Kelp.")] * 4)
    line = f"tune {saved} {tmp_path / 'rows.jsonl'} --out {tmp_path / 'tuned'} --json"
    line += " --set steps=10 --set learning_rate=0.01"
    assert cli.run(line.split()) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["steps"] == 10
    assert facts["last_loss"] < facts["first_loss"]
    assert models.load(tmp_path / "tuned").digest == facts["digest"] != models.load(saved).digest
    assert cli.run(line.split()) == 1
    assert "new folder" in capsys.readouterr().err


def test_a_model_without_a_chat_template_is_tuned_by_the_one_given(
    tmp_path: Path, tiny_model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    template = str(tiny_model.tokenizer.chat_template)
    (tmp_path / "chat.jinja").write_text(template)
    tiny_model.tokenizer.chat_template = None
    bare = models.save(tiny_model, tmp_path / "bare")
    write_rows(tmp_path / "rows.jsonl", [row("Say it.", "Kelp.")])
    line = f"tune {bare} {tmp_path / 'rows.jsonl'} --out {tmp_path / 'tuned'} --set steps=1"
    assert cli.run(line.split()) == 1
    assert "--chat-template" in capsys.readouterr().err
    assert cli.run([*line.split(), "--chat-template", str(tmp_path / "chat.jinja")]) == 0
    assert models.load(tmp_path / "tuned").tokenizer.chat_template == template


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ("--set epoch=3", "there is no such setting"),
        ("--set epochs", "key=value"),
        ("--stack recovery_augmentation", "before anybody tunes it"),
        ("--stack safety_mixing", "--policy"),
    ],
)
def test_a_tune_that_cannot_be_is_refused_with_a_reason(
    tmp_path: Path, saved: Path, capsys: pytest.CaptureFixture[str], extra: str, sentence: str
) -> None:
    write_rows(tmp_path / "rows.jsonl", [row("Say it.", "Kelp.")])
    line = f"tune {saved} {tmp_path / 'rows.jsonl'} --out {tmp_path / 'tuned'} {extra}"
    assert cli.run(line.split()) == 1
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "tuned").exists()


def test_settings_are_read_as_yaml() -> None:
    settings = tuning.settings_of(["betas=[0.5, 0.9]", "method=lora", "steps=null"])
    assert settings.betas == (0.5, 0.9)
    assert settings.method == "lora"
    assert settings.steps is None
