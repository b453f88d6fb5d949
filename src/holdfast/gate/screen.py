"""Pre-screening of a file, in a process of its own: asked on standard input, told on its output."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from holdfast.gate import stages
from holdfast.gate.decision import DecisionPolicy
from holdfast.gate.findings import finding_of
from holdfast.gate.work import Work


def screened(asked: dict[str, Any]) -> dict[str, Any]:
    """What a tenant may know of a file before he makes a job of it.

    Args:
        asked: `file`, its path; `model`, whose world's policy holds where none is named; `policy`.
    """
    with tempfile.TemporaryDirectory(prefix="holdfast-") as folder:
        work = Work(
            job="",
            model=asked["model"],
            rows=Path(asked["file"]),
            scratch=Path(folder),
            policy=DecisionPolicy.model_validate(asked["policy"]),
            examples=1,
        )
        found = {"validate": stages.validate(work, lambda _: None)}
        lines = found["validate"].get("lines", [])
        if "error" in found["validate"]:
            return {
                "verdict": "unreadable",
                "finding": finding_of(found),
                "rows": 0,
                "unreadable": lines,
            }
        found["scan"] = stages.scan(work, lambda _: None)
    return {
        "verdict": found["scan"]["verdict"],
        "finding": finding_of(found),
        "rows": found["validate"]["rows"],
        "unreadable": lines,
    }


if __name__ == "__main__":
    json.dump(screened(json.load(sys.stdin)), sys.stdout)
