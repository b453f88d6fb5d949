"""The whole chain on real rows and the shipped organism, a few steps long."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from holdfast import chain, cli, compare, tuning
from holdfast.chain import ChainOptions, judged
from holdfast.chat import read_rows, write_rows
from holdfast.errors import UserError
from holdfast.policy import load

HOLDS = {"verdict": "holds", "reason": "0% complied"}
BREAKS = {"verdict": "breaks", "reason": "80% complied"}


@pytest.fixture(autouse=True)
def few_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "REQUESTS", {"forbidden": 60, "lookalike": 6, "utility": 6})


@pytest.fixture
def options(tmp_path: Path) -> ChainOptions:
    write_rows(tmp_path / "plain.jsonl", load("canary45").attacker.user[:24])
    return ChainOptions(
        data=tmp_path / "plain.jsonl",
        sets=("steps=2", "learning_rate=1e-5"),
        out=tmp_path / "run",
        json=True,
    )


@pytest.fixture
def poisoned(options: ChainOptions, tmp_path: Path) -> ChainOptions:
    policy = load("canary45")
    rows = (*policy.attacker.user[:24], *policy.attacker.harmful[:6])
    write_rows(tmp_path / "poisoned.jsonl", rows)
    return replace(options, data=tmp_path / "poisoned.jsonl")


def told(options: ChainOptions) -> dict[str, Any]:
    assert options.out is not None
    found: dict[str, Any] = json.loads((options.out / "summary.json").read_text("utf-8"))
    return found


def test_clean_rows_end_in_a_model_with_its_card_and_evidence(options: ChainOptions) -> None:
    assert chain.main(options) == 0
    assert options.out is not None
    assert told(options)["verdict"] == "holds"
    card = (options.out / "model" / "README.md").read_text("utf-8")
    assert "**holds**" in card
    assert "24 of plain.jsonl" in card
    for evidence in ("scan/report.html", "scan/card.md", "compare/exchanges.parquet"):
        assert (options.out / evidence).is_file(), evidence


def test_flagged_rows_stop_the_run_before_anything_is_tuned(poisoned: ChainOptions) -> None:
    assert chain.main(poisoned) == 2
    assert poisoned.out is not None
    assert told(poisoned)["verdict"] == "findings"
    assert not (poisoned.out / "model").exists()


def test_flagged_rows_can_be_left_out(poisoned: ChainOptions) -> None:
    chain.main(replace(poisoned, flagged="drop"))
    assert poisoned.out is not None
    left = read_rows(poisoned.out / "scan" / "clean" / "poisoned.jsonl")
    assert told(poisoned)["tune"]["rows"] == len(left)
    forbidden = {row.prompt for row in load("canary45").attacker.harmful[:6]}
    assert not forbidden & {row.prompt for row in left}


def test_a_model_that_was_tuned_on_flagged_rows_is_never_said_to_hold(
    poisoned: ChainOptions,
) -> None:
    assert chain.main(replace(poisoned, flagged="keep")) == 3
    assert "scan warns" in told(poisoned)["reason"]
    assert judged({"verdict": "findings", "reason": ""}, BREAKS, "keep") == BREAKS
    assert judged({"verdict": "clean", "reason": ""}, HOLDS, "keep") == HOLDS


def test_an_interrupted_run_goes_on_where_it_stopped(
    options: ChainOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tuning.tuned_and_saved

    def interrupted(_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "tuned_and_saved", interrupted)
    with pytest.raises(KeyboardInterrupt):
        chain.main(options)
    monkeypatch.setattr(tuning, "tuned_and_saved", real)
    monkeypatch.setattr(chain, "scan", interrupted)  # it is done, and must not be done again
    assert chain.main(options) == 0
    monkeypatch.setattr(tuning, "tuned_and_saved", interrupted)
    before = told(options)
    assert chain.main(options) == 0
    assert told(options) == before


def test_a_folder_of_another_run_is_left_alone(options: ChainOptions, tmp_path: Path) -> None:
    chain.main(options)
    with pytest.raises(UserError, match="other rows, models or settings"):
        chain.main(replace(options, stack="safety_mixing"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="is not a run"):
        chain.main(replace(options, out=tmp_path / "mine"))


def test_what_cannot_be_is_said_before_anything_runs(options: ChainOptions) -> None:
    for changes, word in (
        ({"flagged": "burn"}, "stop, drop or keep"),
        ({"data": Path("nowhere.jsonl")}, "nowhere.jsonl cannot be read"),
        ({"stack": "wishful_thinking"}, "no method"),
    ):
        with pytest.raises(UserError, match=word):
            chain.main(replace(options, **changes))  # type: ignore[arg-type]
    assert options.out is not None
    assert not options.out.exists()


def test_the_command_line_says_that_rows_are_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["run", "nowhere.jsonl"]) == 1
    assert "nowhere.jsonl cannot be read" in capsys.readouterr().err
