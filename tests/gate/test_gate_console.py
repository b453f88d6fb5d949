"""The console: who gets in, what each key opens, and which forms count."""

from __future__ import annotations

import re

import pytest
from consoles import EVIL, HERE, Browser, browser, status_of
from gates import Gate
from sqlalchemy import select, update

from holdfast.gate.tables import Key, Login, now


def test_a_key_opens_a_session_that_scripts_and_other_sites_cannot_use(gate: Gate) -> None:
    at = Browser(gate)
    assert at.get("/console/jobs").headers["location"] == "/console/login?to=/console/jobs"
    answer = at.log_in(gate.as_("ada")["Authorization"].removeprefix("Bearer "))
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/jobs")
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("holdfast="))
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert "Path=/" in cookie
    assert at.get("/console/jobs").status_code == 200


def test_over_https_the_cookie_belongs_to_this_host_alone(gate: Gate) -> None:
    at = Browser(gate, "https://gate.example")
    answer = at.log_in(gate.as_("ada")["Authorization"].removeprefix("Bearer "))
    cookies = answer.headers.get_list("set-cookie")
    assert any(c.startswith("__Host-holdfast=") and "; Secure" in c for c in cookies)
    assert at.get("/console/jobs").status_code == 200


def test_a_key_is_not_taken_unencrypted_from_the_network(gate: Gate) -> None:
    at = Browser(gate, "http://gate.example")
    answer = at.log_in(gate.as_("ada")["Authorization"].removeprefix("Bearer "))
    assert answer.status_code == 403
    assert "https" in answer.text


def test_the_session_is_kept_as_a_hash(gate: Gate) -> None:
    at = browser(gate)
    with gate.room.database.session() as session:
        login = session.scalars(select(Login)).one()
    name = at.client.cookies["holdfast"]
    assert len(name) >= 43
    assert name not in (login.sha256, login.csrf)


@pytest.mark.parametrize("key", ["", "hf-wrong", EVIL])
def test_a_wrong_key_opens_nothing(gate: Gate, key: str) -> None:
    answer = Browser(gate).log_in(key)
    assert answer.status_code == 401
    assert "This key is wrong" in answer.text
    assert not any(c.startswith("holdfast=") for c in answer.headers.get_list("set-cookie"))


def test_a_key_that_only_asks_models_has_nothing_to_see(gate: Gate) -> None:
    key = gate.as_("ada", "infer")["Authorization"].removeprefix("Bearer ")
    assert Browser(gate).log_in(key).status_code == 403


@pytest.mark.parametrize(
    ("to", "there"),
    [
        ("/console/jobs/ftjob-1", "/console/jobs/ftjob-1"),
        ("https://evil.example/console/", "/console/jobs"),
        ("//evil.example/console/", "/console/jobs"),
        ("/console//evil.example", "/console/jobs"),
        ("/console/\\evil.example", "/console/jobs"),
    ],
)
def test_logging_in_leads_to_a_page_of_the_console(gate: Gate, to: str, there: str) -> None:
    key = gate.as_("ada")["Authorization"].removeprefix("Bearer ")
    assert Browser(gate).log_in(key, to=to).headers["location"] == there


def test_too_many_tries_must_wait(gate: Gate) -> None:
    at = Browser(gate)
    answers = [at.log_in("hf-wrong") for _ in range(40)]
    late = [a for a in answers if a.status_code == 429]
    assert late
    assert int(late[0].headers["Retry-After"]) >= 1


def test_logging_out_ends_the_session_and_not_only_its_cookie(gate: Gate) -> None:
    at = browser(gate)
    name = at.client.cookies["holdfast"]
    assert at.post("/console/logout").headers["location"] == "/console/login"
    at.client.cookies.set("holdfast", name, domain="127.0.0.1")
    assert at.get("/console/jobs").status_code == 303


def test_a_session_ends_with_its_hours_and_with_its_key(gate: Gate) -> None:
    at, other = browser(gate), browser(gate, "ben")
    with gate.room.database.session() as session:
        key = session.scalars(select(Key).where(Key.tenant == "ada")).one()
        key.revoked_at = now()
        bens = select(Key.id).where(Key.tenant == "ben")
        session.execute(update(Login).where(Login.key.in_(bens)).values(expires_at=now()))
    assert at.get("/console/jobs").status_code == 303
    assert other.get("/console/jobs").status_code == 303
    browser(gate, "cyd")  # sweeps
    with gate.room.database.session() as session:
        assert len(session.scalars(select(Login)).all()) == 1


