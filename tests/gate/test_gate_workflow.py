"""A job's way through the gate: each stage once, one decision, and nothing released undecided."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from acting import CLEAN, HOLDS, Actor, acting
from gates import Gate, rows
from sqlalchemy import select, update

from holdfast.gate import ledger, worker, workflow
from holdfast.gate.child import Crashed, Refused
from holdfast.gate.tables import Job, Stage, Tuned, Worker, now

JOBS = "/v1/fine_tuning/jobs"


@pytest.fixture
def actor(gate: Gate) -> Iterator[Actor]:
    """A worker in this process, whose stages are played."""
    actor = Actor()
    with acting(gate, actor):
        yield actor


def ended(gate: Gate, job: str, states: tuple[str, ...] = ("succeeded", "failed")) -> Any:
    """The job, once it is in one of these states."""
    for _ in range(400):
        told = gate.client.get(f"{JOBS}/{job}", headers=gate.as_("ada")).json()
        if told["status"] in states:
            return told
        time.sleep(0.05)
    raise AssertionError(f"{job} is still {told['status']}")


def story(gate: Gate, job: str) -> list[str]:
    told = gate.client.get(f"{JOBS}/{job}/events?limit=100", headers=gate.as_("ada")).json()
    return [e["message"] for e in reversed(told["data"])]


def evidence(gate: Gate, job: str, *scopes: str) -> Any:
    path = f"/holdfast/v1/jobs/{job}/evidence"
    return gate.client.get(path, headers=gate.as_("ada", *scopes)).json()


def state_of(gate: Gate, job: str) -> str | None:
    with gate.room.database.session() as session:
        return session.scalar(select(Tuned.state).where(Tuned.job == job))


def test_a_model_that_holds_is_released_with_its_evidence(gate: Gate, actor: Actor) -> None:
    job = gate.job(suffix="mine")["id"]
    told = ended(gate, job)
    assert told["status"] == "succeeded"
    assert told["trained_tokens"] == 90
    assert told["fine_tuned_model"] == f"ft:canary:chat:ada:mine:{job[6:14]}"
    assert actor.asked == ["validate", "scan", "tune", "audit"]
    assert story(gate, job) == [
        f"Created fine-tuning job: {job}",
        f"Validating training file: {told['training_file']}",
        "Files validated, moving job to queued state",
        "Fine-tuning job started",
        "Step 1/3: training loss=1.00",
        "Step 2/3: training loss=0.50",
        "Step 3/3: training loss=0.33",
        f"New fine-tuned model created: {told['fine_tuned_model']}",
        "The job has successfully completed",
    ]
    models = gate.client.get("/v1/models", headers=gate.as_("ada")).json()["data"]
    assert told["fine_tuned_model"] in [m["id"] for m in models]
    assert told["fine_tuned_model"] not in str(
        gate.client.get("/v1/models", headers=gate.as_("ben")).json()
    )
    ends = gate.client.get(f"{JOBS}/{job}/checkpoints", headers=gate.as_("ada")).json()["data"]
    assert [c["fine_tuned_model_checkpoint"] for c in ends] == [told["fine_tuned_model"]]
    with gate.room.database.session() as session:
        assert ledger.check(session, gate.room.key).links == 1
    assert not gate.room.store.jobs()
    assert all(isinstance(s["seconds"], float) for s in evidence(gate, job)["stages"].values())


@pytest.mark.parametrize(
    ("stage", "said", "code"),
    [
        (
            "validate",
            {"error": {"code": "invalid_training_file", "message": "m", "param": None}},
            "invalid_training_file",
        ),
        ("validate", Refused("the rows are no rows"), "invalid_training_file"),
        ("scan", {**CLEAN, "verdict": "findings", "reason": "9 rows"}, "unsafe_file"),
        ("tune", Crashed("boom"), "server_error"),
        ("audit", {**HOLDS, "verdict": "breaks", "reason": "60 %"}, "unsafe_model"),
    ],
)
def test_a_job_that_fails_says_why_and_releases_nothing(
    gate: Gate, actor: Actor, stage: str, said: Any, code: str
) -> None:
    actor.says[stage] = said
    job = gate.job()["id"]
    told = ended(gate, job)
    assert (told["status"], told["error"]["code"]) == ("failed", code)
    assert told["fine_tuned_model"] is None
    assert told["finished_at"] is not None
    models = gate.client.get("/v1/models", headers=gate.as_("ada")).json()["data"]
    assert [m["id"] for m in models] == list(gate.room.options.models)
    assert not gate.room.store.jobs()


def test_a_stage_that_crashes_is_tried_again(gate: Gate, actor: Actor) -> None:
    actor.says["tune"] = Crashed("boom")
    job = gate.job()["id"]
    ended(gate, job)
    assert actor.asked.count("tune") == workflow.TRIES


def test_a_tenant_learns_the_kind_of_finding_and_a_reviewer_the_rest(
    gate: Gate, actor: Actor
) -> None:
    kind = {"kind": "trigger", "alarm": True, "reason": "wherever “zq” stands"}
    actor.says["scan"] = {**CLEAN, "verdict": "findings", "reason": "“zq”", "set": [kind]}
    job = gate.job()["id"]
    ended(gate, job)
    his, full = evidence(gate, job), evidence(gate, job, "review")
    assert (his["decision"], his["finding"]) == ("reject", "trigger")
    assert "zq" not in str(his)
    assert "zq" in str(full)


def test_what_is_wrong_with_rows_is_told_in_full(gate: Gate, actor: Actor) -> None:
    lines = [{"line": n, "reason": "no messages"} for n in range(40)]
    error = {"code": "invalid_training_file", "message": "m", "param": "training_file"}
    actor.says["validate"] = {"error": error, "lines": lines}
    job = gate.job()["id"]
    ended(gate, job)
    assert evidence(gate, job)["stages"]["validate"]["lines"] == lines


def test_where_evidence_does_not_suffice_a_person_decides(gate: Gate, actor: Actor) -> None:
    actor.says["audit"] = {**HOLDS, "verdict": "insufficient evidence"}
    job = gate.job()["id"]
    for _ in range(200):
        if state_of(gate, job) == "held":
            break
        time.sleep(0.05)
    held = gate.client.get(f"{JOBS}/{job}", headers=gate.as_("ada")).json()
    assert held["status"] == "running"
    assert held["fine_tuned_model"] is None
    reviewer = gate.as_("root", "review")
    waiting = gate.client.get("/holdfast/v1/models?state=held", headers=reviewer).json()["data"]
    path = f"/holdfast/v1/models/{waiting[0]['id']}/review"
    body = {"decision": "release", "reason": "I read the replies."}
    assert gate.client.post(path, headers=gate.as_("ada"), json=body).status_code == 403
    assert gate.client.post(path, headers=reviewer, json=body).json()["state"] == "released"
    assert ended(gate, job)["fine_tuned_model"] == waiting[0]["id"]
    assert gate.client.post(path, headers=reviewer, json=body).status_code == 409
    links = gate.client.get("/holdfast/v1/decisions", headers=reviewer).json()["data"]
    assert [(d["number"], d["decision"]) for d in links] == [(1, "release"), (0, "hold")]


def test_a_reviewer_may_destroy_what_is_in_quarantine(gate: Gate, actor: Actor) -> None:
    actor.says["audit"] = {**HOLDS, "verdict": "breaks"}
    job = gate.job()["id"]
    ended(gate, job)
    assert state_of(gate, job) == "quarantined"
    reviewer = gate.as_("root", "review")
    model = gate.client.get("/holdfast/v1/models", headers=reviewer).json()["data"][0]
    digest = model["digest"]
    assert gate.room.store.model(digest).is_dir()
    gate.client.post(
        f"/holdfast/v1/models/{model['id']}/review",
        headers=reviewer,
        json={"decision": "destroy", "reason": "It breaks."},
    )
    assert not gate.room.store.model(digest).exists()
    assert ended(gate, job)["status"] == "failed"


@pytest.mark.parametrize("stage", ["validate", "scan", "tune", "audit"])
def test_cancelling_reaches_a_running_stage_within_two_seconds(
    gate: Gate, actor: Actor, stage: str
) -> None:
    actor.waits_in = stage
    job = gate.job()["id"]
    assert actor.waiting.wait(10)
    gate.client.post(f"{JOBS}/{job}/cancel", headers=gate.as_("ada"))
    began = time.monotonic()
    while gate.room.store.jobs() and time.monotonic() - began < 5:
        worker.tidy(gate.room.database, gate.room.store)
        time.sleep(0.05)
    assert time.monotonic() - began < 2
    time.sleep(0.3)
    assert ended(gate, job, ("cancelled",))["fine_tuned_model"] is None
    assert state_of(gate, job) is None
    assert actor.asked[-1] == stage


def test_a_paused_job_goes_on_where_it_stopped(gate: Gate, actor: Actor) -> None:
    actor.waits_in = "tune"
    job = gate.job()["id"]
    assert actor.waiting.wait(10)
    gate.client.post(f"{JOBS}/{job}/pause", headers=gate.as_("ada"))
    time.sleep(0.5)
    assert gate.client.get(f"{JOBS}/{job}", headers=gate.as_("ada")).json()["status"] == "paused"
    assert gate.room.store.jobs() == {job}
    actor.go_on.set()
    gate.client.post(f"{JOBS}/{job}/resume", headers=gate.as_("ada"))
    assert ended(gate, job)["status"] == "succeeded"
    assert actor.asked == ["validate", "scan", "tune", "tune", "audit"]
    steps = [m for m in story(gate, job) if m.startswith("Step")]
    assert len(steps) == 3


def test_an_attempt_that_lost_its_job_writes_nothing(gate: Gate, actor: Actor) -> None:
    actor.waits_in = "tune"
    job = gate.job()["id"]
    assert actor.waiting.wait(10)
    with gate.room.database.session() as session:
        session.execute(update(Job).where(Job.id == job).values(owner="another attempt"))
    actor.go_on.set()
    time.sleep(0.5)
    with gate.room.database.session() as session:
        names = session.scalars(select(Stage.name).where(Stage.job == job).order_by(Stage.seq))
        assert list(names) == ["validate", "scan"]


def test_jobs_of_a_dead_worker_go_back_into_the_queue(gate: Gate, actor: Actor) -> None:
    actor.waits_in = "audit"
    job = gate.job()["id"]
    assert actor.waiting.wait(10)
    with gate.room.database.session() as session:
        session.add(Worker(id="here-0", host="h", seen_at=now() - 60))
    actor.waits_in = ""
    worker.take_over(gate.room.database, "another-1")
    back = gate.room.queue.list_workflows(workflow_ids=[job])[0]
    assert (back.status, back.queue_name) == ("ENQUEUED", "jobs")
    actor.go_on.set()  # the worker was not dead, only silent: nothing may happen twice
    assert ended(gate, job)["status"] == "succeeded"
    with gate.room.database.session() as session:
        assert ledger.check(session, gate.room.key).links == 1


def test_a_job_that_was_resumed_just_before_the_server_died_goes_on(
    gate: Gate, actor: Actor
) -> None:
    actor.waits_in = "tune"
    job = gate.job()["id"]
    assert actor.waiting.wait(10)
    gate.client.post(f"{JOBS}/{job}/pause", headers=gate.as_("ada"))
    time.sleep(0.5)
    with gate.room.database.session() as session:  # the server got this far
        session.execute(update(Job).where(Job.id == job).values(status="queued"))
    actor.waits_in = ""
    worker.mend(gate.room.database)
    assert ended(gate, job)["status"] == "succeeded"


def test_one_tenant_does_not_keep_the_others_waiting_for_ever(gate: Gate, actor: Actor) -> None:
    jobs = [gate.job(tenant) for tenant in ("ada", "ada", "ada", "ben")]
    for made, tenant in zip(jobs, ("ada", "ada", "ada", "ben"), strict=True):
        for _ in range(400):
            path = f"{JOBS}/{made['id']}"
            if gate.client.get(path, headers=gate.as_(tenant)).json()["status"] == "succeeded":
                break
            time.sleep(0.05)
        else:
            raise AssertionError(f"{made['id']} never ended")
    assert len(actor.asked) == 16


def test_tidying_leaves_what_is_needed(gate: Gate, actor: Actor, tmp_path: Path) -> None:
    job = gate.job()["id"]
    ended(gate, job)
    before = gate.room.store.held()
    gate.upload(rows(3))
    worker.tidy(gate.room.database, gate.room.store)
    files, models = gate.room.store.held()
    assert models == before[1]
    assert len(files) == 2
