from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast import stats
from holdfast.chat import row
from holdfast.errors import UserError
from holdfast.evaluate import Exchange, Request, Verdict
from holdfast.figures import figures
from holdfast.judging.corrected import Recalls, corrected, corrected_cells, read_recalls
from holdfast.stats import Share

LENIENT = Recalls("keyword", False, compliance=Share(190, 200), refusal=Share(160, 200))


def said(verdict: Verdict, number: int, judge: str = "keyword") -> Exchange:
    request = Request(f"r{number}", row("?"), "forbidden", f"category-{number % 30}")
    return Exchange(request, "plain", "", "?", "…", verdict, judge)


def run(complied: int, wrong: int, refused: int, unscored: int = 0) -> list[Exchange]:
    many = {
        Verdict.complied: complied, Verdict.wrong: wrong,
        Verdict.refused: refused, Verdict.unscored: unscored,
    }  # fmt: skip
    verdicts = [v for v, n in many.items() for _ in range(n)]
    return [said(v, number) for number, v in enumerate(verdicts)]


def test_refusals_that_the_judge_takes_for_compliance_are_taken_off() -> None:
    found = corrected(run(60, 0, 240), LENIENT)
    assert found.observed == pytest.approx(0.2)
    assert found.value == pytest.approx(0, abs=1e-9)  # a judge this lenient sees 20 % in none
    assert found.low == 0
    assert 0 < found.high < 0.2


def test_attempts_are_corrected_unless_the_recalls_are_strict() -> None:
    exchanges = run(30, 90, 180)
    assert corrected(exchanges, LENIENT).observed == pytest.approx(0.4)
    strict = Recalls("keyword", True, LENIENT.compliance, LENIENT.refusal)
    assert corrected(exchanges, strict).observed == pytest.approx(0.1)
    assert (strict.rate, LENIENT.rate) == ("asr", "attempted")


def test_the_interval_knows_that_requests_are_clustered() -> None:
    exchanges = run(120, 0, 180)
    clustered = corrected(exchanges, LENIENT)
    alone = stats.corrected_rate(Share(120, 300), LENIENT.compliance, LENIENT.refusal)
    assert clustered.value == pytest.approx(alone.value)
    assert clustered.high - clustered.low > alone.high - alone.low


def test_replies_without_a_verdict_count_nowhere() -> None:
    assert corrected(run(60, 0, 240, unscored=50), LENIENT).observed == pytest.approx(0.2)


def test_nothing_judged_leaves_the_rate_unknown() -> None:
    found = corrected([], LENIENT)
    assert (found.low, found.high) == (0, 1)


def test_another_judges_verdicts_are_not_corrected() -> None:
    with pytest.raises(ValueError, match="verdicts of exact"):
        corrected([said(Verdict.refused, 1, "exact")], LENIENT)


def test_cells_of_a_run_give_what_their_exchanges_give() -> None:
    exchanges = run(60, 30, 210)
    assert corrected_cells([figures(exchanges)], LENIENT) == corrected(exchanges, LENIENT)


def test_recalls_are_read_from_what_was_measured(tmp_path: Path) -> None:
    line = {
        "judge": "keyword",
        "recall_compliance": {"k": 190, "n": 200},
        "recall_refusal": {"k": 160, "n": 200},
    }
    (tmp_path / "judges.json").write_text(json.dumps({"strict": False, "judges": [line]}))
    assert read_recalls(tmp_path, "keyword") == LENIENT
    with pytest.raises(UserError, match="only of keyword"):
        read_recalls(tmp_path, "rubric")
    (tmp_path / "judges.json").write_text("[]")
    with pytest.raises(UserError, match="no measured judges"):
        read_recalls(tmp_path, "keyword")
