"""Every page of the console: no inline scripts, usable by ear and keyboard, and live."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from acting import HOLDS
from consoles import BREAKS, EVIL, Browser, browser, decided, rejected
from gates import Gate, rows
from sqlalchemy import select, update

from holdfast.gate import events
from holdfast.gate.console import curve, sessions, words
from holdfast.gate.console.live import Stream
from holdfast.gate.tables import Act, Event, Job, Key, Stage


class Page(HTMLParser):
    """What matters to a browser's rules and to whoever does not see the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inline: list[str] = []
        self.labels: set[str] = set()
        self.inputs: list[dict[str, str | None]] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.outside: list[str] = []
        self.heads: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.tags.append(tag)
        self.inline += [f"{tag} {name}" for name in told if name == "style" or name[:2] == "on"]
        if tag == "style" or (tag == "script" and not told.get("src")):
            self.inline.append(tag)
        if tag == "label":
            self.labels.add(told["for"] or "")
        if tag in ("input", "select", "textarea") and told.get("type") != "hidden":
            self.inputs.append(told)
        if tag == "th":
            self.heads.append(told)
        self.ids += [told["id"] or ""] if "id" in told else []
        self.outside += [v for k, v in attrs if k in ("src", "href", "action") and v and "//" in v]


def pages(gate: Gate) -> Iterator[tuple[str, str]]:
    """Every page, with content that would like to be more than text."""
    gate.upload(rows(12), name=f"{EVIL}.jsonl")
    jobs = [decided(gate, BREAKS, "quarantine"), decided(gate, HOLDS, "hold"), rejected(gate)]
    jobs.append(gate.job(metadata={"note": EVIL})["id"])
    with gate.room.database.session() as session:
        session.execute(update(Job).where(Job.id.in_(jobs)).values(suffix=EVIL, model=EVIL))
        session.add(Act(by=EVIL, tenant="ada", act=EVIL, object=EVIL, reason=EVIL))
        session.add(Event(id="e", job=jobs[3], message=EVIL))
        lines = {"error": {"code": "x"}, "lines": [{"line": 3, "reason": EVIL}]}
        session.add(Stage(job=jobs[3], name="validate", result=lines, seconds=0.1, ends=False))
        session.execute(update(Key).values(name=EVIL))
    at, admin = browser(gate), browser(gate, "ada", "admin")
    with gate.room.database.session() as session:
        key = session.scalars(select(Key.id)).first()
    yield "login", Browser(gate).get("/console/login").text
    paths = ["", "/new", *(f"/{j}" for j in jobs), f"/{jobs[3]}/cancel", "/ftjob-none"]
    for who in (at, admin):
        for path in paths:
            yield path, who.get(f"/console/jobs{path}").text
    for path in ("review", "policy", "trail", "keys", f"keys/{key}/revoke", "nowhere"):
        yield path, admin.get(f"/console/{path}").text
    yield "wrong", admin.post("/console/keys", tenant=EVIL, name=EVIL).text


def test_no_page_has_inline_scripts_or_takes_text_for_more_than_text(gate: Gate) -> None:
    for path, text in pages(gate):
        page = Page(text)
        assert not page.inline, path
        assert not page.outside, path
        assert "alert('x')" not in re.sub(r"&lt;script&gt;alert\(&#39;x&#39;\)", "", text), path
        assert "The server made an error" not in text, path


def test_every_page_can_be_used_by_ear_and_by_keyboard(gate: Gate) -> None:
    for path, text in pages(gate):
        page = Page(text)
        for told in page.inputs:
            assert told.get("id") in page.labels, (path, told)
        for mark in ("main", "header", "h1", "title"):
            assert page.tags.count(mark) == 1, (path, mark)
        assert page.tags.count("table") == page.tags.count("caption"), path
        assert all("scope" in head for head in page.heads), path
        assert len(page.ids) == len(set(page.ids)), path
        assert 'class="skip"' in text
        assert '<html lang="en">' in text


def test_pages_let_no_script_in_and_keep_their_addresses_to_themselves(gate: Gate) -> None:
    for path in ("/console/login", "/console/jobs", "/console/nowhere"):
        headers = browser(gate).get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"


def test_files_beside_the_pages_are_named_and_nothing_else_is_there(gate: Gate) -> None:
    at = Browser(gate)
    text = at.get("/console/login").text
    linked = re.findall(r'(?:src|href)="(/console/static/[^"]+)"', text)
    assert len(linked) == 3
    for address in linked:
        answer = at.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
    for name in ("LICENSE.htmx.txt", "..%2Fpages.py", "none.css"):
        assert at.get(f"/console/static/{name}").status_code != 200


def test_the_stream_of_a_job_that_has_ended_says_so(gate: Gate) -> None:
    job = decided(gate, HOLDS, "release")
    at = browser(gate)
    mark = re.search(r"/live\?seen=([^\"]+)\"", at.get(f"/console/jobs/{job}").text)
    assert mark is not None
    answer = at.get(f"/console/jobs/{job}/live?seen={mark[1]}")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text == "event: over\ndata: \n\n"  # the page has it all
    late = at.get(f"/console/jobs/{job}/live?seen=other").text
    assert [line for line in late.splitlines() if line.startswith("event")] == [
        *(f"event: {p}" for p in ("summary", "line", "loss", "story", "found", "doings")),
        "event: over",
    ]


def test_a_stream_sends_what_changed_and_ends_with_the_session(gate: Gate) -> None:
    job = gate.job()["id"]
    at = browser(gate)
    with gate.room.database.session() as session:
        of = events.job_of(session, job)
        of.status, of.stage = "running", "tune"
    stream = Stream(gate.room, at.client.cookies["holdfast"], job, "")
    assert dict(stream.look())
    assert stream.look() == []
    with gate.room.database.session() as session:
        events.metrics(session, job, [{"step": 1, "total_steps": 8, "train_loss": 2.0}])
    changed = dict(stream.look())
    assert set(changed) == {"line", "loss"}
    assert "step 1 of 8" in changed["line"]
    at.post("/console/logout")
    assert stream.look() == []
    assert stream.over


def test_the_curve_of_a_long_tune_stays_small_and_ends_where_it_ends() -> None:
    steps = [{"step": n, "total_steps": 9_000, "train_loss": 9_000 / n} for n in range(1, 9_001)]
    drawn = str(curve.loss(steps))
    assert len(drawn) < 10_000
    assert "step 9000 of 9000" in drawn
    assert "to 1.00" in drawn
    assert curve.loss([]) == ""
    nan = {"step": 9_001, "total_steps": 9_001, "train_loss": float("nan")}
    assert "nan" not in str(curve.loss([*steps, nan]))
    assert curve.loss([nan]) == ""


def test_every_state_has_a_word() -> None:
    statuses = ("validating_files", "queued", "running", "paused", "succeeded", "cancelled")
    said = {words.state_of(status, "") for status in (*statuses, "failed")}
    assert len(said) == 7
    assert words.state_of("failed", "quarantine").word == "refused"
    assert words.state_of("running", "review").word == "waits for a reviewer"
    assert sessions.same("a", "a")
    assert not sessions.same("a", "ä")
