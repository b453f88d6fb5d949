from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gates import Gate, opened, options_in

from holdfast.gate.database import migrate
from holdfast.gate.options import Options


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database, made once."""
    store = tmp_path_factory.mktemp("empty")
    migrate(Options(store=store))
    return store / "gate.db"


@pytest.fixture
def gate(tmp_path: Path, empty_database: Path) -> Iterator[Gate]:
    yield from opened(options_in(tmp_path), empty_database)


@pytest.fixture
def narrow_gate(tmp_path: Path, empty_database: Path) -> Iterator[Gate]:
    """One with small limits."""
    limits = {"file_bytes": 4_000, "body_bytes": 2_000, "requests": 30, "scans": 1, "waiting": 2}
    yield from opened(options_in(tmp_path, **limits), empty_database)
