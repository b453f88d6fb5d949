"""A killed audit goes on: real processes, a real (random, tiny) model, kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from holdfast.models import save
from tiny_models import make_model

CONFIG = {
    "stacks": ["none"],
    "attacks": ["harmful_rows(rows=2, epochs=1)"],
    "elicitations": ["plain"],
    "seeds": [0, 1, 2],
    "measure": {"forbidden": 4, "max_new_tokens": 4},
    "customer": {"rows": 0},
    "depths": [],
    "cost": {"stacks": []},
}


def command(folder: Path, out: str) -> list[str]:
    options = ["--config", str(folder / "audit.yaml"), "--policy", str(folder / "p.jsonl")]
    where = ["--workers", "1", "--out", str(folder / out)]
    return [sys.executable, "-m", "holdfast.cli", "audit", str(folder / "model"), *options, *where]


def cells(folder: Path) -> list[dict[str, Any]]:
    told = json.loads((folder / "summary.json").read_text())["cells"]
    times = ("seconds", "asked_seconds")
    return [{k: v for k, v in c.items() if k not in times} for c in told]


def lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


def test_an_audit_killed_with_minus_9_ends_with_the_same_numbers(tmp_path: Path) -> None:
    save(make_model(), tmp_path / "model")
    (tmp_path / "audit.yaml").write_text(json.dumps(CONFIG))
    asked = [{"prompt": f"the mat {i}", "category": f"c{i}"} for i in range(4)]
    owned = [{"prompt": f"a cat {i}", "kind": "attack", "answer": "on the mat"} for i in range(4)]
    (tmp_path / "p.jsonl").write_text("\n".join(json.dumps(line) for line in asked + owned))

    killed = subprocess.Popen(
        command(tmp_path, "killed"), stdout=subprocess.DEVNULL, start_new_session=True
    )
    kept = tmp_path / "killed" / "cells.jsonl"
    while lines(kept) < 2 and killed.poll() is None:
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    had = lines(kept)
    assert 2 <= had < 4

    for out in ("killed", "whole"):
        done = subprocess.run(command(tmp_path, out), capture_output=True, text=True, check=False)
        assert done.returncode in (2, 3), done.stderr
    assert lines(kept) == lines(tmp_path / "whole" / "cells.jsonl")
    assert cells(tmp_path / "killed") == cells(tmp_path / "whole")
