"""Untrusted text in a grader's prompt: it can be read there, but cannot steer."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable

# Marks of the chat templates in use; a tokenizer turns them into control tokens.
_MARKUP = re.compile(
    r"<[|｜][^<>|｜\n]{1,64}[|｜]>|<</?sys>>|\[/?[A-Z][A-Z_]{2,24}\]"
    r"|</?(?:s|bos|eos|pad|unk|mask|sep|cls|think|thought|system|user|assistant|human|model|tool"
    r"|start_of_turn|end_of_turn|im_start|im_end|end_of_text|endoftext|eot|eom)>",
    re.IGNORECASE,
)
# Control characters but tab and newline, and those that reverse the direction of what is read.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
_BREAKS = re.compile("\r\n?|\u2028|\u2029|\x85|\x0b|\x0c")


def code_of(*texts: str) -> str:
    """Eight hex digits that depend on the texts and stand in none of them."""
    for turn in range(1000):
        written = json.dumps([turn, *texts])
        code = hashlib.sha256(written.encode()).hexdigest()[:8]
        if not any(code in text for text in texts):
            return code
    raise ValueError("a text holds a thousand codes")  # nobody writes one by accident


def fenced(name: str, code: str, text: str) -> str:
    """The text between two lines that hold the code."""
    return f"---- {name} {code} ----\n{text}\n---- end of {name} {code} ----"


def neutral(text: str, special: Iterable[str] = ()) -> str:
    """The text with control tokens broken up and control characters replaced.

    Args:
        text: of anybody's making.
        special: what the grader's tokenizer takes for control tokens.
    """
    said = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", _BREAKS.sub("\n", text))
    folded = unicodedata.normalize("NFKC", said)
    marks = [mark for mark in special if len(mark) > 1 and not mark.isspace()]
    if folded != said and (_MARKUP.search(folded) or any(mark in folded for mark in marks)):
        said = folded  # some tokenizers fold letters first and would find a mark then
    said = _MARKUP.sub(lambda found: _broken(found[0]), said)
    for mark in sorted(marks, key=len, reverse=True):
        said = said.replace(mark, _broken(mark))
        while mark in said:  # the pieces make up another one
            said = said.replace(mark, "\N{REPLACEMENT CHARACTER}")
    return said


def _broken(mark: str) -> str:
    return f"{mark[0]} {mark[1:]}"
