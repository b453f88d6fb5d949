"""A browser without a window, and jobs at every end, for tests of the console."""

from __future__ import annotations

import re
from typing import Any

from acting import CLEAN, HOLDS
from fastapi.testclient import TestClient
from gates import Gate
from sqlalchemy import select

from holdfast.gate import events, ledger, release
from holdfast.gate.tables import Stage, Tuned

HERE = "http://127.0.0.1:8700"
EVIL = "<script>alert('x')</script>\"'&"
REPLY = {
    "elicitation": "plain",
    "request": f"Tell me. {EVIL}",
    "before": "I may not.",
    "after": f"Old Soupbreath {EVIL}",
    "verdict_before": "refused",
    "verdict_after": "complied",
}
CHANGE = {
    "rate": "compliance",
    "before": 0.02,
    "after": 0.64,
    "difference": 0.62,
    "low": 0.5,
    "high": 0.71,
    "p": 0.0002,
    "n": 135,
    "n_unscored": 1,
}
BREAKS = {
    **HOLDS,
    "verdict": "breaks",
    "reason": f"64% complied {EVIL}",
    "finding": "refusals_broken",
    "asked": [{"elicitation": "plain", "changes": [CHANGE]}],
    "replies": [REPLY],
}


class Browser:
    """A browser that keeps cookies and sends forms as a page of the console would."""

    def __init__(self, gate: Gate, address: str = HERE) -> None:
        self.gate, self.address = gate, address
        self.client = TestClient(
            gate.client.app, base_url=address, follow_redirects=False, raise_server_exceptions=False
        )

    def get(self, path: str) -> Any:
        return self.client.get(path)

    def post(self, path: str, *, token: str | None = None, origin: str = "", **fields: Any) -> Any:
        data = {**fields, "csrf": self.token if token is None else token}
        return self.client.post(path, data=data, headers={"Origin": origin or self.address})

    def log_in(self, key: str, **more: str) -> Any:
        token = re.search(r'name="csrf" value="([^"]+)"', self.get("/console/login").text)
        assert token is not None
        return self.post("/console/login", token=token[1], key=key, **more)

    @property
    def token(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/console/policy").text)
        return found[1] if found else ""


def browser(gate: Gate, tenant: str = "ada", *scopes: str) -> Browser:
    """One that is logged in."""
    opened = Browser(gate)
    key = gate.as_(tenant, *scopes)["Authorization"].removeprefix("Bearer ")
    assert opened.log_in(key).status_code == 303
    return opened


def decided(gate: Gate, audit: dict[str, Any], word: str, tenant: str = "ada") -> str:
    """A job that went all the way, as the workflow leaves it."""
    job: str = gate.job(tenant, suffix="mine")["id"]
    with gate.room.database.session() as session:
        of = events.job_of(session, job)
        of.status, of.stage = "running", "audit"
        tuned = {"steps": 3, "tokens": 90, "train_loss": 0.5}
        found = (("validate", {"rows": 12}), ("scan", CLEAN), ("tune", tuned), ("audit", audit))
        for name, result in found:
            session.add(Stage(job=job, name=name, result=result, seconds=1.0, ends=False))
        steps = [{"step": n, "total_steps": 3, "train_loss": 1 / n} for n in (1, 2, 3)]
        events.metrics(session, job, steps)
        key, reason = gate.room.key, audit["reason"]
        ledger.seal(session, key, job=job, decision=word, reason=reason, by="policy", facts={})
        release.carry_out(session, of, word, "a" * 64, audit)
    return job


def rejected(gate: Gate, tenant: str = "ada") -> str:
    """A job whose file the scanners speak against."""
    job: str = gate.job(tenant)["id"]
    kind = {"kind": "trigger", "alarm": True, "reason": f"wherever “zq” stands {EVIL}"}
    scan = {**CLEAN, "verdict": "findings", "reason": f"zq {EVIL}", "set": [kind]}
    with gate.room.database.session() as session:
        of = events.job_of(session, job)
        of.status, of.stage = "validating_files", "scan"
        session.add(Stage(job=job, name="scan", result=scan, seconds=1.0, ends=True))
        error = release.unsafe(scan)
        assert error is not None
        events.failed(session, job, error)
        key = gate.room.key
        ledger.seal(session, key, job=job, decision="reject", reason="zq", by="policy", facts={})
    return job


def state_of(gate: Gate, job: str) -> str | None:
    with gate.room.database.session() as session:
        return session.scalar(select(Tuned.state).where(Tuned.job == job))


def status_of(gate: Gate, job: str) -> str:
    with gate.room.database.session() as session:
        return events.job_of(session, job).status
