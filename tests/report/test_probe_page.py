"""The page of a probe shows every finding as words, picture and table, whatever the names hold."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from holdfast.errors import UserError
from holdfast.probes.looking import Found, Plot, Point, Table
from holdfast.report import probe

STRANGE = "<b>layers</b> & 'more'"
FOUND = Found(
    said=(f"Refusal hangs on {STRANGE}.",),
    tables=(Table("By layer", ("layer", "share"), ((STRANGE, "41%"),)),),
    plots=(
        Plot(
            "Along tokens", "lines", "token", "nats", tuple(Point("KL", n, n / 7) for n in range(9))
        ),
        Plot(
            "By matrix",
            "bars",
            "matrix",
            "shared",
            (Point("weights", STRANGE, 0.41), Point("ranks", STRANGE, 0.07)),
            share=True,
        ),
        Plot("Nothing to draw", "lines", "x", "y", ()),
    ),
)


def told(*found: Found) -> dict[str, object]:
    probes = [
        {"probe": f"probe{n}", "settings": {"q": 0.5}, **asdict(f)} for n, f in enumerate(found)
    ]
    return {
        "model": STRANGE, "against": None, "policy": "canary45", "limit": 90, "seed": 0,
        "probes": probes,
    }  # fmt: skip


def page(folder: Path, *found: Found) -> str:
    (folder / "probes.json").write_text(json.dumps(told(*found)), "utf-8")
    return probe.write(folder).read_text("utf-8")


def test_words_pictures_and_tables_are_all_there(tmp_path: Path) -> None:
    text = page(tmp_path, FOUND, FOUND)
    assert text.count("<figcaption>Along tokens</figcaption>") == 2
    assert text.count("<figcaption>By matrix</figcaption>") == 2
    assert "Nothing to draw" not in text
    assert text.count("<svg") >= 4
    assert ">41%<" in text
    assert ">7%<" in text


def test_what_names_hold_is_text_and_no_markup(tmp_path: Path) -> None:
    text = page(tmp_path, FOUND)
    assert "<b>layers</b>" not in text
    assert "&lt;b&gt;layers&lt;/b&gt;" in text


def test_a_page_needs_no_network_and_no_script(tmp_path: Path) -> None:
    text = page(tmp_path, FOUND)
    assert "://" not in text
    assert "<script" not in text


def test_a_series_keeps_one_mark_and_the_key_names_all(tmp_path: Path) -> None:
    text = page(tmp_path, FOUND)
    key = text[text.index('class="key"') :].split("</p>")[0]
    assert [name in key for name in ("weights", "ranks")] == [True, True]


@pytest.mark.parametrize("content", ["", "[]", '{"probes": [{"probe": "x"}]}'])
def test_findings_that_are_none_are_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "probes.json").write_text(content, "utf-8")
    with pytest.raises(UserError, match="run the probe again"):
        probe.write(tmp_path)
    assert not (tmp_path / "report.html").exists()
