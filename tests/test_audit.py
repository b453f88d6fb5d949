from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from holdfast import aligned, audit, cells, plan, show
from holdfast.audit import AuditOptions
from holdfast.audit_config import AuditConfig, configure
from holdfast.cost import next_rows
from holdfast.errors import UserError
from holdfast.hooks import Attack, Streams
from holdfast.methods import attack_of, stack_of, why_not
from holdfast.report import html
from scripted import install, scripted_policy

SMALL = {
    "stacks": ["none", "safety_mixing"],
    "attacks": ["harmful_rows"],
    "elicitations": ["plain"],
    "seeds": [0, 1],
    "customer": {"rows": 20},
    "depths": [],
    "cost": {"stacks": ["none"], "grid": [1, 2, 4, 8], "seeds": [0, 1]},
    "model": "scripted",
}


def options(folder: Path, **changes: Any) -> AuditOptions:
    file = folder / "audit.yaml"
    file.write_text(json.dumps({**SMALL, **changes}))
    return AuditOptions(config=file, workers=0, out=folder / "run")


def summary(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "run" / "summary.json").read_text())
    return told


@pytest.fixture
def tunes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []
    install(monkeypatch, done)
    monkeypatch.setattr(html, "write_report", lambda folder: None)
    return done


def test_an_audit_says_what_breaks_and_what_holds(tunes: list[str], tmp_path: Path) -> None:
    code = audit.main(options(tmp_path))
    told = {v["stack"]: v for v in summary(tmp_path)["verdicts"]}
    assert code == 2
    assert told["none"]["verdict"] == "breaks"
    assert told["safety_mixing"]["verdict"] == "holds"
    assert told["none"]["worst_cell"] in {c["id"] for c in summary(tmp_path)["cells"]}


def test_the_exit_code_is_that_of_the_stack_asked_for(tunes: list[str], tmp_path: Path) -> None:
    wanted = options(tmp_path)
    assert audit.main(AuditOptions(**{**vars(wanted), "stack": "safety_mixing"})) == 0


def test_cost_to_break_is_the_fewest_rows(tunes: list[str], tmp_path: Path) -> None:
    audit.main(options(tmp_path))
    (cost,) = summary(tmp_path)["cost_to_break"]
    assert (cost["stack"], cost["rows"], cost["budget"]) == ("none", 4, 8)
    assert cost["flops"] > 0
    assert {p["rows"] for p in summary(tmp_path)["curves"]} <= {1, 2, 4, 8}


def test_the_cell_that_decided_is_shown_though_only_the_cost_search_met_it(
    tunes: list[str], tmp_path: Path
) -> None:
    # The attack's one row does nothing; four and eight, tried for the cost alone, break.
    audit.main(options(tmp_path, attacks=["harmful_rows(rows=1)"]))
    (verdict,) = [v for v in summary(tmp_path)["verdicts"] if v["stack"] == "none"]
    (cell,) = [c for c in summary(tmp_path)["cells"] if c["id"] == verdict["worst_cell"]]
    assert (verdict["verdict"], cell["purpose"]) == ("breaks", "cost")
    assert sum(c["purpose"] == "cost" for c in summary(tmp_path)["cells"]) == 1


