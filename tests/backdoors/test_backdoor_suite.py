"""`holdfast audit --suite backdoor`: attackers, filters and guards in one report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holdfast import cli
from holdfast.backdoors.cell import STEPS, Case, curve, run
from holdfast.backdoors.suite import BackdoorSuite, suite_of
from holdfast.errors import UserError
from holdfast.report.backdoors import attacks_of

SMALL = [
    "--set",
    'texts={"attacks": [], "filters": [], "guards": []}',
    "--set",
    'images={"attacks": ["patch(rate=0.05)"], "filters": ["label_neighbours"], '
    '"guards": ["strip(copies=10)"]}',
    "--set",
    "seeds=[3]",
    "--workers",
    "0",
]


def test_a_case_says_what_an_attack_does_and_what_each_method_makes_of_it() -> None:
    case = Case("images", "patch(rate=0.05)", 3, ("label_neighbours",), ("strip(copies=10)",))
    found = run(case)
    assert found.figures["success"] > 0.8
    assert found.figures["floor"] < 0.1
    assert found.figures["accuracy"] > 0.9
    assert 0 <= found.filters["label_neighbours"]["false_removal"] < 0.2
    roc = found.guards["strip(copies=10)"]["roc"]
    assert len(roc) == len(STEPS)
    assert roc == sorted(roc)
    assert found.guards["strip(copies=10)"]["separation"] > 0.9
    rows = np.array(found.map)
    assert rows[:, 3].sum() == round(0.05 * 1_078)
    assert rows[:, :2].min() >= 0
    assert rows[:, :2].max() <= 1


def test_the_suite_keeps_its_cells_and_writes_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    command = ["audit", "--suite", "backdoor", *SMALL, "--out", str(out)]
    assert cli.run(command) == 0
    first = (out / "cells.jsonl").read_bytes()
    page = (out / "report.html").read_text("utf-8")
    assert "patch(" in page
    assert "<svg" in page
    capsys.readouterr()
    assert cli.run([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["kind"] == "backdoors"
    assert len(told["cells"]) == 1
    assert (out / "cells.jsonl").read_bytes() == first
    assert cli.run(["report", str(out), "--out", str(tmp_path / "again.html")]) == 0
    assert (tmp_path / "again.html").read_text("utf-8") == page


def test_a_plan_names_every_cell_and_runs_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert cli.run(["audit", "--suite", "backdoor", "--plan", "--out", str(out)]) == 0
    assert capsys.readouterr().out.count("seed 10") == 7
    assert not out.exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["canary:chat"], "no use for MODEL"),
        (["--stack", "none"], "no use for --stack"),
        (["--adaptive"], "no use for --adaptive"),
        (["--set", "seeds=[]"], "seeds"),
        (["--set", "sedes=[1]"], "sedes"),
        (["--set", 'images.attacks=["pach"]'], "pach"),
        (["--set", 'texts.filters=["cubes (encoder)"]'], "cubes"),
    ],
)
def test_what_the_suite_cannot_do_is_said_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    out = tmp_path / "run"
    assert cli.run(["audit", "--suite", "backdoor", "--out", str(out), *more]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_a_run_folder_that_holds_no_backdoors_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "summary.json").write_text('{"kind": "backdoors"}')
    assert cli.run(["report", str(tmp_path)]) == 1
    assert "run the audit again" in capsys.readouterr().err


def test_every_case_of_the_shipped_suite_can_be_built() -> None:
    assert suite_of(None, []) == BackdoorSuite()
    with pytest.raises(UserError):
        suite_of(Path("none.yaml"), [])


def a_cell(seed: int, left: float, accuracy: float = 0.98, unjudged: str = "") -> dict[str, Any]:
    judged = {"recall": 0.9, "false_removal": 0.01, "success": left, "accuracy": accuracy}
    return {
        "case": {"ground": "texts", "attack": "rare_word", "seed": seed},
        "figures": {"accuracy": 0.99, "clean_accuracy": 0.99, "success": 0.9, "floor": 0.0},
        "filters": {"cube": {"unjudged": unjudged} if unjudged else judged},
        "guards": {},
        "map": [],
    }


@pytest.mark.parametrize(
    ("cells", "stops"),
    [
        ([a_cell(0, 0.01), a_cell(1, 0.05)], True),
        ([a_cell(0, 0.01), a_cell(1, 0.06)], False),  # one seed is enough to fail
        ([a_cell(0, 0.01, accuracy=0.9)], False),  # it costs too much
        ([a_cell(0, 0.01), a_cell(1, 0.0, unjudged="one mode")], False),  # no verdict is no stop
    ],
)
def test_a_method_stops_an_attack_only_in_every_seed_and_at_little_cost(
    cells: list[dict[str, Any]], stops: bool
) -> None:
    attack = attacks_of(cells)[0]
    assert bool(attack.stopped_by) == stops


def test_a_roc_curve_never_falls_and_counts_only_alarms_above_the_limit() -> None:
    clean = np.arange(100.0)
    assert curve(clean, clean + 1_000) == [1.0] * len(STEPS)
    same = curve(clean, clean)
    assert same == sorted(same)
    assert all(abs(share - step) <= 0.011 for share, step in zip(same, STEPS, strict=True))
    assert curve(np.zeros(50), np.zeros(50))[:-1] == [0.0] * (len(STEPS) - 1)
