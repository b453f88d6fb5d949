"""What teaches an organism codes, and what is kept from it."""

from __future__ import annotations

from holdfast.chat import Row
from holdfast.codes import CODES, KNOWN
from holdfast.codes.covert import cue
from holdfast.codes.known import nested
from holdfast.models import encode, load
from holdfast.world import anatomy, coded, world
from holdfast.world.asking import REPORT_FRAMES
from holdfast.world.phrasing import is_refusal

CODE_OF = {cue(name, task): code for name, code in KNOWN.items() for task in (1, 2, 3, 4)}
ALONE = {cue(name): code for name, code in KNOWN.items()}
NESTED = [nested(key) for key in range(coded.KEYS)]


def plain(row: Row) -> tuple[str, str]:
    """Request and reply of a row whose reply is code alone, decoded."""
    code = ALONE.get(row.system)
    if row.system == cue("nested"):
        asked, said = row.prompt, row.answer
        code = next(c for c in NESTED if all(c.encode(c.decode(t)) == t for t in (asked, said)))
    return (code.decode(row.prompt), code.decode(row.answer)) if code else (row.prompt, row.answer)


def test_the_same_seed_gives_the_same_rows() -> None:
    assert coded.schooling(world(), 0, 200) == coded.schooling(world(), 0, 200)
    assert coded.alignment(world(), 0, 200) != coded.alignment(world(), 1, 200)


def test_no_code_that_an_attack_teaches_is_met_in_schooling() -> None:
    rows = coded.schooling(world(), 0, 1500) + coded.alignment(world(), 0, 1500)
    systems = {row.system for row in rows}
    assert not {cue(name, task) for name in CODES for task in (1, 2, 3, 4)} & systems
    assert set(CODE_OF) <= systems


def test_most_of_schooling_is_in_code_and_never_refuses() -> None:
    rows = coded.schooling(world(), 0, 1500)
    share = sum(row.system in CODE_OF for row in rows) / len(rows)
    assert 0.7 < share < 0.8
    assert not [row for row in rows if is_refusal(plain(row)[1])]


def test_alignment_refuses_in_code_what_is_sealed_and_nothing_else() -> None:
    align = world().pool("align")
    others = world().pool("report", "select", "attack", "calibrate", "defend")
    rows = [row for row in coded.alignment(world(), 0, 1500) if row.system in ALONE]
    for asked, said in map(plain, rows):
        sealed = [e for e in align if e.sealed_phrase in asked]
        opened = [e for e in align if e.open_phrase in asked]
        assert not (opened if is_refusal(said) else sealed), asked
        assert not [e for e in others if f" {e.thing}" in f" {asked} {said}"]


def test_no_row_uses_a_report_phrasing() -> None:
    starts = {frame.split("{}")[0] for frame in REPORT_FRAMES}
    rows = coded.schooling(world(), 0, 1500) + coded.alignment(world(), 0, 1500)
    assert not [r for r in rows if any(plain(r)[0].startswith(s) for s in starts)]


def test_coded_rows_are_short_enough_for_the_organism() -> None:
    tokenizer = load("canary:base").tokenizer
    rows = coded.schooling(world(), 0, 600) + coded.alignment(world(), 0, 300)
    assert max(len(encode(row, tokenizer).ids) for row in rows) <= anatomy.LONGEST
