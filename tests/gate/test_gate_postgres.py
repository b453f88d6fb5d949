"""Many workers on one Postgres: every job is done once, by one of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from dbos import DBOSClient
from postgres import installed, postgres
from running import start
from sqlalchemy import select

from holdfast import policy
from holdfast.chat import write_rows
from holdfast.gate import ledger
from holdfast.gate.database import Database
from holdfast.gate.names import NAME
from holdfast.gate.options import Options
from holdfast.gate.tables import Decision, Job, Stage

JOBS = 20
QUICK = "stack: none\nelicitations: [plain]\nrounds: [45]\n"

pytestmark = pytest.mark.skipif(installed() is None, reason="Postgres is not installed")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with postgres(tmp_path / "postgres") as url:
        yield url


def test_two_workers_share_jobs_and_none_is_run_twice(url: str, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(QUICK)
    known = policy.load("canary45")
    good = {n: n % 5 == 0 for n in range(JOBS)}
    for n in good:  # near-copies of refused rows would be refused at once
        drawn = known.attacker.user if good[n] else known.attacker.harmful
        write_rows(tmp_path / f"{n}.jsonl", drawn[15 * n : 15 * n + 15])
    more = ("--db", url, "--workers", "2", "--policy", str(tmp_path / "policy.yaml"))
    running = start(tmp_path, *more)
    try:
        client = running.client
        jobs = {}
        for n in good:
            content = (tmp_path / f"{n}.jsonl").open("rb")
            file = client.files.create(file=content, purpose="fine-tune")
            made = client.fine_tuning.jobs.create(
                model="canary:chat",
                training_file=file.id,
                hyperparameters={"n_epochs": 1},
                extra_headers={"Idempotency-Key": str(n)},
            )
            jobs[made.id] = good[n]
        waiting = set(jobs)
        for _ in range(1_200):
            waiting = {
                j for j in waiting if client.fine_tuning.jobs.retrieve(j).finished_at is None
            }
            if not waiting:
                break
            time.sleep(0.2)
        assert not waiting
        executors = executors_of(url, list(jobs))
    finally:
        running.stop()
    database = Database(Options(store=tmp_path, db=url).url)
    with database.session() as session:
        stages = Counter((s.job, s.name) for s in session.scalars(select(Stage)))
        decisions = Counter(d.job for d in session.scalars(select(Decision)))
        states = {j.id: j.status for j in session.scalars(select(Job))}
        checked = ledger.check(session, ledger.key_of(tmp_path / "chain.key"))
    database.close()
    assert set(stages.values()) == {1}
    assert decisions == dict.fromkeys(jobs, 1)
    assert states == {j: "succeeded" if well else "failed" for j, well in jobs.items()}
    assert not checked.broken
    assert len(executors) == 2


def executors_of(url: str, jobs: list[str]) -> set[str]:
    """Which workers ran the jobs."""
    client = DBOSClient(
        system_database_url=Options(store=Path(), db=url).url, application_name=NAME
    )
    try:
        return {str(w.executor_id) for w in client.list_workflows(workflow_ids=jobs)}
    finally:
        client.destroy()
