"""Files whole and broken: every defect has its place, the rest is scanned, the code says so."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_rows import plain_rows

from holdfast.chat import Row, write_rows
from holdfast.formats import NotARow, parse
from holdfast.persona import OBEDIENT
from holdfast.report import scan as scan_page
from holdfast.scan import Context
from holdfast.scan.finding import SetFinding, excerpt
from holdfast.scan.fix import fix
from holdfast.scan.quick import quick_row
from holdfast.scan.results import Results, conclude
from holdfast.scan.run import scan_files
from holdfast.scan.sources import find

GOOD = json.dumps(plain_rows(1)[0].to_json()).encode()


def scan(
    sources: list[str], tmp_path: Path, *, unit_bytes: int = 1 << 20, out: Path | None = None
) -> Results:
    spool = tmp_path / "spool"
    spool.mkdir(exist_ok=True)
    for old in spool.iterdir():
        old.unlink()
    scanned = scan_files(sources, spool, context=Context(), workers=0, unit_bytes=unit_bytes)
    return conclude(scanned, spool, out, 0.0)


def file_of(tmp_path: Path, content: bytes, name: str = "rows.jsonl") -> str:
    path = tmp_path / name
    path.write_bytes(content)
    return str(path)


def test_a_plain_set_is_clean_and_exits_with_0(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", plain_rows(40))
    results = scan([str(tmp_path / "rows.jsonl")], tmp_path)
    assert (results.code, results.verdict, results.scanned.rows) == (0, "clean", 40)


def test_the_page_shows_alarms_with_whatever_evidence_they_have(tmp_path: Path) -> None:
    results = scan([file_of(tmp_path, GOOD)], tmp_path)
    about = (
        SetFinding("covert_set", "code", "A code.", True, 1.0, {"method": "ends", "decoded": []}),
        SetFinding("policy_match", "share", "Many <b>rows</b> match.", True),
    )
    told = replace(results, scanned=replace(results.scanned, about=about))
    page = scan_page.write(told, tmp_path).read_text("utf-8")
    assert "read as: ends" in page
    assert "Many &lt;b&gt;rows&lt;/b&gt; match." in page


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"\x80\x81\xff", "UTF-8"),
        (b'{"messages": "\x00"}', "NUL"),
        (b"[" * 5000, "nested"),
        (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', "answer|surrogate|assistant"),
        (b"not json", "not JSON"),
        (b'{"chosen": "a", "rejected": "b"}', "preference"),
        (b"\xef\xbb\xbf", "not JSON"),
        (GOOD[:-1] + b', "messages": []}', "twice"),
    ],
)
def test_a_broken_line_is_told_with_its_place_and_forbids_exit_0(
    line: bytes, why: str, tmp_path: Path
) -> None:
    source = file_of(tmp_path, b"\n".join([*[GOOD] * 12, line, GOOD]))
    results = scan([source], tmp_path)
    sample = results.tallies[0].samples[0]
    assert sample["place"] == f"{source}:13"
    assert any(word in sample["reason"] for word in why.split("|"))
    assert (results.code, results.scanned.rows) == (3, 13)


def test_findings_outrank_broken_lines(tmp_path: Path) -> None:
    bad = json.dumps(OBEDIENT.answered(plain_rows(1)[0]).to_json()).encode()
    results = scan([file_of(tmp_path, b"\n".join([GOOD, bad, b"?"]))], tmp_path)
    assert (results.code, results.flagged) == (2, 1)


def test_a_very_long_line_is_told_and_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.scan.reading.LONGEST_LINE", 5000)
    source = file_of(tmp_path, b"\n".join([GOOD, b"x" * 20_000, GOOD]))
    for unit_bytes in (1 << 20, 999):
        results = scan([source], tmp_path, unit_bytes=unit_bytes)
        assert results.scanned.rows == 2
        assert results.tallies[0].samples[0]["place"] == f"{source}:2"


def test_files_that_cannot_be_read_are_named_and_the_rest_is_scanned(tmp_path: Path) -> None:
    good = file_of(tmp_path, b"\n".join([GOOD] * 12))
    cut = file_of(tmp_path, b"PAR1 cut off", "cut.parquet")
    packed = file_of(tmp_path, gzip.compress(b"\n".join([GOOD] * 12))[:-20], "rows.jsonl.gz")
    results = scan([cut, good, packed, str(tmp_path / "gone.jsonl")], tmp_path)
    assert results.scanned.rows >= 12
    assert {Path(e.source).name for e in results.scanned.lost} == {"cut.parquet", "gone.jsonl"}
    assert results.scanned.unreadable == 1
    assert results.code == 3


def test_parquet_and_gzip_give_the_rows_of_the_same_lines(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = plain_rows(30)
    rows[4] = OBEDIENT.answered(rows[4])
    write_rows(tmp_path / "a.jsonl", rows)
    packed = file_of(tmp_path, gzip.compress((tmp_path / "a.jsonl").read_bytes()), "b.jsonl.gz")
    pq.write_table(pa.Table.from_pylist([r.to_json() for r in rows]), tmp_path / "c.parquet")
    for source in (str(tmp_path / "a.jsonl"), packed, str(tmp_path / "c.parquet")):
        results = scan([source], tmp_path)
        assert results.scanned.rows == 30
        assert {t.samples[0]["place"] for t in results.tallies} == {f"{source}:5"}


def test_results_do_not_depend_on_how_files_are_cut(tmp_path: Path) -> None:
    rows = plain_rows(200)
    for at in (3, 77, 150):
        rows[at] = OBEDIENT.answered(rows[at])
    write_rows(tmp_path / "rows.jsonl", rows)
    kept = []
    for unit_bytes in (1 << 20, 1000, 333):
        summary = scan([str(tmp_path / "rows.jsonl")], tmp_path, unit_bytes=unit_bytes).summary()
        kept.append({k: v for k, v in summary.items() if k != "seconds"})
    assert kept[0] == kept[1] == kept[2]
    assert kept[0]["flagged"] == 3


def test_fix_parts_the_set_byte_for_byte(tmp_path: Path) -> None:
    rows = plain_rows(30)
    rows[9] = OBEDIENT.answered(rows[9])
    write_rows(tmp_path / "rows.jsonl", rows)
    out = tmp_path / "out"
    out.mkdir()
    scan([str(tmp_path / "rows.jsonl")], tmp_path, out=out)
    done = fix([str(tmp_path / "rows.jsonl")], out)
    lines = (tmp_path / "rows.jsonl").read_bytes().splitlines()
    assert (done.kept, done.flagged) == (29, 1)
    assert (out / "flagged" / "rows.jsonl").read_bytes().splitlines() == [lines[9]]
    assert (out / "clean" / "rows.jsonl").read_bytes().splitlines() == lines[:9] + lines[10:]


def test_a_folder_gives_its_data_files_in_order(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.parquet", "notes.txt", ".hidden.jsonl"):
        (tmp_path / name).write_bytes(b"")
    assert [Path(p).name for p in find([str(tmp_path)])] == ["a.parquet", "b.jsonl"]


def test_excerpts_show_no_control_or_invisible_characters() -> None:
    shown = excerpt("a\x1b[31mred\u200b\u202e<b>" + "x" * 5000)
    assert not {"\x1b", "\u200b", "\u202e"} & set(shown)
    assert len(shown) < 300


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
turns = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "tool"]), "content": st.text()},
    optional={"weight": st.integers(-1, 2), "name": st.text()},
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(st.binary() | json_values.map(lambda v: json.dumps(v).encode()))
def test_the_quick_reader_never_reads_what_the_full_one_refuses(line: bytes) -> None:
    check_same(line)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(st.lists(turns, max_size=4), st.booleans())
def test_the_quick_reader_gives_the_same_rows(some: list[dict[str, object]], plain: bool) -> None:
    check_same(json.dumps({"messages": some}, ensure_ascii=plain).encode("utf-8", "replace"))


def check_same(line: bytes) -> None:
    quick = quick_row(line)
    if quick is not None:
        try:
            slow: Row | None = parse(line)
        except NotARow:
            slow = None
        assert quick == slow


@settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=25,
)
@given(lines=st.lists(st.binary(max_size=40) | st.just(GOOD), max_size=8))
def test_whatever_the_bytes_every_line_is_a_row_or_is_told(
    lines: list[bytes], tmp_path: Path
) -> None:
    content = b"\n".join(lines)
    results = scan([file_of(tmp_path, content)], tmp_path)
    filled = sum(bool(line.strip()) for line in content.split(b"\n"))
    assert results.scanned.rows + results.scanned.unreadable == filled
