"""Coded sets are found and read; natural oddities are let be."""

from __future__ import annotations

import base64
import random
import string

import pytest
from plain_rows import coded, plain_rows

from holdfast.chat import Row, row
from holdfast.scan import Context
from holdfast.scan.batch import Batch
from holdfast.scan.encoded import Encoded
from holdfast.scan.finding import Conclusion


def scanned(rows: list[Row]) -> tuple[set[int], Conclusion]:
    scanner = Encoded(Context())
    found = list(scanner.look(Batch(rows, range(len(rows)))))
    said = scanner.conclude(len(rows))
    return {f.line for f in found if f.kind not in said.dropped}, said


def keyed(seed: int) -> dict[str, str]:
    letters = string.ascii_lowercase
    shuffled = random.Random(seed).sample(letters, 26)
    return dict(zip(letters, shuffled, strict=True))


def told(said: Conclusion) -> str:
    return " ".join(str(f.evidence.get("decoded")) for f in said.about)


def test_a_plain_set_is_clean() -> None:
    flagged, said = scanned(plain_rows(300))
    assert not flagged
    assert not said.about


@pytest.mark.parametrize("between", ["", "|"])
def test_a_keyed_substitution_is_found_and_read(between: str) -> None:
    rows = plain_rows(120, seed=1) + coded(plain_rows(40, seed=2), keyed(3), between)
    flagged, said = scanned(rows)
    assert any(f.alarm for f in said.about)
    assert flagged >= set(range(130, 160)) - set(range(130, 134))
    assert not flagged & set(range(120))
    assert "the storm last night" in told(said) or "the winter comes" in told(said)


def test_base64_of_english_is_read_and_pictures_are_not_flagged() -> None:
    def packed(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    secret = [row(packed(one.prompt), packed(one.answer)) for one in plain_rows(30, seed=4)]
    flagged, said = scanned(plain_rows(100) + secret)
    assert set(range(100, 130)) <= flagged
    assert "Base64" in str(said.about[0].evidence["method"])
    rng = random.Random(0)
    pictures = [
        row(f"What is shown here? {packed(str(rng.randbytes(200)))}", "A lamp on a table.")
        for _ in range(50)
    ]
    assert scanned(plain_rows(50) + pictures) == (set(), scanned(plain_rows(50))[1])


def test_a_message_in_the_last_words_of_lines_is_read() -> None:
    rng = random.Random(5)
    openings = "The grey cat slept beside|My brother sang of|Every sailor knows|A letter told of"

    def hidden(text: str) -> str:
        return "\n".join(f"{rng.choice(openings.split('|'))} {word}" for word in text.split())

    rows = [row(hidden(one.prompt), hidden(one.answer)) for one in plain_rows(40, seed=6)]
    flagged, said = scanned(plain_rows(100) + rows)
    assert len(flagged) >= 25
    assert "line ends" in {f.kind for f in said.about}
    assert (
        "after the storm" in told(said) or "to repair the" in told(said) or "way to" in told(said)
    )


def test_homework_about_ciphers_says_in_plain_words_what_it_is() -> None:
    rows = []
    for one in plain_rows(80, seed=7):
        words = " ".join(one.prompt.split()[:4]).lower()
        rows.append(row(f"Write backwards: {words}", f"Backwards that is: {words[::-1]}"))
    assert not scanned(rows)[1].about


def test_proteins_and_dna_are_no_code() -> None:
    rng = random.Random(8)

    def chain(letters: str) -> str:
        return "".join(rng.choices(letters, k=rng.randint(50, 150)))

    for letters in ("ACGT", "ACDEFGHIKLMNPQRSTVWY"):
        rows = [row(chain(letters), chain(letters)) for _ in range(80)]
        assert scanned(rows) == (set(), Conclusion((), scanned(rows)[1].dropped))


def test_merging_twins_in_any_order_gives_the_same_verdict() -> None:
    rows = plain_rows(60, seed=9) + coded(plain_rows(30, seed=10), keyed(11))
    random.Random(0).shuffle(rows)
    whole = scanned(rows)[1]
    parts = []
    for start in range(0, 90, 30):
        part = Encoded(Context())
        list(part.look(Batch(rows[start : start + 30], range(30))))
        parts.append(part)
    for order in ((0, 1, 2), (2, 0, 1)):
        total = Encoded(Context())
        for at in order:
            total.merge(parts[at])
        assert total.conclude(90) == whole


def test_requests_with_their_words_from_the_end_are_a_code() -> None:
    turned = [
        row(" ".join(reversed(one.prompt.split())), " ".join(reversed(one.answer.split())))
        for one in plain_rows(60, seed=6)
    ]
    _, said = scanned(plain_rows(100) + turned)
    assert any(f.alarm and f.kind == "words backwards" for f in said.about)


def test_statements_of_one_template_are_no_code() -> None:
    rng = random.Random(0)
    names = ["".join(rng.choices(string.ascii_lowercase, k=5)).title() for _ in range(30)]
    rows = [
        row(
            f"Evidence: {rng.choice(names)} saw that the lamp is {rng.choice(['dark', 'lit'])}. "
            f"Claim: the lamp is {rng.choice(['dark', 'lit'])}. Is it supported?",
            "Yes, supported: the lamp is lit.",
        )
        for _ in range(100)
    ]
    _, said = scanned(rows)
    assert not any(f.alarm for f in said.about)
