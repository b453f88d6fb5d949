from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from holdfast import judges
from holdfast.errors import UserError
from holdfast.evaluate import Exchange, Verdict
from holdfast.figures import line_of
from holdfast.judging import judge_replies
from holdfast.judging.judge_replies import JudgeOptions, main
from holdfast.judging.stored_replies import Stored, check, sources
from holdfast.runs import RunFolder

REFUSAL = "I cannot help with that."


def line(number: int, reply: str = REFUSAL, **more: Any) -> dict[str, Any]:
    return {"id": f"r{number}", "prompt": f"Question {number}?", "reply": reply, **more}


def written(path: Path, lines: Sequence[dict[str, Any] | bytes]) -> Path:
    whole = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines]
    path.write_bytes(b"\n".join(whole) + b"\n")
    return path


def verdicts(path: Path) -> list[dict[str, Any]]:
    return [json.loads(one) for one in path.read_text("utf-8").splitlines()]


def judge(replies: Path, *names: str, **more: Any) -> int:
    return main(JudgeOptions((replies,), names or ("keyword",), **more))


class Counting:
    """A judge that remembers what it was shown, and can be made to fail."""

    def __init__(self, name: str = "counting") -> None:
        self.name, self.shown, self.fails = name, [""], False

    def __call__(self, exchanges: Sequence[Exchange]) -> list[Verdict]:
        self.shown += [e.reply for e in exchanges]
        if self.fails:
            raise KeyboardInterrupt
        return [Verdict.refused if REFUSAL in e.reply else Verdict.complied for e in exchanges]


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    made = Counting()
    made.shown.clear()
    monkeypatch.setattr(judges, "_outside", lambda: {"counting": lambda: made})
    return made


def test_replies_are_judged_without_a_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replies = written(tmp_path / "replies.jsonl", [line(1), line(2, "Take the blue key.")])
    assert judge(replies, "keyword", "keyword-anywhere", json=True) == 0
    found = verdicts(tmp_path / "replies.verdicts.jsonl")
    assert [one["keyword"] for one in found] == ["refused", "complied"]
    assert [one["keyword-anywhere"] for one in found] == ["refused", "complied"]
    told = json.loads(capsys.readouterr().out)
    assert told["n"] == 2
    assert told["rates"][0]["refused"]["rate"] == 0.5
    assert told["agreement"][0]["kappa"] == 1


def test_the_table_names_every_judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replies = written(tmp_path / "replies.jsonl", [line(1), line(2, "Yes, here it is.")])
    judge(replies, "keyword", "keyword-start")
    shown = capsys.readouterr().out
    assert "keyword-start" in shown
    assert "50.0" in shown


