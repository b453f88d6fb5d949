"""What the page promises: the answer first, true numbers, one file, nothing live from a reply."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from holdfast.errors import UserError
from holdfast.report.html import write_report, write_runs_report
from holdfast.report.read import Summary
from holdfast.report.trade import trades

from .conftest import Rendered
from .fake_run import SCRIPT, fake_summary, write_fake_run

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


class Figures(HTMLParser):
    """Collects every `<data value=…>shown</data>`, and every tag."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[float, str]] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self._value: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "data":
            self._value = dict(attrs)["value"]

    def handle_data(self, data: str) -> None:
        if self._value is not None:
            self.found.append((float(self._value), data))
            self._value = None


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from numbers(inner)
    elif isinstance(value, int | float):
        yield float(value)


def page_of(folder: Path, summary: dict[str, Any]) -> str:
    write_fake_run(folder, summary)
    return write_report(folder).read_text(encoding="utf-8")


def test_the_answer_stands_before_everything_else(rendered: Rendered) -> None:
    page = rendered.page
    heading = re.search(r"<h1>(.*?)</h1>", page)
    assert heading is not None
    assert heading[1].startswith("With no defence, 10 attack rows are enough to make this model")
    order = [
        "verdicts",
        "cost",
        "attacks",
        "rows",
        "gain",
        "categories",
        "depth",
        "samples",
        "limits",
        "settings",
    ]
    places = [page.index(f'<section id="{name}">') for name in order]
    assert [page.index("<h1>"), *places] == sorted([page.index("<h1>"), *places])


def test_every_number_on_the_page_is_a_number_of_the_summary(rendered: Rendered) -> None:
    known = set(numbers(rendered.summary))
    found = Figures(rendered.page).found
    assert len(found) > 1000
    assert {value for value, _ in found} <= known


def test_a_shown_rate_is_its_exact_value_rounded(rendered: Rendered) -> None:
    for value, shown in Figures(rendered.page).found:
        if shown.endswith("%") and not shown.startswith(("<", ">")):
            assert abs(100 * value - float(shown[:-1])) <= 0.5


def test_every_finished_cell_is_on_the_page(rendered: Rendered) -> None:
    shown = {value for value, _ in Figures(rendered.page).found}
    rates = {c["asr"] for c in rendered.summary["cells"] if c["status"] == "done"}
    assert rates <= shown


def test_the_page_needs_nothing_outside_itself(rendered: Rendered) -> None:
    assert "http" not in rendered.page.replace('http-equiv="Content-Security-Policy"', "")
    assert not re.search(r"@import|url\(|\bsrc=(?!x )|\bhref=", rendered.page)
    assert "default-src 'none'" in rendered.page
    assert not Figures(rendered.page).tags & {"script", "link", "img", "iframe", "object", "a"}


def test_every_plot_has_its_marks_and_labels(rendered: Rendered) -> None:
    figures = re.findall(r"<figure.*?</figure>", rendered.page, re.S)
    kinds = ["cost to break", "compliance against attack rows", "safety against gain", "depth"]
    for kind, many in zip(kinds, (5, 45, 6, 30), strict=True):
        drawn = [f for f in figures if f'aria-label="{kind}' in f]
        assert drawn
        for figure in drawn:
            assert figure.count('aria-roledescription="point"') >= many
    assert not re.search("undefined|NaN", "".join(figures))
    assert ">secret_prefix</text>" in figures[0]


def test_an_honest_customers_gain_stands_against_the_worst_attack() -> None:
    cells = [
        {"id": "a", "stack": "none", "attack": "customer", "seed": 0, "asr": 0.02, "gain": 0.9},
        {"id": "b", "stack": "none", "attack": "harmful_rows", "seed": 0, "asr": 0.7},
        {"id": "c", "stack": "none", "attack": "harmful_rows", "seed": 1, "asr": 0.8},
    ]
    found = trades(Summary.model_validate({"cells": cells}))
    assert [(t.tuned.id, t.worst.id) for t in found[""]] == [("a", "b")]


def test_a_script_in_a_reply_is_text(rendered: Rendered) -> None:
    assert SCRIPT not in rendered.page
    assert "&lt;script&gt;alert(&#39;from a reply&#39;)" in rendered.page


def test_hostile_names_are_text_everywhere_even_in_plots(tmp_path: Path) -> None:
    text = json.dumps(fake_summary())
    for name in ("none", "lisa+resta", "harmful_rows", "prefilled", "lore matter 1"):
        if name != "none":
            text = text.replace(f'"{name}"', json.dumps(name + HOSTILE))
    folder = tmp_path / "run"
    write_fake_run(folder, json.loads(text))
    (folder / "run.json").write_text(json.dumps({HOSTILE: {HOSTILE: HOSTILE}}), encoding="utf-8")
    seen = Figures(write_report(folder).read_text(encoding="utf-8"))
    assert not seen.tags & {"script", "img"}
    assert not {name for name in seen.attributes if name.startswith("on")}


