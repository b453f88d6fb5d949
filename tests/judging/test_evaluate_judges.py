from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from holdfast import judges
from holdfast.errors import UserError
from holdfast.evaluate import Exchange, Judge, Verdict
from holdfast.judging.corrected import read_recalls
from holdfast.judging.evaluate_judges import JudgesOptions, labelled_of, main, measured
from holdfast.judging.figures import Labelled, calibration_of, figures_of
from holdfast.world import world
from holdfast.world.replies_of_policy import replies_of_policy

REFUSAL = "I cannot help with that."


@pytest.fixture(scope="module")
def told() -> list[Labelled]:
    return labelled_of(JudgesOptions(things=45))[0]


def truth(told: Sequence[Labelled]) -> list[Verdict]:
    return [Verdict(str(one.truth)) for one in told]


def written(path: Path, lines: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return path


def test_a_judge_that_is_always_right_agrees_wholly(told: list[Labelled]) -> None:
    found = figures_of(told, truth(told))
    assert found["kappa"]["value"] == 1
    assert found["kappa"]["low"] < 1
    assert found["recall_refusal"]["value"] == found["recall_compliance"]["value"] == 1
    assert not any(line["missed"] + line["alarms"] for line in found["by_category"])


def test_a_judge_that_calls_everything_refused_agrees_by_chance(told: list[Labelled]) -> None:
    found = figures_of(told, [Verdict.refused] * len(told))
    assert found["kappa"]["value"] == pytest.approx(0)
    assert found["recall_refusal"]["value"] == 1
    assert found["recall_compliance"]["value"] == 0


def test_a_wrong_answer_is_compliance_unless_strict(told: list[Labelled]) -> None:
    lenient = [Verdict.complied if v == Verdict.wrong else v for v in truth(told)]
    assert figures_of(told, lenient)["kappa"]["value"] == 1
    assert figures_of(told, lenient, strict=True)["kappa"]["value"] < 0.8


def test_unscored_exchanges_are_counted_and_in_no_rate(told: list[Labelled]) -> None:
    verdicts = truth(told)
    verdicts[:10] = [Verdict.unscored] * 10
    found = figures_of(told, verdicts)
    assert found["n_unscored"] == 10
    assert found["kappa"]["value"] == 1
    assert found["recall_compliance"]["n"] + found["recall_refusal"]["n"] == len(told) - 10


def test_confusion_tells_the_four_verdicts_apart(told: list[Labelled]) -> None:
    confusion = figures_of(told, [Verdict.refused] * len(told))["confusion"]
    assert set(confusion) == {"complied", "wrong", "refused", "incoherent"}
    assert confusion["wrong"]["refused"] == 2 * 45


def test_the_judge_never_sees_the_label(told: list[Labelled]) -> None:
    assert {one.exchange.verdict for one in told} == {Verdict.unscored}
    said = replies_of_policy(world(1), 45)
    assert [one.truth for one in told] == [e.verdict for e in said]


def test_scores_that_are_the_share_of_compliance_are_calibrated(told: list[Labelled]) -> None:
    positive = [one.truth in (Verdict.complied, Verdict.wrong) for one in told]
    share = sum(positive) / len(positive)
    found = calibration_of(told, [share] * len(told))
    assert found is not None
    assert found["ece"] == pytest.approx(0)
    assert len(found["bins"]) == 1
    sure = calibration_of(told, [float(p) for p in positive])
    assert sure is not None
    assert (sure["ece"], sure["brier"], sure["auroc"]["value"]) == (0, 0, 1)
    wrong = calibration_of(told, [1 - float(p) for p in positive])
    assert wrong is not None
    assert wrong["ece"] == 1


def test_replies_without_a_score_are_left_out_of_the_calibration(told: list[Labelled]) -> None:
    assert calibration_of(told, [None] * len(told)) is None
    with pytest.raises(ValueError, match="no probability"):
        calibration_of(told, [2.0] * len(told))


def test_money_is_told_where_the_judge_counts_it(told: list[Labelled]) -> None:
    class Costly:
        name = "costly"
        usage = SimpleNamespace(cost=1.0)

        def __call__(self, exchanges: Sequence[Exchange]) -> list[Verdict]:
            self.usage.cost += 0.01 * len(exchanges)
            return [Verdict.refused] * len(exchanges)

    assert measured("costly", Costly(), told)["cost_per_1000"] == pytest.approx(10)
    assert measured("keyword", judges.judge_named("keyword"), told)["cost_per_1000"] is None


def test_scores_that_fail_cost_the_calibration_only(told: list[Labelled]) -> None:
    class Half:
        name = "half"

        def __call__(self, exchanges: Sequence[Exchange]) -> list[Verdict]:
            return [Verdict.refused] * len(exchanges)

        def scores(self, exchanges: Sequence[Exchange]) -> list[float | None]:
            raise ConnectionError("no route")

    found = measured("half", Half(), told)
    assert found["calibration"] is None
    assert found["kappa"]["value"] == pytest.approx(0)


def test_it_works_with_nothing_at_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = JudgesOptions(("exact", "keyword"), things=9, out=tmp_path / "out")
    assert main(options) == 0
    assert "refuse, then" in capsys.readouterr().out
    kept = json.loads((tmp_path / "out" / "judges.json").read_text())
    assert [line["judge"] for line in kept["judges"]] == ["exact", "keyword"]
    assert kept["n"] == 9 * 12
    page = (tmp_path / "out" / "judges.md").read_text("utf-8")
    assert "| keyword |" in page
    assert read_recalls(tmp_path / "out", ("keyword",))["keyword"].compliance.n == 54


def test_zero_and_one_are_labels_of_fulfilment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        {"prompt": "a?", "reply": REFUSAL, "human": 0},
        {"prompt": "b?", "reply": "Take the key.", "human": 1},
        {"prompt": "c?", "reply": "No way.", "human": "0"},
        {"prompt": "d?", "reply": "Hm.", "human": None},
    ]
    file = written(tmp_path / "labelled.jsonl", lines)
    options = JudgesOptions(("keyword",), (file,), label="human", json=True)
    assert main(options) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["n"] == 3
    assert told["left_out"] == {"no label": 1}
    line = told["judges"][0]
    assert line["confusion"]["not fulfilled"] == {
        "complied": 1, "wrong": 0, "refused": 1, "incoherent": 0, "unscored": 0,
    }  # fmt: skip
    assert line["recall_refusal"]["k"] == 1


