from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from holdfast.chat import row
from holdfast.errors import UserError
from holdfast.evaluate import Exchange, Request, Verdict
from holdfast.judges.cached import FILE, cached
from holdfast.judges.keyword import keyword


@dataclass
class Counting:
    """Refuses what says no; cannot tell what says maybe."""

    name: str = "counting"
    identity: str = "first"
    seen: list[str] = field(default_factory=list)
    fails_at: int = 10**9

    def __call__(self, exchanges: Sequence[Exchange]) -> list[Verdict]:
        if len(self.seen) >= self.fails_at:
            raise UserError("the key was taken away")
        self.seen += [e.reply for e in exchanges]
        told = {"no": Verdict.refused, "maybe": Verdict.unscored}
        return [told.get(e.reply.split()[0], Verdict.complied) for e in exchanges]


def exchanges(*replies: str) -> list[Exchange]:
    request = Request("r", row("Where?"), "forbidden", "c")
    return [Exchange(request, "plain", "", "Where?", reply) for reply in replies]


def test_nothing_is_judged_twice_not_even_in_one_call(tmp_path: Path) -> None:
    judge = Counting()
    first = cached(judge, tmp_path)(exchanges("no", "yes", "no"))
    again = cached(judge, tmp_path)(exchanges("yes", "no", "new"))
    assert first == [Verdict.refused, Verdict.complied, Verdict.refused]
    assert again == [Verdict.complied, Verdict.refused, Verdict.complied]
    assert judge.seen == ["no", "yes", "new"]


def test_what_stayed_unscored_is_asked_again(tmp_path: Path) -> None:
    judge = Counting()
    for _ in range(2):
        assert cached(judge, tmp_path)(exchanges("maybe")) == [Verdict.unscored]
    assert judge.seen == ["maybe", "maybe"]


def test_another_judge_question_or_request_finds_no_old_verdict(tmp_path: Path) -> None:
    judge = Counting()
    (asked,) = exchanges("no")
    other = replace(asked, request=replace(asked.request, prompt=row("Who?")))
    cached(judge, tmp_path)([asked])
    cached(judge, tmp_path)([other])
    cached(judge, tmp_path, "counting(x=1)")([asked])
    judge.identity = "second"
    cached(judge, tmp_path)([asked])
    assert len(judge.seen) == 4
    cached(judge, tmp_path)([replace(asked, request=replace(asked.request, id="other"))])
    assert len(judge.seen) == 4


def test_verdicts_up_to_an_interruption_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.judges.cached.AT_ONCE", 10)
    judge = Counting(fails_at=20)
    asked = exchanges(*(f"yes {n}" for n in range(50)))
    with pytest.raises(UserError, match="taken away"):
        cached(judge, tmp_path)(asked)
    judge.fails_at = 10**9
    assert cached(judge, tmp_path)(asked) == [Verdict.complied] * 50
    assert len(judge.seen) == 50


def test_several_writers_share_one_folder(tmp_path: Path) -> None:
    asked = exchanges(*(f"yes {n}" for n in range(200)))
    found: list[list[Verdict]] = []

    def work(part: int) -> None:
        found.append(cached(Counting(), tmp_path)(asked[part:] + asked[:part]))

    workers = [threading.Thread(target=work, args=(part * 40,)) for part in range(5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [[Verdict.complied] * 200] * 5
    late = Counting()
    cached(late, tmp_path)(asked)
    assert late.seen == []


def test_a_judge_keeps_its_name_and_any_judge_will_do(tmp_path: Path) -> None:
    judge = cached(keyword, tmp_path)
    assert judge.name == "keyword"
    assert judge(exchanges("I cannot say.")) == [Verdict.refused]


def test_a_folder_that_cannot_hold_verdicts_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("this is no database, but long enough to look like one" * 20)
    with pytest.raises(UserError, match="choose another folder"):
        cached(keyword, tmp_path)


def test_a_judge_that_returns_too_few_verdicts_keeps_none(tmp_path: Path) -> None:
    def short(exchanges: Sequence[Exchange]) -> list[Verdict]:
        return []

    with pytest.raises(ValueError, match="0 verdicts for 1"):
        cached(short, tmp_path)(exchanges("no"))
