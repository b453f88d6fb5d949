"""Who may do what: keys, scopes, limits, and what an answer may tell a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from gates import Gate, rows

from holdfast.errors import UserError
from holdfast.gate import keys
from holdfast.gate.inference import private
from holdfast.gate.tables import Key


@pytest.mark.parametrize("header", [None, "Bearer ", "Bearer wrong", "Basic abc", "hf-x"])
def test_without_a_good_key_there_is_no_answer(gate: Gate, header: str | None) -> None:
    answer = gate.client.get("/v1/files", headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"


def test_a_revoked_key_opens_nothing(gate: Gate) -> None:
    admin = gate.as_("ada", "admin")
    made = gate.client.post(
        "/holdfast/v1/keys",
        headers=admin,
        json={"tenant": "ben", "name": "laptop", "scopes": ["tune"]},
    ).json()
    own = {"Authorization": f"Bearer {made['key']}"}
    assert gate.client.get("/v1/files", headers=own).status_code == 200
    gate.client.delete(f"/holdfast/v1/keys/{made['id']}", headers=admin)
    assert gate.client.get("/v1/files", headers=own).status_code == 401


def test_a_key_is_told_once_and_kept_as_a_hash(gate: Gate) -> None:
    with gate.room.database.session() as session:
        key, text = keys.mint(session, "ada", "laptop", ["tune"])
        stored = [getattr(key, c.name) for c in Key.__table__.columns]
    assert text not in map(str, stored)
    listed = gate.client.get("/holdfast/v1/keys", headers=gate.as_("root", "admin")).json()
    assert all(k["key"] is None for k in listed["data"])


@pytest.mark.parametrize(
    ("method", "path", "scopes"),
    [
        ("GET", "/v1/files", ("infer",)),
        ("GET", "/v1/fine_tuning/jobs", ("review",)),
        ("GET", "/holdfast/v1/acts", ("tune",)),
        ("GET", "/holdfast/v1/decisions", ("tune", "infer")),
        ("GET", "/holdfast/v1/models", ("tune",)),
        ("GET", "/holdfast/v1/keys", ("review",)),
    ],
)
def test_a_key_without_the_scope_is_refused(
    gate: Gate, method: str, path: str, scopes: tuple[str, ...]
) -> None:
    answer = gate.client.request(method, path, headers=gate.as_("ada", *scopes))
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "insufficient_permissions"


@pytest.mark.parametrize("tenant", ["", "../x", "Ada", "a b", "x" * 41])
def test_a_tenant_has_a_name_that_can_stand_in_a_models(gate: Gate, tenant: str) -> None:
    with gate.room.database.session() as session, pytest.raises(UserError):
        keys.mint(session, tenant, "x", ["tune"])


def test_too_many_requests_must_wait(narrow_gate: Gate) -> None:
    answers = [
        narrow_gate.client.get("/v1/models", headers=narrow_gate.as_("ada")) for _ in range(40)
    ]
    late = [a for a in answers if a.status_code == 429]
    assert late
    assert int(late[0].headers["Retry-After"]) >= 1
    other = narrow_gate.client.get("/v1/models", headers=narrow_gate.as_("ben"))
    assert other.status_code == 200


def test_a_body_that_is_too_large_is_not_read(narrow_gate: Gate) -> None:
    answer = narrow_gate.client.post(
        "/v1/fine_tuning/jobs", headers=narrow_gate.as_("ada"), content=b"x" * 3_000
    )
    assert answer.status_code == 413


def test_answers_keep_browsers_from_guessing_and_from_scripts(gate: Gate) -> None:
    for path in ("/healthz", "/v1/files", "/nowhere"):
        headers = gate.client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert "unsafe-inline" not in headers["Content-Security-Policy"]


def test_errors_have_openais_shape_wherever_they_come_from(gate: Gate) -> None:
    ada = gate.as_("ada")
    answers = [
        gate.client.get("/nowhere"),
        gate.client.put("/v1/files", headers=ada),
        gate.client.get("/v1/files?limit=x", headers=ada),
        gate.client.post("/v1/fine_tuning/jobs", headers=ada, content=b"{"),
        gate.client.get("/v1/files/file-none", headers=ada),
    ]
    assert [a.status_code for a in answers] == [404, 405, 400, 400, 404]
    for answer in answers:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_metrics_count_answers_without_names_of_anybody(gate: Gate) -> None:
    gate.upload(rows(1))
    gate.client.get("/v1/files/file-secretname", headers=gate.as_("ada"))
    text = gate.client.get("/metrics").text
    assert 'holdfast_requests_total{method="GET",path="/v1/files/{file_id}",status="404"} 1' in text
    assert "secretname" not in text
    assert gate.client.get("/readyz").status_code == 503  # there is no worker


def test_only_this_user_reaches_the_models(tmp_path: Path) -> None:
    socket = private(tmp_path / "run" / "models.sock")
    assert socket.parent.stat().st_mode & 0o077 == 0
    socket.parent.chmod(0o755)
    with pytest.raises(UserError, match="alone"):
        private(socket)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(UserError, match="alone"):
        private(tmp_path / "link" / "models.sock")