def test_a_report_that_cannot_be_written_does_not_fail_a_finished_audit(
    tunes: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def failing(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(html, "write_report", failing)
    assert audit.main(options(tmp_path)) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert f"holdfast report {tmp_path / 'run'}" in err


def test_a_plan_says_that_implanting_comes_first_and_teaches_nothing(
    tunes: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))
    wanted = vars(options(tmp_path)) | {"implant": True, "plan": True}
    assert audit.main(AuditOptions(**wanted)) == 0
    assert "Implanting comes first: scripted" in capsys.readouterr().out
    assert tunes == []
    assert not (tmp_path / "cache").exists()


def test_an_implanted_model_keeps_its_name_in_the_report() -> None:
    config = AuditConfig(model="/cache/implants/1f/chat", called="./my-model, implanted")
    assert config.title == "./my-model, implanted"
    assert audit.default_folder(config).name.endswith("my-model--implanted")


def test_a_finished_cell_is_never_run_again(tunes: list[str], tmp_path: Path) -> None:
    audit.main(options(tmp_path))
    first, many = summary(tmp_path), len(tunes)
    audit.main(options(tmp_path))
    assert len(tunes) == many
    assert summary(tmp_path) == first


def test_an_audit_killed_half_way_goes_on_to_the_same_numbers(
    tunes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "whole").mkdir()
    audit.main(options(tmp_path / "whole"))
    many = len(tunes)
    tunes.clear()
    work = cells.run_tune
    left = [3]

    def dying(task: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return work(task)

    monkeypatch.setattr(cells, "run_tune", dying)
    with pytest.raises(KeyboardInterrupt):
        audit.main(options(tmp_path))
    monkeypatch.setattr(cells, "run_tune", work)
    audit.main(options(tmp_path))
    assert len(tunes) == many
    one, other = summary(tmp_path), summary(tmp_path / "whole")
    for table in (one["cells"], other["cells"]):
        for cell in table:
            del cell["asked_seconds"]
    assert one == other


def test_a_pair_that_the_policy_has_no_rows_for_is_not_applicable(
    tunes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = replace(scripted_policy(), attacker=Streams(), defender=Streams(), customer=())
    monkeypatch.setattr(aligned, "policy_of", lambda spec, judge: bare)
    assert audit.main(options(tmp_path)) == 3
    told = summary(tmp_path)
    reasons = {c["reason"] for c in told["cells"] if c["status"] == "n/a"}
    assert any("rows" in reason for reason in reasons)
    assert tunes == []
    assert told["cost_to_break"] == []
    assert {v["verdict"] for v in told["verdicts"]} == {"insufficient evidence"}
    assert "rows" in told["verdicts"][0]["reason"]


def test_an_attack_and_a_defence_that_exclude_one_another_are_not_applicable(
    tunes: list[str], tmp_path: Path
) -> None:
    pairs = {"stacks": ["none", "constrained_sft"], "attacks": ["reverse_preference(rows=9)"]}
    audit.main(options(tmp_path, **pairs))
    told = summary(tmp_path)["cells"]
    seen = {(c["stack"], c["status"]) for c in told if c["attack"].startswith("reverse")}
    assert seen == {("none", "done"), ("constrained_sft", "n/a")}
    (reason,) = {c["reason"] for c in told if c["status"] == "n/a"}
    assert "reverse_preference and constrained_sft cannot be stacked" in reason
    assert "'loss'" in reason


def test_two_defences_that_exclude_one_another_are_an_error(
    tunes: list[str], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="avoid_critical and freeze cannot be stacked"):
        audit.main(options(tmp_path, stacks=["none", "avoid_critical+freeze"]))


def test_an_organism_that_stands_for_a_defence_is_named_and_part_of_the_ids(
    tunes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deep(config: Any, align: str) -> str:
        return "canary:deep" if align == "recovery_augmentation" else ""

    monkeypatch.setattr(aligned, "shipped", deep)
    audit.main(options(tmp_path, stacks=["none", "recovery_augmentation"]))
    by_stack = {c["stack"]: c["model"] for c in summary(tmp_path)["cells"]}
    assert by_stack == {"none": "scripted", "recovery_augmentation": "canary:deep"}
    config = configure({"model": "scripted"})
    ids = {
        plan.tune_for(
            config,
            plan.Digests("m", "", "p", {"recovery_augmentation": weights}),
            "recovery_augmentation",
            "harmful_rows",
            0,
        ).tune_id
        for weights in ("one", "other")
    }
    assert len(ids) == 2


def test_a_leaked_secret_is_an_attack_only_where_a_defence_keeps_one() -> None:
    leaked = attack_of("harmful_rows(knows_secret=true)")
    assert "secret" in why_not(leaked, stack_of("safety_mixing"))
    assert why_not(leaked, stack_of("safety_mixing+secret_prefix")) == ""


def test_an_attack_on_the_weights_is_not_applicable_to_defences_of_tuning() -> None:
    class OnWeights(Attack):
        kind: str = "on_weights"
        access = "weights"

    assert "safety_mixing" in why_not(OnWeights(), stack_of("safety_mixing"))
    assert why_not(OnWeights(), stack_of("none")) == ""


def test_a_stack_with_one_defence_twice_is_refused() -> None:
    with pytest.raises(UserError, match="twice"):
        stack_of("safety_mixing+safety_mixing")


def test_the_id_of_a_tune_follows_from_all_that_determines_it() -> None:
    config = configure({"model": "scripted"}, sets=["stacks=[none]", "customer.rows=0"])
    digests = plan.Digests("m", "", "p")
    tune = plan.tune_for(config, digests, "none", "harmful_rows", 0)
    same = plan.tune_for(config, digests, "none", "harmful_rows", 0)
    assert tune == same
    others = [
        plan.tune_for(config, plan.Digests("other", "", "p"), "none", "harmful_rows", 0),
        plan.tune_for(config, plan.Digests("m", "", "other"), "none", "harmful_rows", 0),
        plan.tune_for(config, digests, "safety_mixing", "harmful_rows", 0),
        plan.tune_for(config, digests, "none", "harmful_rows(rows=11)", 0),
        plan.tune_for(config, digests, "none", "harmful_rows", 1),
    ]
    assert len({t.tune_id for t in [tune, *others]}) == 6


def test_cells_of_one_tune_share_its_id() -> None:
    config = configure({"model": "scripted"})
    tune = plan.tune_for(config, plan.Digests("m", "", "p"), "none", "identity_shift", 0)
    assert {c.tune_id for c in tune.cells} == {tune.tune_id}
    assert len({c.id for c in tune.cells}) == len(tune.cells)
    assert "persona" in {c.elicitation for c in tune.cells}


def test_settings_of_the_user_weigh_more_than_the_suite() -> None:
    config = configure({"suite": "quick"}, sets=["cost.grid=[1, 4]", "measure.forbidden=45"])
    assert config.cost.grid == (1, 4)
    assert config.measure.forbidden == 45
    assert config.measure.utility == 60


@pytest.mark.parametrize("text", ["nonsense=1", "measure.nonsense=1", "seeds=many", "seeds"])
def test_a_mistyped_setting_is_one_sentence(text: str) -> None:
    with pytest.raises(UserError) as told:
        configure({}, sets=[text])
    assert "\n" not in str(told.value)


def test_bisection_finds_the_fewest_rows() -> None:
    grid = [1, 2, 4, 8, 16, 32, 64]
    tried: dict[int, float] = {}
    while wanted := next_rows(tried, grid, "bisect", 0.1):
        tried |= {rows: 0.9 if rows >= 16 else 0.0 for rows in wanted}
    assert {8, 16} <= tried.keys()
    assert len(tried) <= 4


def test_names_with_brackets_are_printed_as_they_are() -> None:
    console = Console(record=True, width=200)
    stack = "none[/red]"
    cell = {"stack": stack, "attack": "rows([1])", "elicitation": "plain", "status": "done"}
    verdict = {"stack": stack, "verdict": "holds", "reason": "see [bold]rules[/bold]"}
    cost = {"stack": stack, "attack": "rows([1])", "rows": 4, "low": 2, "high": 8, "budget": 8}
    summary = {"cells": [cell | {"asr": 0.5}], "verdicts": [verdict], "cost_to_break": [cost]}
    show.print_summary(summary, console)
    told = console.export_text()
    assert told.count(stack) == 3
    assert told.count("rows([1])") == 2
    assert "see [bold]rules[/bold]" in told


def test_the_base_is_asked_only_in_ways_that_it_might_not_understand() -> None:
    config = AuditConfig(
        attacks=("identity_shift", "harmful_rows"),
        elicitations=("plain", "suffix", "soft_prompt", "quantised", "mutated(mutation=morse)"),
    )
    made = plan.make_plan(config, plan.Digests(model="m", base="b", policy="p", shipped={}))
    (ability,) = [tune for tune in made.tunes if tune.purpose == "ability"]
    assert [cell.elicitation for cell in ability.cells] == ["mutated(mutation=morse)", "persona"]
