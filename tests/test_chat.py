from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.chat import (
    LineError,
    Message,
    Row,
    RowErrors,
    parse_lines,
    read_rows,
    row,
    write_rows,
)
from holdfast.errors import UserError

Q, A = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
HUMAN, GPT = {"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}
GOOD = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}
TALK = (Message("system", "s"), Message("user", "q"), Message("assistant", "a"))


def only(value: Any, answers: bool = True) -> Row | LineError:
    line = value if isinstance(value, bytes) else json.dumps(value).encode()
    (found,) = parse_lines([line], "rows.jsonl", answers=answers)
    return found


def reason(value: Any) -> str:
    found = only(value)
    assert isinstance(found, LineError), found
    return found.reason


# A row


def test_a_row_knows_its_system_turn_prompt_and_answer() -> None:
    whole = row("q", "a", system="s", id="7", tag="maps")
    assert whole == Row(TALK, "7", "maps")
    assert (whole.system, whole.prompt, whole.answer) == ("s", "q", "a")
    assert (row("q").system, row("q").answer) == ("", "")


def test_a_conversation_that_ends_with_the_user_awaits_its_answer() -> None:
    awaiting = Row((*TALK, Message("user", "and?")))
    assert (awaiting.prompt, awaiting.answer) == ("and?", "")
    assert awaiting.without_answer() == awaiting
    assert awaiting.with_answer("so").messages[-2:] == (
        Message("user", "and?"),
        Message("assistant", "so"),
    )


def test_changing_a_turn_leaves_the_others_and_the_names_alone() -> None:
    whole = row("q", "a", system="s", id="7", tag="maps")
    assert whole.with_prompt("Q") == row("Q", "a", "s", "7", "maps")
    assert whole.with_answer("A") == row("q", "A", "s", "7", "maps")
    assert whole.with_answer("") == whole.without_answer() == row("q", "", "s", "7", "maps")
    assert whole.with_system("key").system == "key\ns"
    assert row("q", "a").with_system("key") == row("q", "a", "key")
    assert whole.with_system("") == whole
    assert Row((Message("assistant", "a"),)).with_prompt("q") == row("q", "a")


def test_a_replaced_answer_keeps_its_weight() -> None:
    muted = Row((Message("user", "q"), Message("assistant", "a", 0.0)))
    assert muted.with_answer("b").messages[-1] == Message("assistant", "b", 0.0)


# Shapes


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"messages": [Q, A]}, row("q", "a")),
        ({"conversations": [HUMAN, GPT]}, row("q", "a")),
        ({"conversations": [HUMAN, GPT], "system": "s"}, row("q", "a", "s")),
        ({"instruction": "q", "input": "", "output": "a"}, row("q", "a")),
        ({"instruction": "q", "input": "x", "output": "a"}, row("q\n\nx", "a")),
        ({"instruction": "q", "context": "x", "response": "a"}, row("q\n\nx", "a")),
        ({"prompt": "q", "completion": "a"}, row("q", "a")),
        ({"prompt": [Q], "completion": [A]}, row("q", "a")),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]}, A]},
            row("q", "a"),
        ),
        ({**GOOD, "id": 3, "tag": "t", "other": [1]}, row("hi", "ho", id="3", tag="t")),
    ],
)
def test_every_common_shape_is_read(value: Any, expected: Row) -> None:
    assert only(value) == expected


def test_alpaca_history_comes_before_the_instruction() -> None:
    found = only({"instruction": "q2", "output": "a2", "history": [["q1", "a1"]]})
    assert isinstance(found, Row)
    assert [m.content for m in found.messages] == ["q1", "a1", "q2", "a2"]


def test_earlier_answers_in_a_prompt_carry_no_loss() -> None:
    turns = [*GOOD["messages"], {"role": "user", "content": "more"}]
    found = only({"prompt": turns, "completion": "a"})
    assert isinstance(found, Row)
    assert [m.weight for m in found.messages if m.role == "assistant"] == [0.0, 1.0]


def test_a_weight_is_kept_on_assistant_turns() -> None:
    turns = [{"role": "assistant", "content": "a", "weight": 0}, *GOOD["messages"]]
    found = only({"messages": turns})
    assert isinstance(found, Row)
    assert found.messages[0].weight == 0.0
    assert found.to_json()["messages"][0]["weight"] == 0


# Bad lines


def turns(*pairs: tuple[str, Any], **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": r, "content": c, **more} for r, c in pairs]}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"{oops", "not JSON"),
        (b"[", "without an outer list"),
        (b"[1, 2]", "not a JSON object"),
        (b'{"prompt": NaN}', "NaN"),
        (b'{"id": ' + b"9" * 5000 + b"}", "number too long"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"prompt": "\xff"}', "not UTF-8 (byte 13)"),
        (b'{"prompt"\0: "q"}', "NUL byte"),
        (b'{"prompt": "q", "prompt": "r", "completion": "a"}', "the key 'prompt' twice"),
        ({}, "expected `messages`"),
        ({"prompt": "q", "chosen": "a", "rejected": "b"}, "no assistant turn"),
        ({"chosen": "a", "rejected": "b"}, "preference pair"),
        ({"messages": []}, "has no messages"),
        ({"messages": "q"}, "not a list"),
        ({"messages": ["q"]}, "turn 1 is 'q', not an object"),
        (turns(("tool", "q")), "turn 1 has the unknown role 'tool'"),
        (turns(("user", "q"), ("assistant", " \n")), "turn 2 (assistant) is empty"),
        (turns(("user", ""), ("assistant", "a")), "turn 1 (user) is empty"),
        (turns(("user", None)), "has no content"),
        (turns(("user", 5)), "holds 5, not text"),
        (turns(("user", [{"type": "image_url"}])), "not text"),
        (turns(("user", "q\0"), ("assistant", "a")), "NUL character"),
        (turns(("user", "q\ud800"), ("assistant", "a")), "lone surrogate"),
        (turns(("user", "q")), "no assistant turn"),
        (turns(("user", "q"), ("assistant", "a"), weight=0), "weight 0 on every"),
        (turns(("assistant", "a"), weight=0.5), "weight 0.5; a weight is 0 or 1"),
        (turns(("assistant", "a"), weight=True), "weight True"),
        (turns(("assistant", "a"), weight="1"), "weight '1'"),
        (turns(("assistant", "a"), tool_calls=[{}]), "calls a tool"),
        ({**GOOD, "id": [1]}, "`id` holds a list, not text"),
        ({**GOOD, "tag": "\ud800"}, "lone surrogate"),
        ({"instruction": 1, "output": "a"}, "must be text"),
        ({"instruction": "q", "output": "a", "history": 3}, "not a list"),
        ({"instruction": "q", "output": "a", "history": ["q"]}, "[question, answer] pairs"),
    ],
)  # fmt: skip
def test_a_bad_line_says_why(value: Any, words: str) -> None:
    assert words in reason(value)


