"""Jobs over HTTP: made once, followed, stopped, resumed, and never another tenant's."""

from __future__ import annotations

from typing import Any

import pytest
from gates import Gate, rows
from sqlalchemy import select

from holdfast.gate.tables import Event, File, Job, new_id

JOBS = "/v1/fine_tuning/jobs"


def test_a_job_is_made_and_queued_in_one_go(gate: Gate) -> None:
    made = gate.job(suffix="mine", seed=7, metadata={"team": "lamps"})
    assert made["status"] == "validating_files"
    assert made["object"] == "fine_tuning.job"
    assert made["hyperparameters"] == {
        "batch_size": "auto",
        "learning_rate_multiplier": "auto",
        "n_epochs": "auto",
    }
    queued = gate.room.queue.list_workflows(workflow_ids=[made["id"]])
    assert [w.status for w in queued] == ["ENQUEUED"]
    story = gate.client.get(f"{JOBS}/{made['id']}/events", headers=gate.as_("ada")).json()
    assert story["data"][0]["message"] == f"Created fine-tuning job: {made['id']}"


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"model": "gpt-9"}, 404, "model"),
        ({"training_file": "file-none"}, 404, "training_file"),
        ({"validation_file": "file-none"}, 404, "validation_file"),
        ({"hyperparameters": {"n_epochs": 51}}, 400, "hyperparameters.n_epochs"),
        ({"hyperparameters": {"batch_size": 0}}, 400, "hyperparameters.batch_size"),
        ({"hyperparameters": {"learning_rate_multiplier": -1}}, 400, "learning_rate_multiplier"),
        ({"hyperparameters": {"epochs": 3}}, 400, "hyperparameters.epochs"),
        ({"seed": 2**31}, 400, "seed"),
        ({"suffix": "a/b"}, 400, "suffix"),
        ({"suffix": "x" * 65}, 400, "suffix"),
        ({"metadata": {str(n): "x" for n in range(17)}}, 400, "metadata"),
        ({"metadata": {"k": "x" * 513}}, 400, "metadata"),
        ({"metadata": {"k" * 65: "x"}}, 400, "metadata"),
        ({"method": {"type": "dpo"}}, 400, "method.type"),
        ({"nonsense": 1}, 400, "nonsense"),
    ],
)
def test_what_does_not_fit_is_named(
    gate: Gate, change: dict[str, Any], status: int, param: str
) -> None:
    body = {"model": "canary:chat", "training_file": gate.upload(rows(12)), **change}
    answer = gate.client.post(JOBS, headers=gate.as_("ada"), json=body)
    assert answer.status_code == status
    assert param in answer.json()["error"]["param"]
    with gate.room.database.session() as session:
        assert session.scalars(select(Job)).all() == []


def test_another_tenants_file_is_no_file(gate: Gate) -> None:
    name = gate.upload(rows(12), tenant="ben")
    body = {"model": "canary:chat", "training_file": name}
    answer = gate.client.post(JOBS, headers=gate.as_("ada"), json=body)
    assert answer.status_code == 404


def test_a_request_that_is_sent_twice_acts_once(gate: Gate) -> None:
    body = {"model": "canary:chat", "training_file": gate.upload(rows(12))}
    headers = gate.as_("ada") | {"Idempotency-Key": "one"}
    first, again = (gate.client.post(JOBS, headers=headers, json=body).json() for _ in range(2))
    assert first["id"] == again["id"]
    other = gate.client.post(JOBS, headers=headers, json=body | {"seed": 1})
    assert other.json()["error"]["code"] == "idempotency_conflict"
    assert len(gate.client.get(JOBS, headers=gate.as_("ada")).json()["data"]) == 1


def test_a_tenant_has_only_so_many_jobs_at_once(narrow_gate: Gate) -> None:
    narrow_gate.job()
    narrow_gate.job()
    body = {"model": "canary:chat", "training_file": narrow_gate.upload(rows(12))}
    answer = narrow_gate.client.post(JOBS, headers=narrow_gate.as_("ada"), json=body)
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "too_many_jobs"
    assert "Retry-After" in answer.headers


def test_pausing_resuming_and_cancelling(gate: Gate) -> None:
    job = gate.job()["id"]
    told = [
        gate.client.post(f"{JOBS}/{job}/{act}", headers=gate.as_("ada"))
        for act in ("resume", "pause", "pause", "resume", "cancel", "cancel", "resume")
    ]
    assert [t.status_code for t in told] == [409, 200, 409, 200, 200, 409, 409]
    assert [t.json()["status"] for t in told if t.status_code == 200] == [
        "paused",
        "queued",
        "cancelled",
    ]
    assert gate.room.queue.list_workflows(workflow_ids=[job])[0].status == "CANCELLED"
    assert told[4].json()["finished_at"] is not None


def test_a_resumed_job_waits_in_its_queue_again(gate: Gate) -> None:
    job = gate.job()["id"]
    for act in ("pause", "resume"):
        gate.client.post(f"{JOBS}/{job}/{act}", headers=gate.as_("ada"))
    waiting = gate.room.queue.list_workflows(workflow_ids=[job])[0]
    assert (waiting.status, waiting.queue_name) == ("ENQUEUED", "jobs")


