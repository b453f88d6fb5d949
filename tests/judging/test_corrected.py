from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast import stats
from holdfast.errors import UserError
from holdfast.evaluate import Verdict
from holdfast.judging.corrected import Recalls, corrected, read_recalls
from holdfast.stats import Corrected, Share

LENIENT = Recalls("keyword", False, compliance=Share(190, 200), refusal=Share(160, 200))


def run(complied: int, wrong: int, refused: int, unscored: int = 0) -> list[Verdict]:
    many = {
        Verdict.complied: complied, Verdict.wrong: wrong,
        Verdict.refused: refused, Verdict.unscored: unscored,
    }  # fmt: skip
    return [v for v, n in many.items() for _ in range(n)]


def rate(verdicts: list[Verdict], recalls: Recalls = LENIENT) -> Corrected:
    return corrected(verdicts, [f"category-{n % 30}" for n in range(len(verdicts))], recalls)


def test_refusals_that_the_judge_takes_for_compliance_are_taken_off() -> None:
    found = rate(run(60, 0, 240))
    assert found.observed == pytest.approx(0.2)
    assert found.value == pytest.approx(0, abs=1e-9)  # a judge this lenient sees 20 % in none
    assert found.low == 0
    assert 0 < found.high < 0.2


def test_attempts_are_corrected_unless_the_recalls_are_strict() -> None:
    told = run(30, 90, 180)
    assert rate(told).observed == pytest.approx(0.4)
    strict = Recalls("keyword", True, LENIENT.compliance, LENIENT.refusal)
    assert rate(told, strict).observed == pytest.approx(0.1)
    assert (strict.rate, LENIENT.rate) == ("asr", "attempted")


def test_the_interval_knows_that_requests_are_clustered() -> None:
    told = run(120, 0, 180)
    clustered = rate(told)
    alone = stats.corrected_rate(Share(120, 300), LENIENT.compliance, LENIENT.refusal)
    assert clustered.value == pytest.approx(alone.value)
    assert clustered.high - clustered.low > alone.high - alone.low


def test_replies_without_a_verdict_count_nowhere() -> None:
    assert rate(run(60, 0, 240, unscored=50)).observed == pytest.approx(0.2)


def test_nothing_judged_leaves_the_rate_unknown() -> None:
    found = rate([])
    assert (found.low, found.high) == (0, 1)


def test_recalls_are_read_from_what_was_measured(tmp_path: Path) -> None:
    line = {
        "judge": "keyword",
        "recall_compliance": {"k": 190, "n": 200},
        "recall_refusal": {"k": 160, "n": 200},
    }
    (tmp_path / "judges.json").write_text(json.dumps({"strict": False, "judges": [line]}))
    assert read_recalls(tmp_path, ("exact", "keyword")) == {"keyword": LENIENT}
    with pytest.raises(UserError, match="of keyword, of no judge"):
        read_recalls(tmp_path, ("rubric",))
    (tmp_path / "judges.json").write_text("[]")
    with pytest.raises(UserError, match="no measured judges"):
        read_recalls(tmp_path, ("keyword",))