@pytest.mark.parametrize("token", ["", "forged"])
@pytest.mark.parametrize("what", ["cancel", "appeal", "review", "logout", "keys", "new job"])
def test_a_form_without_the_sessions_token_does_nothing(gate: Gate, token: str, what: str) -> None:
    job = gate.job()["id"]
    at = browser(gate, "ada", "admin")
    path = {
        "logout": "/console/logout",
        "keys": "/console/keys",
        "new job": "/console/jobs",
    }.get(what, f"/console/jobs/{job}/{what}")
    if what == "new job":
        answer = at.client.post(
            path,
            data={"csrf": token, "model": "canary:chat"},
            files={"file": ("rows.jsonl", b"{}")},
            headers={"Origin": HERE},
        )
        assert not list(gate.room.store.parts.iterdir())
    else:
        answer = at.post(path, token=token, reason="x", decision="release")
    assert answer.status_code == 403
    assert status_of(gate, job) == "validating_files"
    assert at.get("/console/jobs").status_code == 200


def test_another_sessions_token_is_forged(gate: Gate) -> None:
    job = gate.job()["id"]
    other = browser(gate, "ben").token
    answer = browser(gate).post(f"/console/jobs/{job}/cancel", token=other)
    assert answer.status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9999"])
def test_a_form_of_another_site_does_nothing(gate: Gate, origin: str) -> None:
    job = gate.job()["id"]
    answer = browser(gate).post(f"/console/jobs/{job}/cancel", origin=origin)
    assert answer.status_code == 403
    assert status_of(gate, job) == "validating_files"


def test_loading_a_page_changes_nothing(gate: Gate) -> None:
    job = gate.job()["id"]
    at = browser(gate)
    for doing in ("pause", "cancel"):
        assert f"{doing.capitalize()} this job?" in at.get(f"/console/jobs/{job}/{doing}").text
    assert status_of(gate, job) == "validating_files"


def test_an_admin_makes_a_key_that_is_shown_once_and_revokes_it(gate: Gate) -> None:
    at = browser(gate, "root", "admin")
    fields = {"tenant": "ben", "name": f"laptop {EVIL}", "scopes": ["tune", "review"]}
    shown = at.post("/console/keys", **fields)
    text = re.search(r'value="(hf-[^"]+)"', shown.text)
    assert text is not None
    assert text[1] not in at.get("/console/keys").text
    his = Browser(gate)
    assert his.log_in(text[1]).status_code == 303
    with gate.room.database.session() as session:
        key = session.scalars(select(Key).where(Key.tenant == "ben")).one()
    assert key.scopes == ["tune", "review"]
    assert "Revoke this key?" in at.get(f"/console/keys/{key.id}/revoke").text
    assert at.post(f"/console/keys/{key.id}/revoke").status_code == 303
    assert his.get("/console/jobs").status_code == 303


@pytest.mark.parametrize("fields", [{"tenant": "Ben"}, {"scopes": "root"}, {"name": ""}])
def test_a_key_that_does_not_fit_is_not_made(gate: Gate, fields: dict[str, str]) -> None:
    at = browser(gate, "root", "admin")
    answer = at.post("/console/keys", **{"tenant": "ben", "name": "x", "scopes": "tune", **fields})
    assert answer.status_code == 400
    assert "hf-" not in answer.text


@pytest.mark.parametrize(
    ("path", "scopes", "status"),
    [
        ("/console/review", ("tune",), 403),
        ("/console/trail", ("tune",), 403),
        ("/console/keys", ("tune", "review"), 403),
        ("/console/keys", ("admin",), 200),
        ("/console/jobs/new", ("review",), 403),
        ("/console/policy", ("tune",), 200),
    ],
)
def test_pages_ask_for_a_scope(gate: Gate, path: str, scopes: tuple[str, ...], status: int) -> None:
    at = browser(gate, "ada", *scopes)
    assert at.get(path).status_code == status
    if status == 403:
        assert f'href="{path}"' not in at.get("/console/jobs").text
