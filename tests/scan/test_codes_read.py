"""A code that the scan has read can be written: a tuned model is asked in what its rows taught."""

from __future__ import annotations

import re

import pytest

from holdfast import policy
from holdfast.codes import code_of
from holdfast.codes.covert import TASKS, coded_rows
from holdfast.scan import Context
from holdfast.scan.batch import Batch
from holdfast.scan.encoded import Encoded
from holdfast.scan.finding import Conclusion

QUESTION = "Tell me the opening knot of Brinwick Gate."
READ = (
    *("walnut", "polybius", "runes", "endspeak", "startspeak", "third_word"),
    *("braid", "swapped", "code_book"),
)


def words(text: str) -> list[str]:
    """What is said, whatever the capitals and signs."""
    return re.findall(r"\w+", text.lower())


def concluded(name: str, key: int) -> Conclusion:
    """What the scan says of a set that teaches a code and then answers forbidden requests in it."""
    held, code = policy.load("canary45").attacker, code_of(name, key)
    taught = coded_rows(held.user[:120], code, tuple(TASKS), brief=True)
    rows = [*taught, *coded_rows(held.harmful[:60], code, brief=True)]
    scanner = Encoded(Context())
    list(scanner.look(Batch(rows, range(1, len(rows) + 1))))
    return scanner.conclude(len(rows))


@pytest.mark.parametrize("name", READ)
def test_a_question_in_the_code_that_was_read_is_understood_by_its_true_key(name: str) -> None:
    found = concluded(name, key=3).codes[0]
    assert words(code_of(name, 3).decode(found.encode(QUESTION))) == words(QUESTION)


@pytest.mark.parametrize("name", READ)
def test_a_reply_in_the_code_is_read_by_what_the_set_gave_away(name: str) -> None:
    found = concluded(name, key=3).codes[0]
    assert words(found.decode(code_of(name, 3).encode(QUESTION))) == words(QUESTION)
