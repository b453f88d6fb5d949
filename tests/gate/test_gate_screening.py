"""Pre-screening a file: a scan of its own, which nobody may ask for without end."""

from __future__ import annotations

import asyncio
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest
from gates import Gate, rows

from holdfast.gate.api import screening
from holdfast.gate.decision import DecisionPolicy
from holdfast.gate.failures import Failure

SLOW = "import sys, time; sys.stdin.read(); time.sleep(60)"
ROOM: Any = SimpleNamespace(
    store=SimpleNamespace(file=lambda sha256: f"/{sha256}"),
    options=SimpleNamespace(models=("canary:chat",)),
    policy=DecisionPolicy(),
)


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "_screening", asyncio.Semaphore(1))
    monkeypatch.setattr(screening, "LISTENED", 0.01)


def runs(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(screening, "COMMAND", (sys.executable, "-c", code))


async def never() -> bool:
    return False


def test_a_scan_ends_when_its_client_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    runs(monkeypatch, SLOW)
    looks = 0

    async def gone() -> bool:
        nonlocal looks
        looks += 1
        return looks > 3

    began = time.monotonic()
    with pytest.raises(Failure) as told:
        asyncio.run(screening.screened(ROOM, "ab", gone))
    assert told.value.status == 499
    assert time.monotonic() - began < 20, "the scan's process is waited for, and it was killed"


def test_a_scan_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    runs(monkeypatch, SLOW)
    monkeypatch.setattr(screening, "SCREENED", 0.1)
    began = time.monotonic()
    with pytest.raises(Failure, match="make a job of it instead") as told:
        asyncio.run(screening.screened(ROOM, "ab", never))
    assert told.value.status == 503
    assert time.monotonic() - began < 20


def test_a_scan_that_dies_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    runs(monkeypatch, "raise SystemExit(3)")
    with pytest.raises(Failure, match="failed") as told:
        asyncio.run(screening.screened(ROOM, "ab", never))
    assert told.value.status == 503


def test_what_the_scan_says_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    runs(monkeypatch, "import sys; print(sys.stdin.read())")
    told = asyncio.run(screening.screened(ROOM, "ab", never))
    assert (told["file"], told["model"]) == ("/ab", "canary:chat")


def test_scans_have_a_limit_of_their_own(
    narrow_gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(
        monkeypatch,
        "import json; print(json.dumps(dict(verdict='clean', finding='', rows=12, unreadable=[])))",
    )
    gate = narrow_gate
    file, who = gate.upload(rows(12)), gate.as_("ada")
    path = f"/holdfast/v1/files/{file}/scan"
    first, second = (gate.client.post(path, headers=who) for _ in range(2))
    assert (first.status_code, first.json()["verdict"]) == (200, "clean")
    assert (second.status_code, second.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert 0 < int(second.headers["Retry-After"]) <= 60
    assert gate.client.get("/v1/files", headers=who).status_code == 200