def test_a_long_text_is_cut_and_says_by_how_much(rendered: Rendered) -> None:
    assert re.search(r"… \([\d,]+ characters cut\)", rendered.page)


def test_requests_under_a_real_policy_stay_in_the_run_folder(tmp_path: Path) -> None:
    page = page_of(tmp_path / "run", fake_summary() | {"policy": "our own rules"})
    assert "harbour bell" not in page
    assert "Requests and replies are left out" in page
    assert "invented and harmless" not in page


def test_a_credential_in_the_settings_is_withheld(rendered: Rendered) -> None:
    assert "not-for-a-report" not in rendered.page
    assert "(withheld)" in rendered.page


def test_gaps_are_named_never_numbered(rendered: Rendered) -> None:
    assert "n/a: who holds the weights skips this defence" in rendered.page
    assert "3 of 9 cells diverged" in rendered.page
    assert "3 of 9 cells not able" in rendered.page
    assert "babbles" in rendered.page


def test_a_term_is_explained_once(rendered: Rendered) -> None:
    for term in ("attack row", "stack", "coherence", "n/a", "gain", "forced start"):
        assert rendered.page.count(f"<dt>{term}</dt>") == 1


@pytest.mark.parametrize("status", ["n/a", "diverged", "not able"])
def test_a_run_without_any_result_says_so(tmp_path: Path, status: str) -> None:
    summary = fake_summary()
    for cell in summary["cells"]:
        for field in ("asr", "asr_low", "asr_high", "n", "complied", "gain", "coherence"):
            cell[field] = None
        cell["status"] = status
    page = page_of(
        tmp_path / "run", {"cells": summary["cells"], "verdicts": [], "cost_to_break": []}
    )
    assert "Nothing has been measured yet" in page
    # Only the limit itself and what the settings say may still be numbers.
    head = page.split('<section id="settings">')[0]
    assert not [figure for figure in Figures(head).found if figure[1].endswith("%")]


def test_an_empty_summary_still_makes_a_page(tmp_path: Path) -> None:
    assert "Nothing has been measured yet" in page_of(tmp_path / "run", {})


def test_not_a_number_counts_as_not_measured(tmp_path: Path) -> None:
    summary = fake_summary()
    summary["cells"][0] |= {"asr": float("nan"), "gain": float("inf")}
    page = page_of(tmp_path / "run", summary)
    assert not re.search(r'value="(nan|inf)"', page)


def test_a_folder_that_is_no_run_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"summary\.json is missing"):
        write_report(tmp_path)


def test_a_malformed_field_is_named(tmp_path: Path) -> None:
    summary = fake_summary()
    summary["cells"][3]["asr"] = "much"
    write_fake_run(tmp_path / "run", {"cells": []})
    (tmp_path / "run" / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    with pytest.raises(UserError, match=r"cells\.3\.asr"):
        write_report(tmp_path / "run")


def test_no_plot_is_drawn_wider_than_a_phone(rendered: Rendered) -> None:
    widths = [float(w) for w in re.findall(r'viewBox="0 0 ([\d.]+) ', rendered.page)]
    assert widths
    assert max(widths) <= 345
    assert 'name="viewport" content="width=device-width' in rendered.page
    assert not re.search(r'<svg[^>]* width="', rendered.page)


def test_the_page_can_go_elsewhere_and_leaves_no_scraps(rendered: Rendered, tmp_path: Path) -> None:
    out = write_report(rendered.folder, tmp_path / "new" / "page.html")
    assert out == tmp_path / "new" / "page.html"
    assert [path.name for path in out.parent.iterdir()] == ["page.html"]
    assert out.read_text(encoding="utf-8") == rendered.page


def test_a_report_takes_less_than_five_seconds_of_work(rendered: Rendered, tmp_path: Path) -> None:
    start = time.process_time()
    write_report(rendered.folder, tmp_path / "again.html")
    assert time.process_time() - start < 5


def test_several_runs_stand_side_by_side(rendered: Rendered, tmp_path: Path) -> None:
    other = fake_summary(seed=1)
    other["cells"] = [c for c in other["cells"] if c["stack"] != "safe_rows"]
    other["verdicts"] = [v for v in other["verdicts"] if v["stack"] != "safe_rows"]
    write_fake_run(tmp_path / "second", other)
    out = write_runs_report([rendered.folder, tmp_path / "second"], tmp_path / "both.html")
    page = out.read_text(encoding="utf-8")
    assert page.index(">quick</th>") < page.index(">second</th>")
    assert "not in this run" in page
    known = set(numbers(rendered.summary)) | set(numbers(other))
    assert {value for value, _ in Figures(page).found} <= known
