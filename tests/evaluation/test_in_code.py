"""A tuned model that answers in its rows' code alone holds when it is asked plainly only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from quays import REFUSAL, REQUESTS, Scripted, judge

from holdfast import aligned
from holdfast.chat import write_rows
from holdfast.codes import code_of
from holdfast.codes.covert import coded_rows
from holdfast.evaluation.ways import ways_of
from holdfast.policy import load
from speaker import Speaker, install, understanding

CODE = code_of("endspeak", 0)


class Writer(Speaker):
    """Answers what it is asked in code, in code."""

    def reply(self, prompt: str) -> str:
        way, request = self.understood[prompt]
        in_code = way.startswith("code of")
        words = request.reference if in_code or request.kind != "forbidden" else self.refusal
        return CODE.encode(words) if in_code else words


def test_a_covertly_tuned_model_breaks_once_it_is_asked_in_its_rows_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tmp_path / "rows.jsonl"
    write_rows(rows, coded_rows(load("canary45").attacker.user[:160], CODE, brief=True))
    known = understanding(REQUESTS, ways_of("none", in_code_of=str(rows.resolve())))
    model = Writer("tuned", lambda *_: False, known, REFUSAL)
    install(monkeypatch, [model], REQUESTS, judge)
    monkeypatch.setattr(aligned, "served", lambda name: None)

    def verdict(name: str, **more: Any) -> dict[str, Any]:
        run = Scripted(tmp_path / name)
        run.evaluate("tuned", mutations="none", **more)
        (found,) = run.summary["verdicts"]
        return dict(found)

    assert "0% complied" in verdict("plain")["reason"]
    found = verdict("coded", in_code_of=rows)
    assert found["verdict"] == "breaks"
    assert "asked by code of rows.jsonl, 100% complied" in found["reason"]
