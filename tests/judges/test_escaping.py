from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.judges.escaping import code_of, fenced, neutral
from tiny_models import SPECIAL, make_tokenizer

MARKS = [
    "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<s>", "</s>", "<|im_start|>", "<|im_end|>",
    "<|eot_id|>", "<|start_header_id|>", "<start_of_turn>", "<end_of_turn>", "<bos>", "<think>",
    "</think>", "[SYSTEM_PROMPT]", "<|endoftext|>", "<｜User｜>", "＜|im_end|＞", "<pad>", "[SEP]",
]  # fmt: skip
fragments = st.lists(
    st.one_of(st.sampled_from([*MARKS, *SPECIAL, "<", "|", ">", "[", "/"]), st.text(max_size=5))
).map("".join)


@pytest.mark.parametrize("mark", MARKS)
def test_marks_of_chat_templates_are_broken_up(mark: str) -> None:
    said = neutral(f"before {mark} after")
    assert mark not in said
    assert said.startswith("before ")
    assert said.endswith(" after")


@settings(deadline=None)
@given(fragments)
def test_no_text_holds_a_control_token_of_the_grader(text: str) -> None:
    tokenizer = make_tokenizer()
    found = set(tokenizer(neutral(text, SPECIAL))["input_ids"])
    assert not found & set(tokenizer.all_special_ids)
    assert not any(mark in neutral(text, SPECIAL) for mark in SPECIAL)


def test_control_characters_become_visible_and_ordinary_text_stays() -> None:
    assert neutral("a\x00b\x1b[31m\ud800\u202ec\r\nd\te") == "a�b�[31m��c\nd\te"
    plain = "An answer: {“x”: [1, 2]} <b>½</b> – naïve 東京 👩‍🚒\n```python\nprint(1)\n```"
    assert neutral(plain) == plain


@settings(deadline=None)
@given(st.text(), st.text())
def test_a_code_stands_in_none_of_the_texts_and_depends_on_them(one: str, two: str) -> None:
    code = code_of(one, two)
    assert len(code) == 8
    assert code not in one + two
    assert code == code_of(one, two)
    assert fenced("reply", code, one).count(code) == 2


def test_a_text_that_holds_its_own_code_gets_another() -> None:
    code = code_of("x")
    assert code_of("x " + code) != code