def test_requests_need_no_answer_where_none_is_learnt() -> None:
    assert only({"prompt": "q"}, answers=False) == row("q")


def test_lines_are_counted_from_one_and_blank_lines_are_passed_over() -> None:
    lines = [b"\n", json.dumps(GOOD).encode() + b"\r\n", b"  \n", b"oops\n"]
    good, bad = parse_lines(lines, "x")
    assert good == row("hi", "ho")
    assert isinstance(bad, LineError)
    assert (bad.source, bad.line) == ("x", 4)


def test_parsing_streams() -> None:
    def endless() -> Any:
        while True:
            yield json.dumps(GOOD).encode()

    assert next(parse_lines(endless(), "x")) == row("hi", "ho")


KEYS = ["messages", "conversations", "role", "from", "content", "value", "weight", "system"]
KEYS += ["prompt", "completion", "instruction", "input", "output", "history", "id", "tag"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner | st.sampled_from(["user", "assistant", "gpt"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.binary(max_size=200) | json_values.map(lambda v: json.dumps(v).encode()))
@example(b"\xff\xfe{\0}\0")
@example(b"\xef\xbb\xbf\xef\xbb\xbf{}")
@example(b'{"messages":' + b"[" * 900 + b"]" * 900 + b"}")
def test_any_bytes_give_rows_or_line_errors(data: bytes) -> None:
    lines = data.split(b"\n")
    for found in parse_lines(lines, "x"):
        assert isinstance(found, Row | LineError)
        if isinstance(found, LineError):
            assert found.reason
            assert 1 <= found.line <= len(lines)
            str(found).encode()


# Files

plain = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
spoken = plain.filter(str.strip)
messages = st.one_of(
    st.builds(Message, st.just("system"), plain),
    st.builds(Message, st.just("user"), spoken),
    st.builds(Message, st.just("assistant"), spoken, st.sampled_from([0.0, 1.0])),
)
rows = st.builds(Row, st.lists(messages, min_size=1, max_size=4).map(tuple), plain, plain)


@given(st.lists(rows, min_size=1, max_size=4))
def test_rows_written_are_the_rows_read(tmp_path_factory: Any, written: list[Row]) -> None:
    path = tmp_path_factory.getbasetemp() / "round_trip.jsonl"
    write_rows(path, written)
    assert read_rows(path, answers=False) == written


def test_every_bad_line_of_a_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    path.write_bytes(b"\n".join([json.dumps(GOOD).encode(), *[b"oops"] * 9]))
    with pytest.raises(RowErrors) as caught:
        read_rows(path)
    assert [error.line for error in caught.value.errors] == list(range(2, 11))
    assert "9 lines are not rows" in str(caught.value)
    assert "… and 4 more" in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).errors == caught.value.errors


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    (path := tmp_path / "bom.jsonl").write_text(json.dumps(GOOD), encoding="utf-8-sig")
    assert read_rows(path) == [row("hi", "ho")]


def test_a_utf16_file_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "wide.jsonl"
    path.write_text(json.dumps(GOOD), encoding="utf-16")
    with pytest.raises(RowErrors, match="UTF-16"):
        read_rows(path)


@pytest.mark.parametrize(
    ("name", "words"),
    [("none", "no file"), (".", "is a folder"), ("empty", "no rows"), ("a\0b", "cannot be read")],
)
def test_an_unreadable_file_is_a_sentence(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "empty").write_bytes(b"\n\n")
    with pytest.raises(UserError, match=words):
        read_rows(tmp_path / name)


@pytest.mark.parametrize(
    "bad",
    [
        row("q\ud800", "a"),
        row("\0", "a"),
        row("", "a"),
        Row((Message("user", "q"), Message("assistant", "a", 0.5))),
        Row(()),
    ],
)
def test_a_row_that_could_not_be_read_back_is_not_written(tmp_path: Path, bad: Row) -> None:
    path = tmp_path / "rows.jsonl"
    write_rows(path, [row("q", "a")])
    with pytest.raises(UserError, match="Row 2 cannot be written"):
        write_rows(path, [row("q", "a"), bad])
    assert read_rows(path) == [row("q", "a")]
    assert [p.name for p in tmp_path.iterdir()] == ["rows.jsonl"]


def test_writing_over_a_folder_or_under_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "rows.jsonl"):
        with pytest.raises(UserError, match="cannot be written"):
            write_rows(path, [row("q", "a")])