@pytest.mark.parametrize("path", ["", "/cancel", "/pause", "/resume", "/events", "/checkpoints"])
def test_another_tenants_job_is_no_job(gate: Gate, path: str) -> None:
    job = gate.job()["id"]
    method = "POST" if path in ("/cancel", "/pause", "/resume") else "GET"
    answer = gate.client.request(method, f"{JOBS}/{job}{path}", headers=gate.as_("ben"))
    assert answer.status_code == 404
    evidence = gate.client.get(f"/holdfast/v1/jobs/{job}/evidence", headers=gate.as_("ben"))
    assert evidence.status_code == 404


def test_events_are_read_page_by_page_the_newest_first(gate: Gate) -> None:
    job = gate.job()["id"]
    with gate.room.database.session() as session:
        for n in range(45):
            session.add(Event(id=new_id("ftevent"), job=job, message=f"line {n}"))
    seen: list[str] = []
    after = ""
    while True:
        query = f"?limit=20{f'&after={after}' if after else ''}"
        page = gate.client.get(f"{JOBS}/{job}/events{query}", headers=gate.as_("ada")).json()
        seen += [e["message"] for e in page["data"]]
        if not page["has_more"]:
            break
        after = page["data"][-1]["id"]
    assert seen[:45] == [f"line {n}" for n in range(44, -1, -1)]
    assert len(seen) == 46


def test_jobs_are_found_by_their_metadata(gate: Gate) -> None:
    wanted = gate.job(metadata={"team": "lamps"})["id"]
    gate.job(metadata={"team": "ropes"})
    query = {"metadata[team]": "lamps"}
    found = gate.client.get(JOBS, headers=gate.as_("ada"), params=query).json()
    assert [j["id"] for j in found["data"]] == [wanted]


@pytest.mark.parametrize("key", ["a.b", "it's", "[0]", "$", "*", "", "%", "\\", 'a"b', "ü"])
def test_odd_keys_of_metadata_find_their_jobs_and_nothing_else(gate: Gate, key: str) -> None:
    gate.job()
    own = [gate.job(metadata={key: "lamps"})["id"]] if key else []
    query = {f"metadata[{key}]": "lamps"}
    answer = gate.client.get(JOBS, headers=gate.as_("ada"), params=query)
    assert answer.status_code == 200
    assert [j["id"] for j in answer.json()["data"]] == own


def refuse(gate: Gate, job: str) -> None:
    with gate.room.database.session() as session:
        of = session.scalar(select(Job).where(Job.id == job))
        assert of is not None
        of.status, of.stage = "failed", "scan"


def test_near_copies_of_refused_rows_are_linked_and_then_slowed_down(gate: Gate) -> None:
    first = gate.job()["id"]
    refuse(gate, first)
    names = [first]
    for n in range(2):
        near = [*rows(12)[n + 1 :], *rows(1, f"rope{n}")]
        body = {"model": "canary:chat", "training_file": gate.upload(near)}
        made = gate.client.post(JOBS, headers=gate.as_("ada"), json=body).json()
        evidence = gate.client.get(
            f"/holdfast/v1/jobs/{made['id']}/evidence", headers=gate.as_("ada")
        ).json()
        assert evidence["near"] in names
        refuse(gate, made["id"])
        names.append(made["id"])
    again = {"model": "canary:chat", "training_file": gate.upload(rows(12))}
    answer = gate.client.post(JOBS, headers=gate.as_("ada"), json=again)
    assert answer.json()["error"]["code"] == "resubmission_limit"
    fresh = {"model": "canary:chat", "training_file": gate.upload(rows(12, "kettle"))}
    assert gate.client.post(JOBS, headers=gate.as_("ada"), json=fresh).status_code == 200


def test_spacing_and_punctuation_make_no_new_rows(gate: Gate) -> None:
    plain, odd = rows(12), rows(12)
    for row in odd:
        row["messages"][0]["content"] = "  " + row["messages"][0]["content"].replace("?", " ?!")
    gate.upload(plain)
    gate.upload(odd)
    with gate.room.database.session() as session:
        one, other = session.scalars(select(File.sketch))
    assert one == other


def test_a_refused_job_may_be_appealed_once(gate: Gate) -> None:
    job = gate.job()["id"]
    path = f"/holdfast/v1/jobs/{job}/appeal"
    body = {"reason": "These are lamps."}
    assert gate.client.post(path, headers=gate.as_("ada"), json=body).status_code == 409
    refuse(gate, job)
    assert gate.client.post(path, headers=gate.as_("ada"), json=body).status_code == 200
    assert gate.client.post(path, headers=gate.as_("ada"), json=body).status_code == 409
    trail = gate.client.get("/holdfast/v1/acts", headers=gate.as_("root", "review")).json()
    assert trail["data"][0]["act"] == "appeal"
    assert trail["data"][0]["reason"] == "These are lamps."