def test_labels_that_are_not_understood_are_told(tmp_path: Path) -> None:
    file = written(tmp_path / "labelled.jsonl", [{"prompt": "a?", "reply": "b", "label": "meh"}])
    with pytest.raises(UserError, match="line 1: has the label 'meh'"):
        main(JudgesOptions(("keyword",), (file,)))
    file = written(tmp_path / "labelled.jsonl", [{"prompt": "a?", "reply": "b"}])
    with pytest.raises(UserError, match="has a label"):
        main(JudgesOptions(("keyword",), (file,)))


def test_what_another_judge_said_is_not_taken_for_the_truth(tmp_path: Path) -> None:
    line = {"prompt": "a?", "reply": "b", "verdict": "refused", "judge": "keyword"}
    file = written(tmp_path / "replies.jsonl", [line])
    with pytest.raises(UserError, match="not the truth"):
        main(JudgesOptions(("keyword",), (file,)))
    assert main(JudgesOptions(("keyword",), (file,), label="verdict")) == 0


def test_tasks_are_left_out(tmp_path: Path) -> None:
    lines = [
        {"prompt": "a?", "reply": REFUSAL, "label": "refused"},
        {"prompt": "b?", "reply": "4", "label": "complied", "kind": "utility"},
    ]
    file = written(tmp_path / "labelled.jsonl", lines)
    assert labelled_of(JudgesOptions(labelled=(file,)))[1] == {"tasks": 1}


def test_a_judge_that_cannot_be_made_by_its_name_alone_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def made(spec: str) -> Judge:
        if spec == "far":
            raise UserError("name a model")
        return judge_named(spec)

    judge_named = judges.judge_named
    monkeypatch.setattr(judges, "judges", lambda: dict.fromkeys(("keyword", "far")))
    monkeypatch.setattr(judges, "judge_named", made)
    assert main(JudgesOptions(things=3, json=True)) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["skipped"] == {"far": "name a model"}
    assert [line["judge"] for line in told["judges"]] == ["keyword"]
