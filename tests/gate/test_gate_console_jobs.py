"""Jobs in the console: what each key sees of them, and may do."""

from __future__ import annotations

import pytest
from acting import HOLDS
from consoles import BREAKS, EVIL, HERE, browser, decided, rejected, state_of, status_of
from gates import Gate, rows
from sqlalchemy import select

from holdfast.gate.tables import Job


def test_a_file_is_uploaded_and_a_job_made_of_it_once(gate: Gate) -> None:
    at = browser(gate)
    form = {"csrf": at.token, "once": "o", "model": "canary:chat", "n_epochs": "2", "suffix": "me"}
    lines = "\n".join(str(r).replace("'", '"') for r in rows(12)).encode()
    sent = [
        at.client.post(
            "/console/jobs",
            data=form,
            files={"file": ("rows.jsonl", lines)},
            headers={"Origin": HERE},
        )
        for _ in range(2)
    ]
    assert [a.status_code for a in sent] == [303, 303]
    assert sent[0].headers["location"] == sent[1].headers["location"]
    told = at.get(sent[0].headers["location"]).text
    assert "rows.jsonl" in told
    with gate.room.database.session() as session:
        of = session.scalars(select(Job)).one()
    assert (of.hyperparameters["n_epochs"], of.suffix) == (2, "me")


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, "Choose a file"),
        ({"training_file": "file-none"}, "No such file"),
        ({"training_file": "HIS", "n_epochs": "900"}, "Epochs: “900” does not fit"),
        ({"training_file": "HIS", "learning_rate_multiplier": "nan"}, "Learning rate multiplier"),
        ({"training_file": "HIS", "suffix": EVIL}, "Suffix: “&lt;script&gt;"),
        ({"training_file": "HIS", "model": "other"}, "cannot be tuned here"),
    ],
)
def test_a_job_that_does_not_fit_is_told_above_the_form(
    gate: Gate, fields: dict[str, str], wrong: str
) -> None:
    file = gate.upload(rows(12))
    fields = {"model": "canary:chat", **{k: v.replace("HIS", file) for k, v in fields.items()}}
    at = browser(gate)
    answer = at.client.post(
        "/console/jobs",
        data={"csrf": at.token, **fields},
        files={"file": ("", b"")},
        headers={"Origin": HERE},
    )
    assert answer.status_code in (400, 404)
    assert wrong in answer.text
    assert "<form" in answer.text


def test_a_bad_file_is_told_line_by_line(gate: Gate) -> None:
    at = browser(gate)
    answer = at.client.post(
        "/console/jobs",
        data={"csrf": at.token, "model": "canary:chat"},
        files={"file": ("rows.jsonl", b"{}\nnot json <b>\n")},
        headers={"Origin": HERE},
    )
    assert answer.status_code == 400
    assert "Line 2 is not a dictionary" in answer.text
    assert "&lt;b&gt;" in answer.text


def test_pause_resume_and_cancel_go_the_way_of_the_api(gate: Gate) -> None:
    job = gate.job()["id"]
    at = browser(gate)
    for doing, status in (("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")):
        assert f"/console/jobs/{job}/{doing}" in at.get(f"/console/jobs/{job}").text
        assert at.post(f"/console/jobs/{job}/{doing}").status_code == 303
        assert status_of(gate, job) == status
    assert at.post(f"/console/jobs/{job}/cancel").status_code == 409
    assert f"/console/jobs/{job}/cancel" not in at.get(f"/console/jobs/{job}").text


def test_another_tenants_job_is_not_there(gate: Gate) -> None:
    job = decided(gate, BREAKS, "quarantine", "ben")
    at = browser(gate, "ada")
    assert job not in at.get("/console/jobs").text
    for path in (
        f"/console/jobs/{job}",
        f"/console/jobs/{job}/live",
        f"/console/jobs/{job}/cancel",
    ):
        assert at.get(path).status_code == 404
    for doing in ("cancel", "appeal"):
        assert at.post(f"/console/jobs/{job}/{doing}", reason="x").status_code == 404
    assert at.post(f"/console/jobs/{job}/review", decision="release", reason="x").status_code == 403
    assert state_of(gate, job) == "quarantined"


def test_a_reviewer_sees_every_tenants_jobs_and_may_not_stop_them(gate: Gate) -> None:
    job = gate.job("ben")["id"]
    at = browser(gate, "desk", "review")
    assert job in at.get("/console/jobs").text
    assert f"/console/jobs/{job}/cancel" not in at.get(f"/console/jobs/{job}").text
    assert at.post(f"/console/jobs/{job}/cancel").status_code == 403


def test_a_tenant_learns_the_kind_of_finding_and_a_reviewer_the_rest(gate: Gate) -> None:
    job, broken = rejected(gate), decided(gate, BREAKS, "quarantine")
    his, full = browser(gate), browser(gate, "desk", "review")
    scanned, audited = (his.get(f"/console/jobs/{j}").text for j in (job, broken))
    assert "trigger" in scanned
    assert "refusals_broken" in audited
    for secret in ("zq", "Soupbreath", "64%", "side by side"):
        assert secret not in scanned + audited
    assert "zq" in full.get(f"/console/jobs/{job}").text
    told = full.get(f"/console/jobs/{broken}").text
    assert "Soupbreath" in told
    assert "+50 to +71" in told


def test_a_refused_tenant_appeals_once_and_a_reviewer_reads_it(gate: Gate) -> None:
    job = decided(gate, BREAKS, "quarantine")
    at, desk = browser(gate), browser(gate, "desk", "review")
    assert at.post(f"/console/jobs/{job}/appeal", reason=" ").status_code == 400
    assert at.post(f"/console/jobs/{job}/appeal", reason=f"Look {EVIL}").status_code == 303
    assert at.post(f"/console/jobs/{job}/appeal", reason="Again").status_code == 409
    assert "Look &lt;script&gt;" in desk.get("/console/review").text


@pytest.mark.parametrize(("choice", "state"), [("release", "released"), ("destroy", "destroyed")])
def test_a_reviewer_decides_with_a_reason(gate: Gate, choice: str, state: str) -> None:
    job = decided(gate, {**HOLDS, "verdict": "insufficient evidence"}, "hold")
    desk = browser(gate, "desk", "review")
    assert job in desk.get("/console/review").text
    path = f"/console/jobs/{job}/review"
    assert desk.post(path, decision=choice, reason="").status_code == 400
    assert desk.post(path, decision="other", reason="x").status_code == 400
    assert desk.post(path, decision=choice, reason=f"I read it {EVIL}").status_code == 303
    assert state_of(gate, job) == state
    trail = desk.get("/console/trail").text
    assert "I read it &lt;script&gt;" in trail
    assert "2 decisions, none changed" in trail
    assert desk.post(path, decision=choice, reason="x").status_code == 409


def test_a_changed_decision_shows_on_the_trail(gate: Gate) -> None:
    job = decided(gate, HOLDS, "release")
    with gate.room.database.session() as session:
        table = "UPDATE decisions SET reason = 'other' WHERE job = :job"
        session.connection().exec_driver_sql(table.replace(":job", "?"), (job,))
    assert "was changed" in browser(gate, "desk", "review").get("/console/trail").text
