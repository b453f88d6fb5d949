"""`holdfast probe` on the shipped organism, and what it says when it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast import cli
from holdfast.errors import UserError
from holdfast.verbs.probe import keep


def test_findings_are_printed_as_json_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["probe", "canary:chat", "--probe", "overlap(samples=4, score=wanda)"]
    assert cli.run([*words, "--json", "--out", str(tmp_path / "run")]) == 0
    printed = json.loads(capsys.readouterr().out)
    kept = json.loads((tmp_path / "run" / "probes.json").read_text("utf-8"))
    assert printed.pop("file") == str(tmp_path / "run" / "probes.json")
    assert printed == kept
    assert kept["against"] == "canary:base"
    (found,) = kept["probes"]
    assert (found["probe"], found["settings"]["samples"]) == ("overlap", 4)
    assert len(found["figures"]["jaccard"]) == 28


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["canary:chat", "--probe", "token_deep"], "did you mean 'token_depth'?"),
        (["canary:chat", "--probe", "overlap(q=1)"], "overlap cannot take 1 for q"),
        (["nowhere/at/all", "--probe", "overlap"], "There is no model folder nowhere/at/all"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["probe", *words]) == 1
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert said in told[0]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(UserError, match="choose another folder"):
        keep({}, tmp_path / "file")
