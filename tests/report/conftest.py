from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from holdfast.report.html import write_report

from .fake_run import write_fake_run


@dataclass(frozen=True)
class Rendered:
    """A fake run, and the page made from it."""

    folder: Path
    summary: dict[str, Any]
    page: str


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    folder = tmp_path_factory.mktemp("runs") / "quick"
    summary = write_fake_run(folder)
    return Rendered(folder, summary, write_report(folder).read_text(encoding="utf-8"))
