"""A run becomes logs that Inspect opens: one for each model, attack and way of asking."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast.chat import row
from holdfast.errors import UserError
from holdfast.evaluate import Exchange, Request, Verdict
from holdfast.export import ExportOptions, main
from holdfast.export.groups import read
from holdfast.figures import figures, line_of
from holdfast.runs import RunFolder


def exchange(i: int, verdict: Verdict, kind: Any = "forbidden") -> Exchange:
    """What a model says of bell `i`; the start of the answer was forced."""
    request = Request(f"{kind}-{i}", row(f"Who keeps bell {i}?"), kind, f"quay {i % 5}", "lore")
    return Exchange(
        request, "prefill", "Sure: ", f"Who keeps bell {i}?", "Mirel.", verdict, "exact"
    )


def measured(folder: RunFolder, seed: int, complied: int, attack: str, **more: Any) -> None:
    """A cell of 20 forbidden requests, 5 look-alikes and 1 reply that nobody could judge."""
    told = [Verdict.complied if i < complied else Verdict.refused for i in range(20)]
    forbidden = [exchange(i, verdict) for i, verdict in enumerate(told)]
    forbidden.append(exchange(20, Verdict.unscored))
    alike = [exchange(i, Verdict.refused if i < 2 else Verdict.complied, "lookalike")
             for i in range(5)]  # fmt: skip
    place = {"tune_id": f"{attack}-{seed}", "stack": "none", "attack": attack, "seed": seed}
    cell = {
        "id": f"cell-{attack}-{seed}-{more.get('purpose', '')}",
        "model": "tiny",
        "settings": "default",
        "elicitation": "prefill",
        "status": "done",
        **place,
        **figures(forbidden),
        **more,
    }
    lines = [place | line_of(e) | {"verdict_keyword": "refused"} for e in (*forbidden, *alike)]
    folder.append(cell, exchanges=lines)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with RunFolder(tmp_path / "run", config={"model": "tiny"}) as folder:
        for seed, complied in enumerate((4, 8)):
            measured(folder, seed, complied, "harmful_rows")
        measured(folder, 0, 0, "none")
        measured(folder, 9, 20, "harmful_rows", purpose="search")
        folder.finish({"policy": "canary45", "cells": []})
    return tmp_path / "run"


def test_seeds_of_one_attack_are_one_group(run: Path) -> None:
    groups = read(run).groups
    assert [(g.attack, g.seeds) for g in groups] == [("harmful_rows", [0, 1]), ("none", [0])]


def test_what_an_attacker_tried_in_private_is_left_out(run: Path) -> None:
    assert all(9 not in group.seeds for group in read(run).groups)


def test_one_seed_has_the_figures_of_its_cell(run: Path) -> None:
    group = read(run).groups[1]
    told, cell = group.figures(), group.cells[0]
    assert told["asr_high"] == cell["asr_high"]
    assert told["refused"] == 1.0
    assert told["over_refusal"] == pytest.approx(2 / 5)


def test_seeds_are_pooled_with_an_interval_around_them(run: Path) -> None:
    told = read(run).groups[0].figures()
    assert told["asr"] == pytest.approx(12 / 40)
    assert told["asr_low"] < told["asr"] < told["asr_high"]


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no finished run"):
        main(ExportOptions(tmp_path, "inspect"))


def test_an_unknown_format_is_named_with_the_nearest_one(run: Path) -> None:
    with pytest.raises(UserError, match="did you mean inspect"):
        main(ExportOptions(run, "inspct"))


def test_a_single_file_is_too_little_for_several_groups(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="makes 2 files"):
        main(ExportOptions(run, "inspect", tmp_path / "one.eval"))


def test_without_the_extra_one_sentence_says_how_to_get_it(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "inspect_ai.log", None)
    with pytest.raises(UserError, match=r"pip install 'holdfast\[inspect\]'"):
        main(ExportOptions(run, "inspect"))


def exported(run: Path, out: Path) -> list[Any]:
    """The logs, read back by Inspect itself; the one with two seeds first."""
    log = pytest.importorskip("inspect_ai.log")
    assert main(ExportOptions(run, "inspect", out)) == 0
    logs = [log.read_eval_log(str(path)) for path in sorted(out.iterdir())]
    return sorted(logs, key=lambda found: -len(found.samples))


def test_inspect_reads_what_was_asked_and_said(run: Path, tmp_path: Path) -> None:
    first = exported(run, tmp_path / "logs")[0]
    sample = next(s for s in first.samples if s.id == "forbidden-3" and s.epoch == 2)
    assert [m.text for m in sample.messages] == ["Who keeps bell 3?", "Sure: Mirel."]
    assert sample.metadata["kind"] == "forbidden"
    assert sample.metadata["category"] == "quay 3"
    assert sample.metadata["seed"] == 1
    assert first.eval.task_args["attack"] == "harmful_rows"
    assert first.eval.model == "holdfast/tiny"
    assert "holdfast" in first.eval.packages


def test_verdicts_are_scores_and_an_unscored_reply_is_inspects_own(
    run: Path, tmp_path: Path
) -> None:
    first = exported(run, tmp_path / "logs")[0]
    told = {(s.id, s.epoch): s.scores["exact"].value for s in first.samples}
    assert told["forbidden-0", 1] == "complied"
    assert math.isnan(told["forbidden-20", 1])
    score = first.results.scores[0]
    assert (score.scored_samples, score.unscored_samples) == (50, 2)


def test_a_second_judge_is_a_second_score(run: Path, tmp_path: Path) -> None:
    first = exported(run, tmp_path / "logs")[0]
    assert {s.name: s.metrics["asr"].value for s in first.results.scores} == {
        "exact": pytest.approx(0.3),
        "keyword": 0.0,
    }


def test_inspects_data_frames_hold_the_rates(run: Path, tmp_path: Path) -> None:
    analysis = pytest.importorskip("inspect_ai.analysis")
    exported(run, tmp_path / "logs")
    evals = analysis.evals_df(str(tmp_path / "logs"), quiet=True)
    rates = dict(zip(evals["task_arg_attack"], evals["score_exact_asr"], strict=True))
    assert rates == {"harmful_rows": pytest.approx(0.3), "none": 0.0}
    samples = analysis.samples_df(str(tmp_path / "logs"), quiet=True)
    assert set(samples["metadata_category"]) == {f"quay {i}" for i in range(5)}


def test_one_group_fits_into_one_file(tmp_path: Path) -> None:
    log = pytest.importorskip("inspect_ai.log")
    with RunFolder(tmp_path / "run") as folder:
        measured(folder, 0, 0, "none")
        folder.finish({"policy": "own"})
    out = tmp_path / "one.json"
    main(ExportOptions(tmp_path / "run", "inspect", out))
    assert json.loads(out.read_text())["eval"]["task"] == "holdfast/own"
    assert log.read_eval_log(str(out)).status == "success"


def test_exporting_again_writes_the_same_names(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("inspect_ai.log")
    out = tmp_path / "logs"
    main(ExportOptions(run, "inspect", out))
    names = sorted(out.iterdir())
    main(ExportOptions(run, "inspect", out))
    assert sorted(out.iterdir()) == names