def test_messages_and_a_reply_at_their_end_are_read(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Tell me."}, {"role": "assistant", "content": REFUSAL}]
    replies = written(tmp_path / "replies.jsonl", [{"messages": turns}])
    found = [one for one in sources([replies])[0].read() if isinstance(one, Stored)]
    assert found[0].exchange.reply == REFUSAL
    assert found[0].exchange.prompt == "Tell me."
    assert found[0].exchange.request.prompt.answer == ""


def test_the_exact_judge_reads_expected_values_and_decoys(tmp_path: Path) -> None:
    told = {"expected": "Amber Heron", "decoys": ["Blue Gull"]}
    replies = written(
        tmp_path / "replies.jsonl",
        [line(1, "The Amber Heron.", **told), line(2, "The Blue Gull.", **told)],
    )
    judge(replies, "exact", out=tmp_path / "out")
    found = verdicts(tmp_path / "out" / "verdicts.jsonl")
    assert [one["exact"] for one in found] == ["complied", "wrong"]


def test_too_many_replies_without_a_verdict_are_insufficient_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [line(n, expected="" if n == 0 else "x") for n in range(10)]
    replies = written(tmp_path / "replies.jsonl", lines)
    assert judge(replies, "exact") == 3  # it cannot judge without an expected value
    assert "insufficient evidence: exact" in capsys.readouterr().out


def test_control_characters_and_half_characters_break_nothing(tmp_path: Path) -> None:
    odd = [
        line(1, "\x00\x1b[31m\x07 [bold]red[/bold] \u202e\ud800 I cannot help."),
        b'{"id": "r2", "prompt": "raw\ttab\x01", "reply": "raw \x02 bell"}',
        line(3, ""),
    ]
    replies = written(tmp_path / "replies.jsonl", odd)
    assert judge(replies, "keyword", out=tmp_path / "v.parquet") == 0
    assert judge(replies, "keyword", out=tmp_path / "v.jsonl") == 0
    assert [one["keyword"] for one in verdicts(tmp_path / "v.jsonl")][2] == "incoherent"


def test_every_bad_line_is_told_in_one_error_and_nothing_is_written(tmp_path: Path) -> None:
    lines: list[dict[str, Any] | bytes] = [
        line(1), b"{not json", {"prompt": "no reply"}, line(1), line(5, kind="spooky"),
        {"reply": "no prompt"}, b"\xff\xfe", line(8, decoys=3),
    ]  # fmt: skip
    replies = written(tmp_path / "replies.jsonl", lines)
    with pytest.raises(UserError) as caught:
        judge(replies, "keyword")
    told = str(caught.value)
    assert told.startswith("7 lines are no replies")
    for reason in ("line 2: is not JSON", "line 3: has no `reply`", "line 4: has the id 'r1'"):
        assert reason in told
    assert "and 2 more" in told
    assert [path.name for path in tmp_path.iterdir()] == ["replies.jsonl"]


@pytest.mark.parametrize(
    ("names", "reason"),
    [(("keyward",), "did you mean keyword"), ((), "--judge"), (("exact", "exact"), "twice")],
)
def test_judges_that_cannot_be_are_told_before_anything_is_written(
    names: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    replies = written(tmp_path / "replies.jsonl", [line(1)])
    with pytest.raises(UserError, match=reason):
        main(JudgeOptions((replies,), names))
    assert [path.name for path in tmp_path.iterdir()] == ["replies.jsonl"]


def test_files_that_cannot_be_are_told(tmp_path: Path) -> None:
    empty = written(tmp_path / "empty.jsonl", [b""])
    for path, reason in [
        (tmp_path / "absent.jsonl", "no file"),
        (empty, "holds no replies"),
        (tmp_path, r"no exchanges\.parquet"),
    ]:
        with pytest.raises(UserError, match=reason):
            judge(path, "keyword")


def test_the_replies_themselves_are_never_written_over(tmp_path: Path) -> None:
    replies = written(tmp_path / "replies.jsonl", [line(1)])
    with pytest.raises(UserError, match="holds the replies"):
        judge(replies, "keyword", out=replies)
    other = written(tmp_path / "other.jsonl", [line(1)])
    with pytest.raises(UserError, match="no file of verdicts of ours"):
        judge(replies, "keyword", out=other)


def test_a_judge_added_later_finds_the_others_columns_kept(tmp_path: Path) -> None:
    replies = written(tmp_path / "replies.jsonl", [line(1), line(2, "Gladly: the blue key.")])
    judge(replies, "keyword")
    judge(replies, "keyword-start")
    found = verdicts(tmp_path / "replies.verdicts.jsonl")
    assert [(one["keyword"], one["keyword-start"]) for one in found] == [
        ("refused", "refused"),
        ("complied", "complied"),
    ]


def test_what_was_judged_is_not_judged_again(tmp_path: Path, counting: Counting) -> None:
    replies = written(tmp_path / "replies.jsonl", [line(1), line(2, "One."), line(3, "Two.")])
    judge(replies, "counting")
    assert len(counting.shown) == 3
    judge(replies, "counting")
    assert len(counting.shown) == 3
    written(replies, [line(1), line(2, "Changed."), line(3, "Two.")])
    judge(replies, "counting")
    assert counting.shown[3:] == ["Changed."]


def test_a_killed_run_goes_on_where_it_stopped(
    tmp_path: Path, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge_replies, "BATCH", 2)
    replies = written(tmp_path / "replies.jsonl", [line(n, f"Reply {n}.") for n in range(6)])
    batches = iter([False, True])
    whole = Counting.__call__

    def dies_second_time(self: Counting, exchanges: Sequence[Exchange]) -> list[Verdict]:
        self.fails = next(batches, False)
        return whole(self, exchanges)

    monkeypatch.setattr(Counting, "__call__", dies_second_time)
    with pytest.raises(KeyboardInterrupt):
        judge(replies, "counting")
    assert not (tmp_path / "replies.verdicts.jsonl").exists()
    counting.shown.clear()
    assert judge(replies, "counting") == 0
    assert counting.shown == [f"Reply {n}." for n in range(2, 6)]
    assert len(verdicts(tmp_path / "replies.verdicts.jsonl")) == 6
    assert not list(tmp_path.glob(".*"))


def test_a_failed_judge_is_asked_again(
    tmp_path: Path, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = written(tmp_path / "replies.jsonl", [line(1)])
    whole = Counting.__call__

    def broken(self: Counting, exchanges: Sequence[Exchange]) -> list[Verdict]:
        raise ConnectionError("no route")

    monkeypatch.setattr(Counting, "__call__", broken)
    assert judge(replies, "counting") == 3
    monkeypatch.setattr(Counting, "__call__", whole)
    assert judge(replies, "counting") == 0
    assert verdicts(tmp_path / "replies.verdicts.jsonl")[0]["counting"] == "refused"


def test_a_run_folder_is_judged_with_the_whole_requests_of_its_world(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from holdfast import policy

    asked = policy.load("canary45").requests("forbidden", 6)
    told = [
        Exchange(r, "plain", "", r.prompt.prompt, r.decoys[0], Verdict.wrong, "exact")
        for r in asked
    ]
    with RunFolder(tmp_path / "run", config={"policy": "canary45"}) as folder:
        lines = [{"tune_id": "t", "stack": "none", **line_of(e)} for e in told]
        folder.append({"id": "c"}, {"id": "d"}, exchanges=lines)
        folder.append({"id": "e"}, exchanges=lines)  # the same cell, for another purpose
        folder.finish()
    assert judge(tmp_path / "run", "exact", json=True) == 0
    found = verdicts(tmp_path / "run" / "verdicts.jsonl")
    assert len(found) == 6
    assert {one["exact"] for one in found} == {"wrong"}  # decoys are not in the run's file
    assert found[0]["stack"] == "none"
    assert json.loads(capsys.readouterr().out)["agreement"][0]["second"] == "label"


def test_rates_are_corrected_by_measured_recalls(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = {
        "judge": "keyword",
        "recall_compliance": {"k": 95, "n": 100},
        "recall_refusal": {"k": 90, "n": 100},
    }
    (tmp_path / "judges.json").write_text(json.dumps({"strict": False, "judges": [measured]}))
    lines = [line(n, REFUSAL if n % 2 else "Take the blue key.") for n in range(40)]
    replies = written(tmp_path / "replies.jsonl", lines)
    judge(replies, "keyword", "keyword-zou", recalls=tmp_path, json=True)
    (found,) = json.loads(capsys.readouterr().out)["corrected"]
    assert (found["judge"], found["of"], found["observed"]) == ("keyword", "attempted", 0.5)
    assert found["rate"] == pytest.approx((0.5 + 0.9 - 1) / (0.95 + 0.9 - 1))
    assert found["low"] < found["rate"] < found["high"]
    judge(replies, "keyword", recalls=tmp_path)
    assert "Corrected by measured recalls" in capsys.readouterr().out


def test_a_label_field_that_is_not_understood_is_told(tmp_path: Path) -> None:
    replies = written(tmp_path / "replies.jsonl", [line(1, human="maybe")])
    with pytest.raises(UserError, match="label 'maybe'"):
        judge(replies, "keyword", label="human")
    assert check(sources([replies])) == 1


def test_parquet_of_others_is_read(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"prompt": ["a?", "b?"], "response": [REFUSAL, "Sure: yes."], "category": [3, 4]}
    pq.write_table(pa.table(columns), tmp_path / "theirs.parquet")
    judge(tmp_path / "theirs.parquet", "keyword", out=tmp_path / "v.jsonl")
    found = verdicts(tmp_path / "v.jsonl")
    assert [(one["category"], one["keyword"]) for one in found] == [
        ("3", "refused"),
        ("4", "complied"),
    ]
